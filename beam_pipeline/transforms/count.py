"""Changes of the counts → rows of listening and health, absolute, as often as they are wanted.

In a stream one running sum emits what changed: for the stores that people watch every few
seconds, for the ledger (BigQuery keeps every version of a row) at most once a minute. Nothing
waits for a watermark. In a bounded run every row comes out once, at the end.
"""

from __future__ import annotations

import secrets
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import apache_beam as beam
import polars as pl
from apache_beam import typehints
from apache_beam.coders import BytesCoder
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import (
    BagStateSpec,
    ReadModifyWriteStateSpec,
    TimerSpec,
    on_timer,
)
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from beam_pipeline.domain import health
from beam_pipeline.domain.counts import Counts
from beam_pipeline.domain.deltas import summed
from beam_pipeline.domain.readers import Reader
from beam_pipeline.transforms.dofn import DoFn
from beam_pipeline.transforms.frames import KEYED_CHANGE, ONE_KEY, Change, ChangeCoder, Rows, typed

_LEDGER = "ledger"
_COMPACT_AFTER = 300_000
"""Rows in the bag before it is compacted, and never before it has doubled."""
_SUMMED = 100_000
"""Rows of a bundle's sum past which it is passed on, and another begun."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often changed rows are given, in processing time."""

    live: timedelta = timedelta(seconds=3)
    ledger: timedelta = timedelta(minutes=1)
    now: Callable[[], float] = time.time
    """The clock of the runner's processing time, in seconds."""

    def after(self, period: timedelta) -> Timestamp:
        """The moment when `period` has passed."""
        return Timestamp(self.now() + period.total_seconds())


@dataclass(frozen=True, slots=True)
class CountCollections:
    """The outputs of Count: the same rows, for readers of different pace."""

    live: PCollection[Rows]
    ledger: PCollection[Rows]


class Count(beam.PTransform):
    """PCollections of tuple[int, Change], all under one key → CountCollections."""

    def __init__(self, pace: Pace) -> None:
        super().__init__()
        self._pace = pace

    def expand(self, changes: Sequence[PCollection[tuple[int, Change]]]) -> CountCollections:
        """Choose the shell by whether the input ends."""
        if all(each.is_bounded for each in changes):
            sums = [
                each | f"Sum bundles of {number}" >> beam.ParDo(_BundleSumFn())
                for number, each in enumerate(changes)
            ]
            rows = (
                typed(sums | "Sums" >> beam.Flatten(), KEYED_CHANGE)
                | "Group sums" >> beam.GroupByKey()
                | "Sum changes" >> beam.ParDo(_SumFn()).with_output_types(Rows)
            )
            return CountCollections(live=rows, ledger=rows)
        every = typed(changes | "Changes" >> beam.Flatten(), KEYED_CHANGE)
        outputs = every | "Running sum" >> beam.ParDo(
            _RunningSumFn(self._pace, secrets.token_hex(8))
        ).with_outputs(_LEDGER, main="live")
        return CountCollections(
            live=typed(outputs["live"], Rows), ledger=typed(outputs[_LEDGER], Rows)
        )


def _rows(counts: Counts, reader: Reader) -> Iterable[Rows]:
    listening, health = counts.changed(reader)
    if listening.height:
        yield Rows("listening", listening)
    if health.height:
        yield Rows("health", health)


def _sum(changes: Sequence[Change]) -> Change:
    """One change that adds what these add."""
    if len(changes) == 1:
        return changes[0]
    return Change(
        summed(pl.concat([change.delta for change in changes], rechunk=True)),
        health.add([change.health for change in changes]),
    )


@typehints.with_input_types(tuple[int, Change])
@typehints.with_output_types(tuple[int, Change])
class _BundleSumFn(DoFn):
    """Adds changes up before the shuffle: each batch has its own row of what all count."""

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._rows = 0

    def start_bundle(self) -> None:
        self._changes, self._rows = [], 0

    def process(self, element: tuple[int, Change]) -> Iterable[tuple[int, Change]]:
        change = element[1]
        self._changes.append(change)
        self._rows += change.delta.height + change.health.height
        if self._rows < 2 * _SUMMED:
            return
        total = _sum(self._changes)
        self._changes, self._rows = [total], total.delta.height + total.health.height
        if self._rows > _SUMMED:
            self._changes, self._rows = [], 0
            yield ONE_KEY, total

    def finish_bundle(self) -> Iterable[WindowedValue]:
        if self._changes:
            yield WindowedValue((ONE_KEY, _sum(self._changes)), 0, (GlobalWindow(),))


@typehints.with_input_types(tuple[int, Iterable[Change]])
class _SumFn(DoFn):
    def process(self, element: tuple[int, Iterable[Change]]) -> Iterable[Rows]:
        change = _sum(list(element[1]))
        counts = Counts()
        final = counts.add(change.delta)
        if final.height:
            yield Rows("listening", final)
        counts.add_health(change.health)
        yield from _rows(counts, Reader.LIVE)


