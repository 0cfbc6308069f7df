"""Rows → the stores. What a bundle brings for a dataset is written in one go, at its end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
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
        given = [
            (_Place(config, dataset, self._progress), frame)
            for config in self._stores
            for dataset, frame in frames.items()
            if dataset in opened(config).datasets
        ]
        refused = []
        for written in _behind(given) if self._behind else _at_once(given):
            Metrics.counter("write", f"rows_{written.store}").inc(written.rows)
            if written.letters.height:
                refused.append(Rows("dead_letters", written.letters))
        return refused


class _Place(NamedTuple):
    """A dataset of a store."""

    config: Opens[Store]
    dataset: str
    progress: Opens[Recorder] | None

    def write(self, frame: pl.DataFrame) -> _Written:
        """Write rows; those of plays tell how far the store has come."""
        store = opened(self.config)
        letters = store.write(self.dataset, frame.drop(PUBLISH_TIME, strict=False))
        if self.dataset == "plays" and self.progress is not None:
            moments = frame[["published_at", PUBLISH_TIME]].max()
            newest = moments.with_columns(pl.all().to_physical()).row(0)
            opened(self.progress).record(store.name, *newest)
        return _Written(store.name, frame.height - letters.height, letters)


_Given = Sequence[tuple[_Place, pl.DataFrame]]

_lanes: dict[_Place, Lane[_Written]] = {}
"""Of the places that are written behind. One whose write failed stays, and fails all after it."""
_opening = threading.Lock()


def _at_once(given: _Given) -> list[_Written]:
    """Write to several places; raises what any raised, when all have ended."""
    others = [_begun(partial(place.write, frame)) for place, frame in given[1:]]
    try:
        first = [place.write(frame) for place, frame in given[:1]]
    finally:
        wait(others)
    return first + [other.result() for other in others]


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


def _behind(given: _Given) -> list[_Written]:
    """Leave rows to be written; what has been written since."""
    with _opening:
        for place, _ in given:
            if place not in _lanes:
                _lanes[place] = Lane(place.write, opened(place.config).patience_s)
        lanes = dict(_lanes)
    ended = [written for lane in lanes.values() for written in lane.ended()]
    for place, frame in given:
        lanes[place].put(frame)
    return ended
