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
from beam_pipeline.transforms.behind import Lane
from beam_pipeline.transforms.dofn import DoFn
from beam_pipeline.transforms.frames import Rows
from beam_pipeline.transforms.resources import Opens, opened

MOST_ROWS = 50_000
"""More rows than this are written before the bundle ends."""


class Store(Protocol):
    """What a sink of `edges` looks like from here."""

    name: str
    datasets: frozenset[str]
    patience_s: float
    """How long few rows may wait for others, in seconds, where they are written behind."""

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
            bundles are ahead of it, or for the record of progress. Only for a runner that
            acknowledges its messages before, so that nothing but that record says what is stored.
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
        stores = {config: opened(config) for config in self._stores}
        given = [
            (_Place(config, dataset), frame)
            for config, store in stores.items()
            for dataset, frame in frames.items()
            if dataset in store.datasets
        ]
        records = self._records(stores, frames.get("plays"))
        refused = []
        for written in (_behind if self._behind else _at_once)(given, records):
            Metrics.counter("write", f"rows_{written.store}").inc(written.rows)
            if written.letters.height:
                refused.append(Rows("dead_letters", written.letters))
        return refused

    def _records(
        self, stores: Mapping[Opens[Store], Store], plays: pl.DataFrame | None
    ) -> dict[Opens[Store], Callable[[], None]]:
        """What is to be called when a store has taken these plays, and all that came before."""
        if plays is None or self._progress is None:
            return {}
        moments = plays[["published_at", PUBLISH_TIME]].max()
        newest = moments.with_columns(pl.all().to_physical()).row(0)
        record = opened(self._progress).record
        return {
            config: partial(record, store.name, *newest)
            for config, store in stores.items()
            if "plays" in store.datasets
        }


class _Place(NamedTuple):
    """A dataset of a store."""

    config: Opens[Store]
    dataset: str

    def write(self, frame: pl.DataFrame) -> _Written:
        """Write rows."""
        store = opened(self.config)
        letters = store.write(self.dataset, frame.drop(PUBLISH_TIME, strict=False))
        return _Written(store.name, frame.height - letters.height, letters)


_Given = Sequence[tuple[_Place, pl.DataFrame]]
_Records = Mapping[Opens[Store], Callable[[], None]]


class _Due(NamedTuple):
    """What is to be recorded of a store, once all that it was left until then is written."""

    written: Sequence[Callable[[], bool]]
    record: Callable[[], None]


_lanes: dict[_Place, Lane[_Written]] = {}
"""Of the places that are written behind. One whose write failed stays, and fails all after it."""
_due: dict[Opens[Store], deque[_Due]] = {}
"""Of each store, the oldest first: what comes later cannot be recorded before."""
_behind_lock = threading.Lock()


def _at_once(given: _Given, records: _Records) -> list[_Written]:
    """Write to several places, then record; raises what any raised, when all have ended."""
    others = [_begun(partial(place.write, frame)) for place, frame in given[1:]]
    try:
        first = [place.write(frame) for place, frame in given[:1]]
    finally:
        wait(others)
    written = first + [other.result() for other in others]
    for record in records.values():
        record()
    return written


def _begun(write: Callable[[], _Written]) -> Future[_Written]:
    """Begin a write in a thread that no process waits for when it ends."""
    future: Future[_Written] = Future()

    def run() -> None:
        try:
            future.set_result(write())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is taken
            future.set_exception(error)

    threading.Thread(target=run, name="write", daemon=True).start()
    return future


def _behind(given: _Given, records: _Records) -> list[_Written]:
    """Leave rows to be written; what has been written since."""
    with _behind_lock:
        for place, _ in given:
            if place not in _lanes:
                _lanes[place] = Lane(place.write, opened(place.config).patience_s)
        lanes = dict(_lanes)
    for due in list(_due.values()):
        _record_reached(due)
    ended = [written for lane in lanes.values() for written in lane.ended()]
    for place, frame in given:
        lanes[place].put(frame)
    for config, record in records.items():
        written = [lane.all_so_far() for place, lane in lanes.items() if place.config == config]
        with _behind_lock:
            _due.setdefault(config, deque()).append(_Due(written, record))
    return ended


def _record_reached(due: deque[_Due]) -> None:
    while due and all(written() for written in due[0].written):
        due[0].record()
        due.popleft()
