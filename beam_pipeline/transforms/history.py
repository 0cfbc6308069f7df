"""Events by shard → what they mean: accepted rows, interests, and what they add to the counts.

Two shells around `domain.history`. In a stream the kept rows lie in Beam's state and the index
over them in memory; the two are known to be in step by a random version that is drawn with every
change, so a bundle that is aborted and cut anew is noticed, and the index rebuilt. In a bounded
run each shard is taken whole, sorted by publication, without any state.
"""

from __future__ import annotations

import secrets
import struct
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import polars as pl
from apache_beam import typehints
from apache_beam.coders import BytesCoder
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec

from beam_pipeline.domain.dedup import DEDUP_HORIZON
from beam_pipeline.domain.history import History, MemoryStorage, Pruning
from beam_pipeline.domain.profiles import PROFILED, profiles
from beam_pipeline.domain.references import Places, References
from beam_pipeline.domain.shard import KEPT, Outcome, Shard
from beam_pipeline.transforms.dofn import DoFn
from beam_pipeline.transforms.frames import (
    KEYED_CHANGE,
    ONE_KEY,
    Change,
    Events,
    FrameCoder,
    Rows,
    typed,
)
from beam_pipeline.transforms.order import in_order
from beam_pipeline.transforms.resources import Opens, opened

_CHANGES = "changes"


@dataclass(frozen=True, slots=True)
class HistoryCollections:
    """The outputs of TrackHistory."""

    rows: PCollection[Rows]
    changes: PCollection[tuple[int, Change]]


class TrackHistory(beam.PTransform):
    """PCollection[tuple[int, Events]] → HistoryCollections.

    Args:
        references, places: configurations of the sides of the enrichment join.
    """

    def __init__(self, references: Opens[References], places: Opens[Places]) -> None:
        super().__init__()
        self._references = references
        self._places = places

    def expand(self, events: PCollection[tuple[int, Events]]) -> HistoryCollections:
        """Choose the shell by whether the input ends."""
        if events.is_bounded:
            outputs = (
                events
                | "Group by shard" >> beam.GroupByKey()
                | "Whole shards" >> _outputs(_WholeShardFn(self._references, self._places))
            )
        else:
            outputs = events | "History of shards" >> _outputs(
                _HistoryFn(self._references, self._places, secrets.token_hex(8))
            )
        return HistoryCollections(
            rows=typed(outputs["rows"], Rows), changes=typed(outputs[_CHANGES], KEYED_CHANGE)
        )


def _outputs(fn: beam.DoFn) -> beam.PTransform:
    return beam.ParDo(fn).with_outputs(_CHANGES, main="rows")


def _elements(outcome: Outcome) -> Iterable[object]:
    for dataset, frame in (
        ("plays", outcome.plays),
        ("ad_events", outcome.ad_events),
        ("interests", outcome.interests),
    ):
        if frame.height:
            yield Rows(dataset, frame)
    if outcome.health.height:
        yield TaggedOutput(_CHANGES, (ONE_KEY, Change(outcome.delta, outcome.health)))


_indexes: dict[tuple[str, int], tuple[bytes, Shard]] = {}
"""Indexes of this process by stage and shard, each with the version it is in step with."""
_indexes_lock = threading.Lock()


class _BeamStorage:
    """Kept rows in a bag of Beam's state."""

    def __init__(self, bag: Any) -> None:
        self._bag = bag

    def append(self, kept: pl.DataFrame) -> None:
        self._bag.add(kept)

    def replace(self, kept: pl.DataFrame) -> None:
        self._bag.clear()
        self._bag.add(kept)

    def read(self) -> pl.DataFrame:
        frames = list(self._bag.read())
        return pl.concat(frames) if frames else KEPT.to_frame()


@typehints.with_input_types(tuple[int, Events])
class _HistoryFn(DoFn):
    """The shell of a stream."""

    KEPT_ROWS = BagStateSpec("kept", FrameCoder())
    MARK = ReadModifyWriteStateSpec("mark", BytesCoder())
    """The version (8 random bytes) and `History.pruning` (two int64)."""

    def __init__(self, references: Opens[References], places: Opens[Places], stage: str) -> None:
        self._references = references
        self._places = places
        self._stage = stage
        self._rebuilds = Metrics.counter("history", "history_rebuilds")

    def process(
        self,
        element: tuple[int, Events],
        kept_rows: Any = beam.DoFn.StateParam(KEPT_ROWS),  # noqa: B008
        mark: Any = beam.DoFn.StateParam(MARK),  # noqa: B008
    ) -> Iterable[object]:
        number, events = element
        seen = mark.read()
        version, pruning = _unpack(seen)
        with _indexes_lock:
            held, shard = _indexes.pop((self._stage, number), (b"", None))
        if held != version:
            shard = None
            self._rebuilds.inc()
        history = History(
            _BeamStorage(kept_rows),
            opened(self._references),
            opened(self._places),
            pruning=pruning,
            shard=shard,
        )
        outcome = history.process(*events.frames())
        version = secrets.token_bytes(8)
        mark.write(_pack(version, history.pruning))
        with _indexes_lock:
            _indexes[(self._stage, number)] = (version, history.shard)
        return _elements(outcome)


def _pack(version: bytes, pruning: Pruning | None) -> bytes:
    return version + (b"" if pruning is None else struct.pack("<qq", *pruning))


def _unpack(mark: bytes | None) -> tuple[bytes | None, Pruning | None]:
    if mark is None:
        return None, None
    return mark[:8], Pruning(*struct.unpack("<qq", mark[8:])) if len(mark) > 8 else None


@typehints.with_input_types(tuple[int, Iterable[Events]])
class _WholeShardFn(DoFn):
    """The shell of a bounded run."""

    def __init__(self, references: Opens[References], places: Opens[Places]) -> None:
        self._references = references
        self._places = places

    def process(self, element: tuple[int, Iterable[Events]]) -> Iterable[object]:
        history = History(MemoryStorage(), opened(self._references), opened(self._places))
        profiled = []
        for plays, ad_events in in_order(list(element[1])):
            outcome = history.process(plays, ad_events)
            identities = outcome.kept["identity"].filter(outcome.kept["track_id"].is_not_null())
            profiled.append(outcome.plays.select(PROFILED).with_columns(identities))
            yield from _elements(outcome)
        yield Rows("profiles", profiles(_once(pl.concat(profiled))))


def _once(plays: pl.DataFrame) -> pl.DataFrame:
    """Without plays that were accepted again, beyond the horizon."""
    oldest, newest = plays.select(
        oldest=pl.col("published_at").min(), newest=pl.col("published_at").max()
    ).row(0)
    if plays.is_empty() or newest - oldest <= DEDUP_HORIZON:
        return plays
    return plays.unique(["customer_id", "identity"], keep="first", maintain_order=True)
