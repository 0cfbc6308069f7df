"""The model that scores now: what `models/current.json` says of itself.

Read are of its `live` promotion `version`, `promoted_at` (RFC 3339), `metrics` (`error`, `auc`,
`examples`) and `gate` (a check's name and whether it held); whatever is missing is left out of the
card.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import urllib3

from functions.board.cache import Cache
from functions.board.searches import Row
from functions.shared.logs import log

_SERVES_S = 10.0
_TIMEOUT = urllib3.Timeout(connect=0.5, read=1.0)
_MOST_BYTES = 1 << 20


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


class ModelReader:
    """Reads the pointer file, by path or http(s) address, at most every ten seconds."""

    def __init__(self, place: str | None, monotonic: Callable[[], float]) -> None:
        self._place = place
        self._monotonic = monotonic
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
        if not place.startswith(("http://", "https://")):
            return Path(place).read_bytes()
        answer = self._pool.request("GET", place, preload_content=False)
        try:
            if answer.status == 404:
                raise FileNotFoundError(place)
            if answer.status != 200:
                raise OSError(f"status {answer.status}")
            return answer.read(_MOST_BYTES)
        finally:
            answer.release_conn()
