"""A whole run to the ingest function, and the account of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from simulator.door import Caller, Door, Refused
from simulator.errors import UsageError
from simulator.faults import Fault
from simulator.logins import Logins
from simulator.posting import Post
from simulator.propensity import Law
from simulator.rules import DAY_MS, HOUR_MS
from simulator.run import Run, Settings, empty_folder
from simulator.sender import Sender, stopper
from simulator.status import COUNTS, Status

FOREVER_S = 3650 * 86_400.0
LONGEST_BACKLOG_MS = 110 * 60_000


@dataclass(frozen=True)
class Sending:
    """Where a run is posted and how.

    `span_ms` is its time, `open_ended` whether it goes on until it is stopped, `simulated` whether
    its time is not ours and a request holds `within_ms` of it; `cut` how often a request first
    breaks off; `offer_url` where listeners ask for offers as they log in; `history` an earlier
    run's answer key, as their past.
    """

    url: str
    key_id: str | None
    secret_file: Path | None
    span_ms: tuple[int, int]
    open_ended: bool
    simulated: bool
    batch: int
    within_ms: int
    connections: int
    patience_s: float
    cut: Fault
    offer_url: str | None
    history: Path | None
    status: Path | None
    key: Path | None

    @property
    def rate_span_ms(self) -> tuple[int, int]:
        """The time over which the rate is an average: the run, or its first hour if open-ended."""
        start_ms, end_ms = self.span_ms
        return start_ms, start_ms + HOUR_MS if self.open_ended else end_ms

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
    stop = stopper()
    door = Door(sending.url, sending.caller(), stop, sending.patience_s)
    if sending.offer_url:
        settings = replace(settings, terms=replace(settings.terms, strangers_too=True))
    run = Run.of(
        settings, sending.span_ms, sending.key, in_file=False, rate_span_ms=sending.rate_span_ms
    )
    if sending.history:
        remember(run, sending.history)
    if sending.key:
        empty_folder(sending.key)
    logins = None
    if sending.offer_url:
        logins = Logins(Door(sending.offer_url, sending.caller(), stop), run.desk)
    sender = Sender(door, run.account, sending.connections, sending.simulated, sending.cut)
    refused = None
    with Status(sender, sending.status) as status:
        post = Post(run, sender, status, sending.batch, sending.within_ms, logins)
        try:
            if sending.simulated:
                post.simulated()
            else:
                post.live()
            sender.finish()
        except Refused as refusal:
            refused = str(refusal)
            stop.set()
            sender.abandon()
        finally:
            sender.close()
            if logins:
                logins.close()
        status.tell("done", now=True)
    counts = {name: sender.totals[name] for name in COUNTS if name not in ("accepted", "rejected")}
    return run.close({**counts, "cut": sender.totals["cut"], "refused": refused})


def remember(run: Run, key: Path) -> None:
    """Take listeners' past and the laws of clicking from an earlier run's answer key.

    Raises UsageError when there is none to read.
    """
    try:
        profiles = pl.read_parquet(key / "profiles.parquet")
        summary = json.loads((key / "summary.json").read_text(encoding="utf-8"))
        laws = {name: Law.read(told) for name, told in summary["laws"].items()}
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError):
        raise UsageError(f"{key} is not the answer key of an earlier run.") from None
    run.desk.book.remember(profiles, run.town.people.ids, run.span_ms[0] // DAY_MS)
    run.desk.laws.update(laws)
