"""Loops that post: what falls due now, or a stretch of simulated time as fast as it goes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from simulator.logins import Logins
from simulator.requests import Queue, in_order, queues
from simulator.run import Run, moment
from simulator.sender import Sender
from simulator.status import Status
from simulator.timeline import Slice

LIVE_SLICE_MS = 60_000
UNSETTLED_MS = 10 * 60_000
"""No answered event waits this long to be accounted for."""
TICK_S = 0.25
"""Live events wait at most this long for company in their request."""


@dataclass(frozen=True, eq=False)
class Post:
    """One run on its way to the ingest function, `batch` events a request at most.

    In simulated time a request holds what is published `within_ms`.
    """

    run: Run
    sender: Sender
    status: Status
    batch: int
    within_ms: int
    logins: Logins | None = None
    now: Callable[[], float] = time.time

    def live(self) -> None:
        """Post what is published in the past as fast as it goes, and the rest when its time comes.

        Ends when the real clock reaches the end, or when told to stop; what is then still on its
        way in the story (retries, offline phones) is never sent.
        """
        began_ms = self._now_ms()
        for one in self.run.slices(LIVE_SLICE_MS):
            if self.sender.door.stop.is_set() or one.start_ms >= self.run.span_ms[1]:
                break
            self._as_due(one, live=one.end_ms > began_ms)
            self.sender.account_now()
            self.sender.account.settle(self._now_ms() - UNSETTLED_MS)
        if self.logins:
            self.logins.wait()
            self._what_came_of_logins(self.logins)

    def simulated(self) -> None:
        """Post simulated time as fast as the function takes it, to its last late event."""
        for one in self.run.slices():
            for request in in_order(one, self.run.writer, self.batch, self.within_ms):
                if self.sender.door.stop.is_set():
                    return
                self.sender.send(request)
                self.status.tell(f"simulated {moment(request.due_ms)[:16]}")
            self.sender.settle(one.end_ms)

    def _as_due(self, one: Slice, *, live: bool) -> None:
        """Post a slice's events as the clock reaches them; logins only happen live."""
        waiting = queues(one, self.run.writer, self.batch)
        sent = [0, 0]
        end_ms = min(one.end_ms, self.run.span_ms[1])
        while not self.sender.door.stop.is_set():
            now_ms = self._now_ms()
            for i, queue in enumerate(waiting):
                published = queue.events["published"].to_numpy()
                due = max(sent[i], int(np.searchsorted(published, min(now_ms, end_ms))))
                for request in queue.requests(sent[i], due):
                    self.sender.send(request)
                if live and self.logins and queue.kind == "play":
                    self.logins.notice(queue.events[sent[i] : due], now_ms)
                    self._what_came_of_logins(self.logins)
                sent[i] = due
            self.status.tell("live" if live else "backlog", max(0.0, (now_ms - end_ms) / 1000))
            if now_ms >= end_ms:
                return
            self.sender.door.stop.wait(TICK_S)

    def _what_came_of_logins(self, logins: Logins) -> None:
        happened = logins.due(self._now_ms())
        queue = Queue("ad", happened, self.run.writer.ads(happened), self.batch)
        for request in queue.requests(0, happened.height):
            self.sender.send(request)

    def _now_ms(self) -> int:
        return int(self.now() * 1000)
