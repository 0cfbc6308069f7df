"""Days of datasets → closed days: the shell around `domain.daily` for a bounded run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Protocol

import apache_beam as beam
import polars as pl
from apache_beam import typehints
from apache_beam.pvalue import PBegin, PCollection

from beam_pipeline.domain.daily import INPUTS, OUTPUTS, Span, close
from beam_pipeline.domain.examples import ONE_DAY
from beam_pipeline.transforms.dofn import DoFn
from beam_pipeline.transforms.frames import Rows
from beam_pipeline.transforms.resources import Opens, opened
from beam_pipeline.transforms.shard import shard_of

ROWS_TOGETHER = 50_000


DAYS_TOGETHER = {"plays": 1, "ad_events": 7, "profiles": 7, "targets": 100}
"""Days of a dataset that are read at once: a few queries, none of them too large to hold."""


@dataclass(frozen=True, slots=True)
class Want:
    """Days of a dataset, both included, that are to be read at once."""

    dataset: str
    first: date
    last: date

    @classmethod
    def cut(cls, dataset: str, first: date, last: date) -> list[Want]:
        """[first, last] in steps that can be held."""
        step = timedelta(days=DAYS_TOGETHER[dataset])
        starts = [first + n * step for n in range(-(-((last - first).days + 1) // step.days))]
        return [cls(dataset, start, min(start + step - ONE_DAY, last)) for start in starts]


class History(Protocol):
    """Where closed days are read from."""

    def read(self, dataset: str, first: date, last: date) -> pl.DataFrame:
        """INPUTS of a dataset: published (profiles: heard; targets: decided) on these days."""
        ...


class Ledger(Protocol):
    """Where whole days are written to."""

    def replace(self, dataset: str, days: list[date], frames: Iterable[pl.DataFrame]) -> None:
        """Put the rows of `frames` in the place of everything that these days held."""
        ...


class CloseDays(beam.PTransform):
    """A span of days, read from a history → PCollection[Rows] of OUTPUTS.

    Args:
        span: the days to close.
        history: the configuration of where to read.
        shards: how many ways customers are split; one shard is held in memory at a time.
    """

    def __init__(self, span: Span, history: Opens[History], shards: int) -> None:
        super().__init__()
        self._span = span
        self._history = history
        self._shards = shards

    def expand(self, begin: PBegin) -> PCollection[Rows]:
        """Read by day, group by customers, close."""
        wants = [
            want for name, days in self._span.wanted().items() for want in Want.cut(name, *days)
        ]
        return (
            begin
            | "Days" >> beam.Create(wants).with_output_types(Want)
            | "Read days" >> beam.ParDo(_ReadFn(self._history, self._shards))
            | "Group by customers" >> beam.GroupByKey()
            | "Close" >> beam.ParDo(_CloseFn(self._span))
        )


class ReplaceDays(beam.PTransform):
    """PCollection[Rows] → the ledger, a dataset's days in one go, also those without a row."""

    def __init__(self, span: Span, ledger: Opens[Ledger]) -> None:
        super().__init__()
        self._span = span
        self._ledger = ledger

    def expand(self, rows: PCollection[Rows]) -> PCollection[str]:
        """Give the names of the datasets that were written."""
        replaced = self._span.replaced()
        nothing = [Rows(name, OUTPUTS[name].to_frame()) for name in replaced]
        empty = rows.pipeline | "No rows" >> beam.Create(nothing).with_output_types(Rows)
        return (
            (rows, empty)
            | "All rows" >> beam.Flatten()
            | "Kept" >> beam.Filter(_is_in, frozenset(replaced)).with_output_types(Rows)
            | "By dataset" >> beam.Map(_named).with_output_types(tuple[str, Rows])
            | "Group by dataset" >> beam.GroupByKey()
            | "Replace" >> beam.ParDo(_ReplaceFn(self._span, self._ledger))
        )


def _is_in(rows: Rows, names: frozenset[str]) -> bool:
    return rows.dataset in names


def _named(rows: Rows) -> tuple[str, Rows]:
    return rows.dataset, rows


@typehints.with_input_types(Want)
@typehints.with_output_types(tuple[int, Rows])
class _ReadFn(DoFn):
    def __init__(self, history: Opens[History], shards: int) -> None:
        self._history = history
        self._shards = shards

    def process(self, want: Want) -> Iterable[tuple[int, Rows]]:
        schema = INPUTS[want.dataset]
        frame = opened(self._history).read(want.dataset, want.first, want.last)
        frame = frame.select(list(schema)).cast(schema)
        home = pl.Series(shard_of(frame["customer_id"], self._shards))
        for shard in home.unique().to_list():
            yield shard, Rows(want.dataset, frame.filter(home == shard))


@typehints.with_input_types(tuple[int, Iterable[Rows]])
@typehints.with_output_types(Rows)
class _CloseFn(DoFn):
    def __init__(self, span: Span) -> None:
        self._span = span

    def process(self, element: tuple[int, Iterable[Rows]]) -> Iterable[Rows]:
        frames: dict[str, list[pl.DataFrame]] = {}
        for rows in element[1]:
            frames.setdefault(rows.dataset, []).append(rows.frame)
        closed = close(self._span, frames)
        for name, frame in zip(closed._fields, closed, strict=True):
            for start in range(0, frame.height, ROWS_TOGETHER):
                yield Rows(name, frame[start : start + ROWS_TOGETHER])


@typehints.with_input_types(tuple[str, Iterable[Rows]])
@typehints.with_output_types(str)
class _ReplaceFn(DoFn):
    def __init__(self, span: Span, ledger: Opens[Ledger]) -> None:
        self._span = span
        self._ledger = ledger

    def process(self, element: tuple[str, Iterable[Rows]]) -> Iterable[str]:
        name, parts = element
        frames = (rows.frame for rows in parts)
        opened(self._ledger).replace(name, self._span.replaced()[name], frames)
        yield name
