"""A run to the ingest function: a backlog as fast as it goes, then live, or in simulated time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from simulator.door import Caller, Door, Refused
from simulator.errors import UsageError
from simulator.requests import in_order, queues
from simulator.run import Run, Settings, empty_folder, moment
from simulator.sender import Sender, stopper
from simulator.status import Status
from simulator.timeline import Slice

LIVE_SLICE_MS = 60_000
UNSETTLED_MS = 10 * 60_000
"""No answered event waits this long to be accounted for."""
TICK_S = 0.25
"""Live events wait at most this long for company in their request."""
FOREVER_S = 3650 * 86_400.0
LONGEST_BACKLOG_MS = 110 * 60_000


@dataclass(frozen=True)
class Sending:
    """Where a run is posted and how; `span_ms` is its time, `simulated` whether it is not ours."""

    url: str
    key_id: str | None
    secret_file: Path | None
    span_ms: tuple[int, int]
    simulated: bool
    batch: int
    connections: int
    patience_s: float
    status: Path | None
    key: Path | None

    def caller(self) -> Caller | None:
        """Who signs, read from the secret's file; UsageError when it cannot be read."""
        if self.key_id is None or self.secret_file is None:
            return None
        try:
            secret = self.secret_file.read_bytes().strip()
        except OSError as error:
            raise UsageError(f"{self.secret_file} cannot be read: {error.strerror}.") from None
        if not secret:
            raise UsageError(f"{self.secret_file} is empty.")
        return Caller(self.key_id, secret)


def post_run(settings: Settings, sending: Sending) -> dict[str, Any]:
    """Post a whole run and close its account; gives the key's summary.

    Its `refused` says why the run ended early, or is null. Raises UsageError for files and
    addresses that cannot be used.
    """
    door = Door(sending.url, sending.caller(), stopper(), sending.patience_s)
    run = Run.of(settings, sending.span_ms, sending.key, in_file=False)
    if sending.key:
        empty_folder(sending.key)
    sender = Sender(door, run.account, sending.connections, sending.simulated)
    refused = None
    with Status(sender, sending.status) as status:
        try:
            post = post_simulated if sending.simulated else post_live
            post(run, sender, status, sending.batch)
            sender.finish()
        except Refused as refusal:
            refused = str(refusal)
            door.stop.set()
            sender.abandon()
        finally:
            sender.close()
        status.tell("done", now=True)
    names = ("sent", "requests", "retries", "unsure_events", "given_up")
    return run.close({**{name: sender.totals[name] for name in names}, "refused": refused})


def post_live(
    run: Run, sender: Sender, status: Status, batch: int, now: Callable[[], float] = time.time
) -> None:
    """Post what is published in the past as fast as it goes, and the rest when its time comes.

    Ends when the real clock reaches the end, or when told to stop; what is then still on its way
    in the story (retries, offline phones) is never sent.
    """
    began_ms = int(now() * 1000)
    for one in run.slices(LIVE_SLICE_MS):
        if sender.door.stop.is_set() or one.start_ms >= run.span_ms[1]:
            break
        phase = "backlog" if one.start_ms < began_ms else "live"
        _send_as_due(run, one, sender, status, batch, phase, now)
        sender.account_now()
        sender.account.settle(int(now() * 1000) - UNSETTLED_MS)


def _send_as_due(
    run: Run,
    one: Slice,
    sender: Sender,
    status: Status,
    batch: int,
    phase: str,
    now: Callable[[], float],
) -> None:
    waiting = queues(one, run.writer, batch)
    sent = [0, 0]
    end_ms = min(one.end_ms, run.span_ms[1])
    while not sender.door.stop.is_set():
        now_ms = int(now() * 1000)
        for i, queue in enumerate(waiting):
            due = int(np.searchsorted(queue.events["published"].to_numpy(), min(now_ms, end_ms)))
            for request in queue.requests(sent[i], due):
                sender.send(request)
            sent[i] = max(sent[i], due)
        status.tell(phase, max(0.0, (now_ms - end_ms) / 1000))
        if now_ms >= end_ms:
            return
        sender.door.stop.wait(TICK_S)


def post_simulated(run: Run, sender: Sender, status: Status, batch: int) -> None:
    """Post a stretch of simulated time as fast as the function takes it, to its last late event."""
    for one in run.slices():
        for request in in_order(one, run.writer, batch):
            if sender.door.stop.is_set():
                return
            sender.send(request)
            status.tell(f"simulated {moment(request.due_ms)[:16]}")
        sender.settle(one.end_ms)
