"""A store in memory, and a TestStream of messages: what tests hand in to `build`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import apache_beam as beam
import polars as pl
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.testing.test_stream import TestStream

from beam_pipeline.domain.references import Places, References
from beam_pipeline.domain.schemas import DATASETS, DEAD_LETTERS
from beam_pipeline.pipeline import Destination, build
from tests.domain.harness import KnownReferences, block_of, places_of
from tests.oracle import Message, Reference

_numbers = itertools.count(1)
_frames: dict[int, list[tuple[str, pl.DataFrame]]] = {}


@dataclass(frozen=True)
class Shelf:
    """Opens a store that keeps every frame it is given, as often as it is given it."""

    number: int = field(default_factory=lambda: next(_numbers))

    def open(self) -> ShelfStore:
        """The store of this number in this process."""
        return ShelfStore(self.number)

    def rows(self, dataset: str) -> pl.DataFrame:
        """All rows of a dataset, one below the other."""
        kept = [frame for name, frame in _frames.get(self.number, []) if name == dataset]
        return pl.concat([DATASETS[dataset].to_frame(), *kept])

    def writes(self, dataset: str) -> int:
        """How many frames of a dataset were written."""
        return sum(name == dataset for name, _ in _frames.get(self.number, []))


class ShelfStore:
    """A sink that refuses nothing."""

    name = "shelf"
    datasets = frozenset(DATASETS)
    patience_s = 0.0

    def __init__(self, number: int) -> None:
        self._number = number

    def write(self, dataset: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Keep the frame, whose columns must be the dataset's."""
        assert frame.schema == DATASETS[dataset], (dataset, frame.schema)
        _frames.setdefault(self._number, []).append((dataset, frame))
        return DEAD_LETTERS.to_frame()


@dataclass(frozen=True)
class Known:
    """Opens the oracle's reference data; equal only to itself."""

    reference: Reference

    def __hash__(self) -> int:
        return id(self.reference)

    def open(self) -> References:
        """What the join asks."""
        return KnownReferences(self.reference)


@dataclass(frozen=True)
class KnownPlaces:
    """Opens the oracle's places."""

    reference: Reference

    def __hash__(self) -> int:
        return id(self.reference)

    def open(self) -> Places:
        """What the join asks."""
        return places_of(self.reference)


def stream(bundles: Sequence[Sequence[Message]]) -> TestStream:
    """Messages bundle by bundle, three seconds of processing time apart."""
    events = TestStream()
    for messages in bundles:
        events = events.add_elements(
            [block_of(message, f"m{next(_numbers)}") for message in messages]
        )
        events = events.advance_processing_time(4)
    return events.advance_watermark_to_infinity()


def run_stream(bundles: Sequence[Sequence[Message]], reference: Reference, **options: Any) -> Shelf:
    """Run the pipeline over a TestStream on the DirectRunner; give what was written."""
    shelf = Shelf()
    with beam.Pipeline(runner="BundleBasedDirectRunner", options=_streaming()) as pipeline:
        _assemble(pipeline | "Messages" >> stream(bundles), reference, shelf, **options)
    return shelf


def run_bounded(messages: Sequence[Message], reference: Reference, **options: Any) -> Shelf:
    """Run the pipeline over a collection that ends; give what was written."""
    shelf = Shelf()
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        blocks = pipeline | "Messages" >> beam.Create(
            [block_of(message, f"m{next(_numbers)}") for message in messages]
        )
        _assemble(blocks, reference, shelf, **options)
    return shelf


def _assemble(blocks: Any, reference: Reference, shelf: Shelf, **options: Any) -> None:
    build(
        blocks,
        Known(reference),
        KnownPlaces(reference),
        [Destination(shelf)],
        **options,
    )


def _streaming() -> PipelineOptions:
    options = PipelineOptions([])
    options.view_as(StandardOptions).streaming = True
    return options
