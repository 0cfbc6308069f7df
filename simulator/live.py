"""A run to the ingest function: a backlog as fast as it goes, then live, or in simulated time."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from simulator.account import Account
from simulator.door import Caller, Door, Refused
from simulator.errors import UsageError
from simulator.files import empty_folder, moment, run_tag
from simulator.key import Key
from simulator.lines import Writer
from simulator.people import DAY_MS
from simulator.requests import in_order, queues
from simulator.sender import Sender, stopper
from simulator.sessions import Town
from simulator.settings import Settings
from simulator.timeline import Slice, timeline

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


@dataclass(eq=False)
class Status:
    """Where the run stands: a line on stderr, and one JSON object in a file, once a second.

    The file is replaced whole, so a reader never sees half of it.
    """

    sender: Sender
    path: Path | None
    started: float = field(default_factory=time.monotonic)
    phase: str = "starting"
    _told: float = 0.0
    _sent_then: int = 0
    _progress: Progress = field(init=False)

    def __post_init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description} · {task.fields[text]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._progress.add_task("starting", text="")

    def __enter__(self) -> Status:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def tell(self, phase: str, behind_s: float = 0.0, *, now: bool = False) -> None:
        """Say where the run stands, at most once a second unless `now`."""
        at = time.monotonic()
        since = at - self._told
        if since < 1.0 and not now and phase == self.phase:
            return
        totals, account = self.sender.totals, self.sender.account.totals
        speed = (totals["sent"] - self._sent_then) / since if self._told else 0.0
        self.phase, self._told, self._sent_then = phase, at, totals["sent"]
        text = f"{totals['sent']:,} sent, {totals['rejected']:,} refused, {speed:,.0f}/s"
        self._progress.update(self._task, description=phase, text=text)
        if self.path is None:
            return
        record = {
            "phase": phase,
            "at": moment(int(time.time() * 1000)),
            "elapsed_s": round(at - self.started, 1),
            **{
                name: totals[name]
                for name in (
                    "sent",
                    "accepted",
                    "rejected",
                    "requests",
                    "retries",
                    "unsure_events",
                    "given_up",
                )
            },
            "duplicates": account["duplicate"],
            "plays": account["play accepted"],
            "ad_events": account["ad accepted"],
            "late": account["late"],
            "events_per_s": round(speed, 1),
            "behind_s": round(behind_s, 2),
            "under_way": self.sender.under_way,
        }
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.write_text(json.dumps(record) + "\n", encoding="utf-8")
        os.replace(fresh, self.path)


def run_live(
    settings: Settings,
    town: Town,
    writer: Writer,
    sender: Sender,
    status: Status,
    span_ms: tuple[int, int],
    batch: int,
    now: Callable[[], float] = time.time,
) -> None:
    """Post what is published in the past as fast as it goes, and the rest when its time comes.

    Ends when the real clock reaches the end, or when told to stop; what is then still on its way
    in the story (retries, offline phones) is never sent.
    """
    start_ms, end_ms = span_ms
    began_ms = int(now() * 1000)
    stop = sender.door.stop
    for one in timeline(town, settings.faults, start_ms, end_ms, longest_ms=LIVE_SLICE_MS):
        if stop.is_set() or one.start_ms >= end_ms:
            break
        _send_as_due(one, writer, sender, status, batch, (began_ms, end_ms), now)
        sender.account_now()
        sender.account.settle(int(now() * 1000) - UNSETTLED_MS)


def _send_as_due(
    one: Slice,
    writer: Writer,
    sender: Sender,
    status: Status,
    batch: int,
    live_ms: tuple[int, int],
    now: Callable[[], float],
) -> None:
    waiting = queues(one, writer, batch)
    sent = [0, 0]
    began_ms, end_ms = live_ms
    slice_end = min(one.start_ms + one.length_ms, end_ms)
    while not sender.door.stop.is_set():
        now_ms = int(now() * 1000)
        for i, queue in enumerate(waiting):
            due = int(np.searchsorted(queue.events["published"].to_numpy(), min(now_ms, slice_end)))
            for request in queue.requests(sent[i], due):
                sender.send(request)
            sent[i] = max(sent[i], due)
        backlog = one.start_ms < began_ms
        behind_s = max(0.0, (now_ms - slice_end) / 1000)
        status.tell("backlog" if backlog else "live", behind_s)
        if now_ms >= slice_end:
            return
        sender.door.stop.wait(TICK_S)


def run_simulated(
    settings: Settings,
    town: Town,
    writer: Writer,
    sender: Sender,
    status: Status,
    span_ms: tuple[int, int],
    batch: int,
) -> None:
    """Post a stretch of simulated time as fast as the function takes it, to its last late event."""
    for one in timeline(town, settings.faults, *span_ms):
        for request in in_order(one, writer, batch):
            if sender.door.stop.is_set():
                return
            sender.send(request)
            status.tell(f"simulated {moment(request.due_ms)[:16]}")
        sender.settle(one.start_ms + one.length_ms)


def post_run(settings: Settings, sending: Sending) -> dict[str, Any]:
    """Post a whole run and close its account; gives the key's summary.

    Its `refused` says why the run ended early, or is null. Raises UsageError for files and
    addresses that cannot be used.
    """
    start_ms, end_ms = sending.span_ms
    town = settings.town((start_ms, min(end_ms, start_ms + DAY_MS)))
    writer = Writer(town.places, run_tag(settings.seed, start_ms), in_file=False)
    folder = empty_folder(sending.key) if sending.key else None
    account = Account(town.people, town.catalogue, writer, Key(folder))
    door = Door(sending.url, sending.caller(), stopper(), sending.patience_s)
    sender = Sender(door, account, sending.connections, sending.simulated)
    run = run_simulated if sending.simulated else run_live
    refused = None
    with Status(sender, sending.status) as status:
        try:
            run(settings, town, writer, sender, status, sending.span_ms, sending.batch)
            sender.finish()
        except Refused as refusal:
            refused = str(refusal)
            door.stop.set()
            sender.abandon()
        finally:
            sender.close()
        status.tell("done", now=True)
    about = {"seed": settings.seed, "start": moment(start_ms), "end": moment(end_ms)}
    names = ("sent", "requests", "retries", "unsure_events", "given_up")
    counts = {name: sender.totals[name] for name in names}
    return account.close({**about, **counts, "refused": refused})
