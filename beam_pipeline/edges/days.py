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

    def read(self, dataset: str, first: date, last: date) -> pl.DataFrame:
        """The rows of these days, one an identity; none where there is no file."""
        if dataset == "profiles":
            names = [f"{first + timedelta(days=n)}.parquet" for n in range((last - first).days + 1)]
            files = _existing(self.profiles / "profiles" / name for name in names)
            return pl.read_parquet(files) if files else INPUTS[dataset].to_frame()
        files = _existing(folder / f"{dataset}.parquet" for folder in self.inputs)
        if not files:
            return INPUTS[dataset].to_frame()
        rows = pl.scan_parquet(files)
        if dataset == "plays":
            rows = rows.sort("joined", "published_at", descending=[True, False])
        if dataset != "targets":
            rows = rows.unique(["customer_id", "event_id"], keep="first", maintain_order=True)
        return rows.filter(_between(_MOMENT[dataset], first, last)).collect()


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


def _existing(files: Iterable[Path]) -> list[Path]:
    return [file for file in files if file.exists()]


def _between(column: str, first: date, last: date) -> pl.Expr:
    start, end = (datetime.combine(day, time(), UTC) for day in (first, last + timedelta(days=1)))
    return pl.col(column).is_between(start, end, closed="left")
