"""Days of datasets in files: read from what bounded runs left, written a file a day.

OUTPUT/profiles/2026-03-14.parquet
OUTPUT/training_examples/2026-03-14.parquet
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl

from beam_pipeline.domain.daily import INPUTS

DAY_COLUMN = {"profiles": "day", "training_examples": "as_of", "skew_checks": "as_of"}
"""The column that a dataset is partitioned by."""

_MOMENT = {"plays": "published_at", "ad_events": "published_at", "targets": "decided_at"}
_SORT = {
    "profiles": ("customer_id",),
    "training_examples": ("shown_at", "customer_id", "shown_event_id"),
    "skew_checks": ("checked_at",),
}


@dataclass(frozen=True, slots=True)
class FolderHistory:
    """Closed days in files.

    Args:
        inputs: folders that bounded runs of the pipeline left (plays.parquet, ad_events.parquet,
            and targets.parquet where there is one).
        profiles: the folder where the daily run keeps its days.
    """

    inputs: tuple[Path, ...]
    profiles: Path

    def open(self) -> FolderHistory:
        """Itself: there is nothing to connect to."""
        return self

    def read(self, dataset: str, day: date) -> pl.DataFrame:
        """The rows of a day, one an identity; no columns where there is no file."""
        if dataset == "profiles":
            file = self.profiles / "profiles" / f"{day}.parquet"
            return pl.read_parquet(file) if file.exists() else INPUTS[dataset].to_frame()
        files = [folder / f"{dataset}.parquet" for folder in self.inputs]
        files = [file for file in files if file.exists()]
        if not files:
            return INPUTS[dataset].to_frame()
        rows = pl.scan_parquet(files)
        if dataset == "plays":
            rows = rows.sort("joined", "published_at", descending=[True, False])
        if dataset != "targets":
            rows = rows.unique(["customer_id", "event_id"], keep="first", maintain_order=True)
        return rows.filter(_on(_MOMENT[dataset], day)).collect()


@dataclass(frozen=True, slots=True)
class FolderLedger:
    """Whole days as files below a folder."""

    root: Path

    def open(self) -> FolderLedger:
        """Itself: there is nothing to connect to."""
        return self

    def replace(self, dataset: str, days: list[date], frames: Iterable[pl.DataFrame]) -> None:
        """Write a file for each day, each whole or not at all."""
        rows = pl.concat(frames).sort(_SORT[dataset])
        folder = self.root / dataset
        folder.mkdir(parents=True, exist_ok=True)
        for day in days:
            handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=folder)
            os.close(handle)
            rows.filter(pl.col(DAY_COLUMN[dataset]) == day).write_parquet(name)
            os.chmod(name, 0o644)
            os.replace(name, folder / f"{day}.parquet")


def _on(column: str, day: date) -> pl.Expr:
    midnight = datetime.combine(day, time(), UTC)
    return pl.col(column).is_between(midnight, midnight + timedelta(days=1), closed="left")
