"""Rows → the stores. What a bundle brings for a dataset is written in one go, at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
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
        stores: the configurations of the sinks, which are written at the same time.
        progress: where the progress of plays is recorded, if anywhere.
    """

    def __init__(
        self, stores: Sequence[Opens[Store]], progress: Opens[Recorder] | None = None
    ) -> None:
        super().__init__()
        self._stores = tuple(stores)
        self._progress = progress

    def expand(self, rows: PCollection[Rows]) -> PCollection[Rows]:
        """Write what each store takes."""
        return rows | "Write rows" >> beam.ParDo(_WriteFn(self._stores, self._progress))


_Written = tuple[Store, int, list[pl.DataFrame]]
"""A store, how many rows it took, and the dead letters of the others."""


@typehints.with_input_types(Rows)
@typehints.with_output_types(Rows)
class _WriteFn(DoFn):
    def __init__(self, stores: Sequence[Opens[Store]], progress: Opens[Recorder] | None) -> None:
        self._stores = stores
        self._progress = progress
        self._pending: dict[str, list[pl.DataFrame]] = {}
        self._count = 0

    def start_bundle(self) -> None:
        self._pending, self._count = {}, 0

    def process(self, rows: Rows) -> Iterable[Rows]:
        self._pending.setdefault(rows.dataset, []).append(rows.frame)
        self._count += rows.frame.height
        if self._count >= MOST_ROWS:
            yield from self._write()

    def finish_bundle(self) -> Iterable[WindowedValue]:
        for refused in self._write():
            yield WindowedValue(refused, 0, (GlobalWindow(),))

    def _write(self) -> list[Rows]:
        frames = {dataset: pl.concat(parts) for dataset, parts in self._pending.items()}
        self._pending, self._count = {}, 0
        stores = [opened(config) for config in self._stores]
        takers = [store for store in stores if not store.datasets.isdisjoint(frames)]
        refused = []
        for store, rows, letters in _each(takers, lambda store: self._write_to(store, frames)):
            Metrics.counter("write", f"rows_{store.name}").inc(rows)
            refused += [Rows("dead_letters", some) for some in letters if some.height]
        return refused

    def _write_to(self, store: Store, frames: dict[str, pl.DataFrame]) -> _Written:
        rows, letters = 0, []
        for dataset, frame in frames.items():
            if dataset not in store.datasets:
                continue
            letters.append(store.write(dataset, frame.drop(PUBLISH_TIME, strict=False)))
            rows += frame.height - letters[-1].height
            if dataset == "plays":
                self._record(store.name, frame)
        return store, rows, letters

    def _record(self, store: str, plays: pl.DataFrame) -> None:
        if self._progress is not None:
            moments = plays[["published_at", PUBLISH_TIME]].max()
            newest = moments.with_columns(pl.all().to_physical()).row(0)
            opened(self._progress).record(store, *newest)


_threads = ThreadPoolExecutor(64, "write")
"""Enough for the bundles that a worker of Dataflow has in hand at once."""


def _each(stores: Sequence[Store], write: Callable[[Store], _Written]) -> list[_Written]:
    """Write to several stores at once; raises what any raised, when all have ended."""
    others = [_threads.submit(write, store) for store in stores[1:]]
    try:
        first = [write(store) for store in stores[:1]]
    finally:
        wait(others)
    return first + [other.result() for other in others]
