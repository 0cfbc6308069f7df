"""Datasets as Parquet files: what a bounded run leaves in its output folder.

Workers write parts into a staging folder; `finish` makes one file a dataset of them, sorted and
merged, and moves it into place when all of it is there.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from beam_pipeline.domain.schemas import DATASETS
from beam_pipeline.edges.sinks import no_dead_letters

_SORT = {
    "plays": ("published_at", "customer_id", "event_id"),
    "interests": ("customer_id", "track_id"),
    "listening": ("window_end", "window_start", "dimension", "key"),
    "ad_events": ("published_at", "customer_id", "event_id"),
    "profiles": ("customer_id", "day"),
    "targets": ("customer_id", "offer"),
    "messages": ("message_id", "at"),
    "dead_letters": ("received_at", "id"),
    "health": ("minute",),
}


@dataclass(frozen=True, slots=True)
class ParquetConfig:
    """Opens the staging folder of a bounded run."""

    staging: Path

    def open(self) -> ParquetSink:
        """The sink; the folder is there already."""
        return ParquetSink(self.staging)


class ParquetSink:
    """Writes each frame as a part of its own."""

    name = "parquet"
    datasets = frozenset(DATASETS)
    patience_s = 0.0

    def __init__(self, staging: Path) -> None:
        self._staging = staging

    def write(self, dataset: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Add a part; nothing is ever refused."""
        part = self._staging / f"{dataset}.{secrets.token_hex(8)}.part"
        frame.select(list(DATASETS[dataset])).write_parquet(part, compression="lz4")
        return no_dead_letters()

    def close(self) -> None:
        """Nothing is held."""


def finish(output: Path, staging: Path) -> None:
    """Make `output`/DATASET.parquet of the parts in `staging`, for every dataset.

    A dataset without parts gives a file without rows. The output folder appears, whole, by a
    rename; until then nothing is there.
    """
    whole = staging / "whole"
    whole.mkdir()
    for dataset, schema in DATASETS.items():
        parts = sorted(staging.glob(f"{dataset}.*.part"))
        rows = pl.scan_parquet(parts) if parts else pl.LazyFrame(schema=schema)
        _merged(dataset, rows).sort(_SORT[dataset]).select(list(schema)).cast(schema).sink_parquet(
            whole / f"{dataset}.parquet", compression="zstd"
        )
    if output.exists():
        output.rmdir()
    os.replace(whole, output)


def _merged(dataset: str, rows: pl.LazyFrame) -> pl.LazyFrame:
    if dataset == "interests":
        return rows.group_by("customer_id", "track_id").agg(
            pl.col("title", "artist").drop_nulls().first(),
            pl.col("since").min(),
            pl.col("latest").max(),
            pl.col("peak").max(),
        )
    if dataset == "plays":
        return _identity(rows)
    return _identity(rows) if dataset == "ad_events" else rows


def _identity(rows: pl.LazyFrame) -> pl.LazyFrame:
    """One row for each event, as every store holds it: the first published."""
    return rows.sort("published_at").unique(
        ["customer_id", "event_id"], keep="first", maintain_order=True
    )
