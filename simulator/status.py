"""Where a run stands, for the person in front of it and for programs that watch it."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from simulator.run import moment
from simulator.sender import Sender

COUNTS = ("sent", "accepted", "rejected", "requests", "retries", "unsure_events", "given_up")


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
    _measured: float = 0.0
    _sent_then: int = 0
    _speed: float = 0.0
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
        speed = self._events_per_s(at, totals["sent"])
        self.phase, self._told = phase, at
        text = f"{totals['sent']:,} sent, {totals['rejected']:,} refused, {speed:,.0f}/s"
        self._progress.update(self._task, description=phase, text=text)
        if self.path is None:
            return
        record = {
            "phase": phase,
            "at": moment(int(time.time() * 1000)),
            "elapsed_s": round(at - self.started, 1),
            **{name: totals[name] for name in COUNTS},
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

    def _events_per_s(self, at: float, sent: int) -> float:
        """Over the last whole second or more, however often it is asked for."""
        if not self._measured:
            self._measured, self._sent_then = at, sent
        elif at - self._measured >= 1.0:
            self._speed = (sent - self._sent_then) / (at - self._measured)
            self._measured, self._sent_then = at, sent
        return self._speed
