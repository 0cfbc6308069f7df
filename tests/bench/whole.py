"""The whole pipeline on a local runner: a file in, a sink that drops what it is given."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import apache_beam as beam
import polars as pl
from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline.domain.schemas import DATASETS, DEAD_LETTERS
from beam_pipeline.edges.files import InputFile, ReadFiles
from beam_pipeline.edges.lookups import FileReferences
from beam_pipeline.edges.places import ZipPlaces
from beam_pipeline.options import BOUNDED_RUNNER
from beam_pipeline.pipeline import Destination, build
from beam_pipeline.transforms.score import Targeting
from tests.bench.work import Work

ROWS: Counter[str] = Counter()
"""Rows that were given to the null sink of this process, by dataset."""


@dataclass(frozen=True)
class Nowhere:
    """Opens the sink that keeps nothing."""

    def open(self) -> NullSink:
        """The sink."""
        return NullSink()


class NullSink:
    """Counts rows."""

    name = "null"
    datasets = frozenset(DATASETS)
    patience_s = 0.0

    def write(self, dataset: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Refuse nothing."""
        ROWS[dataset] += frame.height
        return DEAD_LETTERS.to_frame()


def run(
    work: Work, runner: str = BOUNDED_RUNNER, targeting: Targeting | None = None
) -> dict[str, int]:
    """Run to the end; give the rows that came out, by dataset."""
    ROWS.clear()
    pipeline = beam.Pipeline(options=PipelineOptions([f"--runner={runner}"]))
    build(
        pipeline | "Read" >> ReadFiles([InputFile(str(work.file), "play")]),
        FileReferences(work.customers, work.tracks),
        ZipPlaces(),
        [Destination(Nowhere())],
        targeting=targeting,
    )
    pipeline.run().wait_until_finish()
    return dict(ROWS)
