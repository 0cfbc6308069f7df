"""Requests under way: several at once, accounted for in the order in which they were sent."""

from __future__ import annotations

import signal
import threading
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from simulator.account import Account
from simulator.door import Answer, Door, Refused
from simulator.faults import Fault
from simulator.requests import Request
from simulator.run import moment
from simulator.seeds import stream

ACCOUNT_ROWS = 5_000
"""Answered events are accounted for in frames of about this many rows."""
QUEUED = 4
"""Requests that may wait for each connection: what is sent next is never far behind the answers."""


@dataclass(eq=False)
class Sender:
    """Sends requests over `connections` and keeps the account of what the function took.

    `simulated` says the requests' own times of publication; otherwise the time of the answer is
    taken for it, which is right to within a request's way.
    """

    door: Door
    account: Account
    connections: int
    simulated: bool
    cut: Fault
    totals: Counter[str] = field(default_factory=Counter)
    _waiting: deque[tuple[Request, Future[Answer | None]]] = field(default_factory=deque)
    _answered: dict[str, list[pl.DataFrame]] = field(default_factory=dict)
    _rows: int = 0
    _pool: ThreadPoolExecutor = field(init=False)
    _cuts: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.connections, thread_name_prefix="door")
        self._cuts = stream(self.cut.seed or 0, "fault cut")

    def send(self, request: Request) -> None:
        """Hand over a request; waits while too many are under way."""
        published = moment(request.due_ms) if self.simulated else None
        cut = bool(self._cuts.random() < self.cut.rate)
        self.totals["cut"] += cut
        future = self._pool.submit(self.door.post, request.kind, request.body, published, cut=cut)
        self._waiting.append((request, future))
        self.totals["requests"] += 1
        self.totals["sent"] += request.events.height
        while len(self._waiting) > self.connections * QUEUED:
            self._take_oldest()
        while self._waiting and self._waiting[0][1].done():
            self._take_oldest()

    def settle(self, now_ms: int) -> None:
        """Account for all that was answered; nothing published before `now_ms` is to come."""
        self.finish()
        self.account.settle(now_ms)

    def finish(self) -> None:
        """Wait for every answer and account for it."""
        while self._waiting:
            self._take_oldest()
        self.account_now()

    def abandon(self) -> None:
        """Account for what was answered before the function refused a request."""
        while self._waiting:
            with suppress(Refused):
                self._take_oldest()
        self.account_now()

    def close(self) -> None:
        """Let threads and connections go."""
        self._pool.shutdown(cancel_futures=True)
        self.door.close()

    @property
    def under_way(self) -> int:
        """Requests without an answer yet."""
        return len(self._waiting)

    def _take_oldest(self) -> None:
        request, future = self._waiting.popleft()
        answer = None
        try:
            answer = future.result()
        finally:
            self.totals["given_up"] += 0 if answer else request.events.height
        if answer is None:
            return
        events = request.events
        published = request.due_ms if self.simulated else answer.answered_ms
        reasons: list[str | None] = [None] * events.height
        for index, reason in answer.refused.items():
            reasons[index] = reason
        self.totals["rejected"] += len(answer.refused)
        self.totals["accepted"] += events.height - len(answer.refused)
        self.totals["retries"] += answer.tries - 1
        self.totals["unsure_events"] += events.height if answer.unsure else 0
        self._answered.setdefault(request.kind, []).append(
            events.with_columns(
                published=pl.lit(published, pl.Int64),
                verdict=pl.Series(reasons, dtype=pl.String),
            )
        )
        self._rows += events.height
        if self._rows >= ACCOUNT_ROWS:
            self.account_now()

    def account_now(self) -> None:
        """Account for what was answered so far."""
        for kind, frames in self._answered.items():
            self.account.take(kind, pl.concat(frames))
        self._answered, self._rows = {}, 0


def stopper() -> threading.Event:
    """An event that SIGINT and SIGTERM set, for a stop that leaves nothing half done."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
