"""The model that scores now: what `models/current.json` says of itself.

Read are of its `live` promotion `version`, `promoted_at` (RFC 3339), `metrics` (`error`, `auc`,
`examples`) and `gate` (a check's name and whether it held); whatever is missing is left out of the
card.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

import msgspec
import urllib3

from functions.board.cache import Cache
from functions.board.searches import Row
from functions.shared.logs import log

STORAGE = "https://storage.googleapis.com"
METADATA = "http://metadata.google.internal"
"""Where a function gets a token of its own account; there is none elsewhere."""

_SERVES_S = 10.0
_TIMEOUT = urllib3.Timeout(connect=0.5, read=1.0)
_MOST_BYTES = 1 << 20
_EARLY_S = 60.0


class _Metrics(msgspec.Struct):
    error: float | None = None
    auc: float | None = None
    examples: float | None = None


class _Promotion(msgspec.Struct):
    version: str
    promoted_at: str | None = None
    metrics: _Metrics = msgspec.field(default_factory=_Metrics)
    gate: dict[str, bool] = {}


class _Current(msgspec.Struct):
    live: _Promotion


class _Token(msgspec.Struct):
    access_token: str
    expires_in: float


class ModelReader:
    """Reads the pointer file at most every ten seconds.

    Args:
        place: its path, http(s) address, or gs://BUCKET/PREFIX/current.json; None is no model.
        monotonic: seconds of a clock that only goes forward.
        storage, metadata: Google's services, for gs://.
    """

    def __init__(
        self,
        place: str | None,
        monotonic: Callable[[], float],
        storage: str = STORAGE,
        metadata: str = METADATA,
    ) -> None:
        self._place = place
        self._monotonic = monotonic
        self._storage = storage
        self._metadata = metadata
        self._token: tuple[str, float] | None = None
        self._held: Cache[list[Row]] = Cache(most=1)
        self._pool = urllib3.PoolManager(timeout=_TIMEOUT, retries=False)

    def rows(self) -> list[Row]:
        """One row; none while there is no model, or none that can be read."""
        if self._place is None:
            return []
        held = self._held.get("model", self._monotonic())
        if held is None:
            held = self._read(self._place)
            self._held.put("model", held, self._monotonic() + _SERVES_S)
        return held

    def _read(self, place: str) -> list[Row]:
        try:
            current = msgspec.json.decode(self._content(place), type=_Current).live
        except FileNotFoundError:
            return []
        except (OSError, urllib3.exceptions.HTTPError, msgspec.MsgspecError) as error:
            log("WARNING", "the model cannot be read", why=type(error).__name__)
            return []
        gate, examples = current.gate.values(), current.metrics.examples
        return [
            {
                "version": current.version,
                "error": current.metrics.error,
                "auc": current.metrics.auc,
                "examples": None if examples is None else round(examples),
                "promoted_at": current.promoted_at,
                "gate": [sum(gate), len(gate)] if current.gate else None,
            }
        ]

    def _content(self, place: str) -> bytes:
        if place.startswith("gs://"):
            bucket, _, name = place.removeprefix("gs://").partition("/")
            address = f"{self._storage}/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media"
            return self._get(address, {"Authorization": f"Bearer {self._bearer()}"})
        if not place.startswith(("http://", "https://")):
            return Path(place).read_bytes()
        return self._get(place, {})

    def _bearer(self) -> str:
        """A token of this function's own account, asked for again a minute before it ends."""
        now = self._monotonic()
        if self._token is None or now >= self._token[1]:
            path = "/computeMetadata/v1/instance/service-accounts/default/token"
            content = self._get(self._metadata + path, {"Metadata-Flavor": "Google"})
            token = msgspec.json.decode(content, type=_Token)
            self._token = token.access_token, now + token.expires_in - _EARLY_S
        return self._token[0]

    def _get(self, address: str, headers: Mapping[str, str]) -> bytes:
        answer = self._pool.request("GET", address, headers=headers, preload_content=False)
        try:
            if answer.status == 404:
                raise FileNotFoundError(address)
            if answer.status != 200:
                raise OSError(f"status {answer.status}")
            return answer.read(_MOST_BYTES)
        finally:
            answer.release_conn()
