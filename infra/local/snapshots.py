"""How much each store holds, looked at again and again while a demo runs."""

import itertools
import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from elasticsearch import ApiError, TransportError
from google.api_core.exceptions import GoogleAPIError
from redis.exceptions import RedisError
from requests import RequestException

from infra.local.stores import Stores

PACE_S = 2.0
ROWS_EVERY = 3


@dataclass(frozen=True)
class Snapshot:
    """Counts at a moment (monotonic seconds); what could not be asked is what it was before.

    `documents` by Elasticsearch index (all days of plays together), `rows` by BigQuery table,
    `health` the sums of the pipeline's own account; `channels` counts targets, `actions` the events
    of our own offers, `statuses` messages; `ended` is how many messages Redis says have ended.
    """

    documents: dict[str, int] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    health: dict[str, int] = field(default_factory=dict)
    channels: dict[str, int] = field(default_factory=dict)
    actions: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    ended: int = 0
    at: float = 0.0

    def holds_as_much(self, other: "Snapshot") -> bool:
        """Whether nothing was added between the two."""
        return replace(self, at=0.0) == replace(other, at=0.0)


class Watch:
    """Looks into the stores again and again, in its own thread, while the context is open.

    Asking for all of BigQuery's tables costs more than asking Elasticsearch, so it is rarer.
    """

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        self.last = Snapshot()
        self.before = Snapshot()
        self.changed_at = time.monotonic()

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join()

    def quiet_s(self) -> float:
        """For how long nothing was added to any store, in seconds."""
        return time.monotonic() - self.changed_at

    def _watch(self) -> None:
        for turn in itertools.count():
            if self._end.wait(PACE_S):
                return
            self.before, self.last = self.last, self._look(self.last, turn % ROWS_EVERY == 0)
            if not self.last.holds_as_much(self.before):
                self.changed_at = time.monotonic()

    def _look(self, before: Snapshot, rows_too: bool) -> Snapshot:
        stores, found = self._stores, before
        with suppress(ApiError, TransportError):
            found = replace(
                found,
                documents=stores.documents(),
                health=stores.document_health(),
                channels=stores.counts_by("targets", "channel"),
                actions=stores.counts_by("ad_events", "action", having="offer_id"),
                statuses=stores.counts_by("messages", "status"),
            )
        with suppress(RedisError):
            found = replace(found, ended=len(stores.ended_messages()))
        if rows_too:
            with suppress(GoogleAPIError, RequestException):
                found = replace(found, rows=stores.rows())
        return replace(found, at=time.monotonic())


def read_status(file: Path) -> dict[str, Any]:
    """What the simulator last said of itself; empty before it has."""
    try:
        status: dict[str, Any] = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return status
