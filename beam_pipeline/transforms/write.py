"""Rows → a store. What a bundle brings for a dataset is written in one go, at its end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import apache_beam as beam
import polars as pl
from apache_beam import typehints
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from beam_pipeline.domain.schemas import PUBLISH_TIME
from beam_pipeline.transforms.dofn import DoFn
from beam_pipeline.transforms.frames import Rows
from beam_pipeline.transforms.resources import Opens, opened

MOST_ROWS = 50_000
"""More rows than this are written before the bundle ends."""


class Store(Protocol):
    """What a sink of `edges` looks like from here."""

    name: str
    datasets: frozenset[str]

    def write(self, dataset: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Write rows, give the refused ones as DEAD_LETTERS."""
        ...


class Recorder(Protocol):
    """Keeps how far the plays of a store have come."""

    def record(self, store: str, published_ms: int, publish_time_ms: int) -> None:
        """These moments, both in ms, are written; an earlier one changes nothing."""
        ...


class WriteTo(beam.PTransform):
    """PCollection[Rows] → PCollection[Rows] of dead letters; rows of other datasets pass by.

    Args:
        store: the configuration of the sink.
        progress: where the progress of plays is recorded, if anywhere.
    """

    def __init__(self, store: Opens[Store], progress: Opens[Recorder] | None = None) -> None:
        super().__init__()
        self._store = store
        self._progress = progress

    def expand(self, rows: PCollection[Rows]) -> PCollection[Rows]:
        """Write what the store takes."""
        return rows | "Write rows" >> beam.ParDo(_WriteFn(self._store, self._progress))


@typehints.with_input_types(Rows)
@typehints.with_output_types(Rows)
class _WriteFn(DoFn):
    def __init__(self, store: Opens[Store], progress: Opens[Recorder] | None) -> None:
        self._store = store
        self._progress = progress
        self._pending: dict[str, list[pl.DataFrame]] = {}
        self._count = 0
        self._written = Metrics.counter("write", "rows")

    def start_bundle(self) -> None:
        self._pending, self._count = {}, 0

    def process(self, rows: Rows) -> Iterable[Rows]:
        if rows.dataset not in opened(self._store).datasets:
            return
        self._pending.setdefault(rows.dataset, []).append(rows.frame)
        self._count += rows.frame.height
        if self._count >= MOST_ROWS:
            yield from self._write()

    def finish_bundle(self) -> Iterable[WindowedValue]:
        for refused in self._write():
            yield WindowedValue(refused, 0, (GlobalWindow(),))

    def _write(self) -> list[Rows]:
        store, refused = opened(self._store), []
        for dataset, frames in self._pending.items():
            frame = pl.concat(frames)
            marks = frame.select("published_at", PUBLISH_TIME) if dataset == "plays" else None
            letters = store.write(dataset, frame.drop(PUBLISH_TIME, strict=False))
            self._written.inc(frame.height - letters.height)
            if letters.height:
                refused.append(Rows("dead_letters", letters))
            if marks is not None:
                self._record(store.name, marks)
        self._pending, self._count = {}, 0
        return refused

    def _record(self, store: str, marks: pl.DataFrame) -> None:
        if self._progress is not None:
            newest = marks.max().with_columns(pl.all().to_physical()).row(0)
            opened(self._progress).record(store, *newest)
