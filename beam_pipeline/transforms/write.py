"""Rows → the stores. What a bundle brings for a dataset is written in one go, at its end."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from functools import partial
from typing import NamedTuple, Protocol

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
        stores: the configurations of the sinks; all datasets of all are written at the same time.
        progress: where the progress of plays is recorded, if anywhere.
        behind: a bundle ends while its rows are still being written, and waits only where a few
            bundles are ahead of it. Only for a runner that acknowledges its messages before, so
            that nothing but the recorded progress says what is stored.
    """

    def __init__(
        self,
        stores: Sequence[Opens[Store]],
        progress: Opens[Recorder] | None = None,
        *,
        behind: bool = False,
    ) -> None:
        super().__init__()
        self._stores = tuple(stores)
        self._progress = progress
        self._behind = behind

    def expand(self, rows: PCollection[Rows]) -> PCollection[Rows]:
        """Write what each store takes."""
        return rows | "Write rows" >> beam.ParDo(
            _WriteFn(self._stores, self._progress, behind=self._behind)
        )


class _Written(NamedTuple):
    """What became of the rows of a dataset that a store was given."""

    store: str
    rows: int
    """Those that it took."""
    letters: pl.DataFrame
    """DEAD_LETTERS of the others."""


@typehints.with_input_types(Rows)
@typehints.with_output_types(Rows)
class _WriteFn(DoFn):
    def __init__(
        self, stores: Sequence[Opens[Store]], progress: Opens[Recorder] | None, *, behind: bool
    ) -> None:
        self._stores = stores
        self._progress = progress
        self._behind = behind
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
        writes = {
            (config, dataset): partial(self._write_to, opened(config), dataset, frame)
            for config in self._stores
            for dataset, frame in frames.items()
            if dataset in opened(config).datasets
        }
        refused = []
        for written in _behind(writes) if self._behind else _at_once(list(writes.values())):
            Metrics.counter("write", f"rows_{written.store}").inc(written.rows)
            if written.letters.height:
                refused.append(Rows("dead_letters", written.letters))
        return refused

    def _write_to(self, store: Store, dataset: str, frame: pl.DataFrame) -> _Written:
        letters = store.write(dataset, frame.drop(PUBLISH_TIME, strict=False))
        if dataset == "plays":
            self._record(store.name, frame)
        return _Written(store.name, frame.height - letters.height, letters)

    def _record(self, store: str, plays: pl.DataFrame) -> None:
        if self._progress is not None:
            moments = plays[["published_at", PUBLISH_TIME]].max()
            newest = moments.with_columns(pl.all().to_physical()).row(0)
            opened(self._progress).record(store, *newest)


_Place = tuple[Opens[Store], str]
"""A dataset of a store."""
_Write = Callable[[], _Written]

AHEAD = 4
"""Writes to one place that may be under way or wait for the one before them."""
_in_flight: dict[_Place, deque[Future[_Written]]] = {}
"""Of each place that is written behind, the oldest first. A write that failed stays, and fails all
that come after it."""


def _at_once(writes: Sequence[_Write]) -> list[_Written]:
    """Write to several places; raises what any raised, when all have ended."""
    others = [_begun(write) for write in writes[1:]]
    try:
        first = [write() for write in writes[:1]]
    finally:
        wait(others)
    return first + [other.result() for other in others]


def _behind(writes: Mapping[_Place, _Write]) -> list[_Written]:
    """Begin to write, to each place in turn, where there is room; what has ended since."""
    ended = []
    for place, flights in _in_flight.items():
        most = AHEAD - (place in writes)
        while flights and (flights[0].done() or len(flights) > most):
            ended.append(flights[0].result())
            flights.popleft()
    for place, write in writes.items():
        flights = _in_flight.setdefault(place, deque())
        flights.append(_begun(write, after=flights[-1] if flights else None))
    return ended


def _begun(write: _Write, after: Future[_Written] | None = None) -> Future[_Written]:
    """Begin a write, when another has ended well, in a thread that no process waits for."""
    future: Future[_Written] = Future()

    def run() -> None:
        try:
            if after is not None:
                after.result()
            future.set_result(write())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is taken
            future.set_exception(error)

    threading.Thread(target=run, name="write", daemon=True).start()
    return future