_sums: dict[str, tuple[bytes, Counts]] = {}
"""Sums of this process by stage, each with the version it is in step with."""
_sums_lock = threading.Lock()


@dataclass(slots=True)
class _Mark:
    """What the state says of the bag: version, rows now and when last compacted; timers set."""

    version: bytes = b""
    rows: int = 0
    compacted: int = 0
    live_set: bool = False
    ledger_set: bool = False

    @classmethod
    def unpack(cls, packed: bytes | None) -> _Mark:
        if packed is None:
            return cls()
        return cls(packed[:8], *struct.unpack("<qq??", packed[8:]))

    def pack(self) -> bytes:
        numbers = (self.rows, self.compacted, self.live_set, self.ledger_set)
        return self.version + struct.pack("<qq??", *numbers)


@typehints.with_input_types(tuple[int, Change])
class _RunningSumFn(DoFn):
    CHANGES = BagStateSpec("changes", ChangeCoder())
    MARK = ReadModifyWriteStateSpec("mark", BytesCoder())
    LIVE = TimerSpec("live", TimeDomain.REAL_TIME)
    LEDGER = TimerSpec("ledger", TimeDomain.REAL_TIME)
    END = TimerSpec("end", TimeDomain.WATERMARK)

    def __init__(self, pace: Pace, stage: str) -> None:
        self._pace = pace
        self._stage = stage

    def process(
        self,
        element: tuple[int, Change],
        changes: Any = beam.DoFn.StateParam(CHANGES),  # noqa: B008
        mark_state: Any = beam.DoFn.StateParam(MARK),  # noqa: B008
        live: Any = beam.DoFn.TimerParam(LIVE),  # noqa: B008
        ledger: Any = beam.DoFn.TimerParam(LEDGER),  # noqa: B008
        end: Any = beam.DoFn.TimerParam(END),  # noqa: B008
    ) -> Iterable[object]:
        change = element[1]
        mark = _Mark.unpack(mark_state.read())
        counts = self._take(mark, changes)
        final = counts.add(change.delta)
        counts.add_health(change.health)
        mark.rows += change.delta.height + change.health.height
        if mark.rows >= _COMPACT_AFTER and mark.rows >= 2 * mark.compacted:
            snapshot = Change(*counts.snapshot())
            changes.clear()
            changes.add(snapshot)
            mark.rows = mark.compacted = snapshot.delta.height + snapshot.health.height
        else:
            changes.add(change)
        if not mark.live_set:
            live.set(self._pace.after(self._pace.live))
            mark.live_set = True
        if not mark.ledger_set:
            ledger.set(self._pace.after(self._pace.ledger))
            end.set(GlobalWindow().max_timestamp())
            mark.ledger_set = True
        self._put(mark, counts, mark_state)
        if final.height:
            yield Rows("listening", final)
            yield TaggedOutput(_LEDGER, Rows("listening", final))

    @on_timer(LIVE)
    def give_live(
        self,
        changes: Any = beam.DoFn.StateParam(CHANGES),  # noqa: B008
        mark_state: Any = beam.DoFn.StateParam(MARK),  # noqa: B008
    ) -> Iterable[object]:
        mark = _Mark.unpack(mark_state.read())
        mark.live_set = False
        counts = self._take(mark, changes)
        rows = list(_rows(counts, Reader.LIVE))
        self._put(mark, counts, mark_state)
        yield from rows

    @on_timer(LEDGER)
    def give_ledger(
        self,
        changes: Any = beam.DoFn.StateParam(CHANGES),  # noqa: B008
        mark_state: Any = beam.DoFn.StateParam(MARK),  # noqa: B008
    ) -> Iterable[object]:
        mark = _Mark.unpack(mark_state.read())
        mark.ledger_set = False
        counts = self._take(mark, changes)
        rows = list(_rows(counts, Reader.LEDGER))
        self._put(mark, counts, mark_state)
        for row in rows:
            yield TaggedOutput(_LEDGER, row)

    @on_timer(END)
    def give_the_rest(
        self,
        changes: Any = beam.DoFn.StateParam(CHANGES),  # noqa: B008
        mark_state: Any = beam.DoFn.StateParam(MARK),  # noqa: B008
    ) -> Iterable[object]:
        yield from self.give_live(changes, mark_state)
        yield from self.give_ledger(changes, mark_state)

    def _take(self, mark: _Mark, changes: Any) -> Counts:
        """The sum that the bag adds up to: the one in memory where it is in step, else anew."""
        with _sums_lock:
            held, counts = _sums.pop(self._stage, (b"", Counts()))
        if held == mark.version:
            return counts
        counts = Counts()
        for change in changes.read():
            counts.add(change.delta)
            counts.add_health(change.health)
        return counts

    def _put(self, mark: _Mark, counts: Counts, mark_state: Any) -> None:
        mark.version = secrets.token_bytes(8)
        mark_state.write(mark.pack())
        with _sums_lock:
            _sums[self._stage] = (mark.version, counts)
