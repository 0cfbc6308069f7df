"""The answer key's folder: Parquet files that grow as the run goes, and a summary.

    plays, ad_events       what the stores hold, one row an identity
    interests, listening   since, latest and peak; plays and distinct listeners of every window
    profiles, health       a row a customer and day of publication; a row a minute of it
    duplicates             each copy within the horizon, with the publication of the first
    rejects                each refused line: `reason` as given, `expected` by our own reading, and
                           the name of its flaw
    asked, offers          each showing with its true propensity; each decision with its effect
    summary.json           the counts, and the truth about offers: laws, Bayes error, uplift

The columns are those of the data dictionary wherever it has them. In a file, a line that cannot be
read has no publication of its own: `health` and `rejects` say when it was meant to be published.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

REPETITIVE = frozenset({
    "zip", "state", "location", "title", "artist", "gender", "age_band", "level", "campaign",
    "dimension", "key", "kind", "reason", "expected", "flaw", "ad", "action",
})  # fmt: skip
COUNTS = ("plays", "morning", "afternoon", "evening", "night", "mobile", "distinct_tracks")


@dataclass(eq=False)
class Key:
    """Writes NAME.parquet for each dataset, a row group a frame; without a folder, nothing.

    `plays` and `ad_events` hold one row an identity, as the stores do: a copy that is accepted
    again beyond the dedup horizon adds none (the summary's `again` counts them).
    """

    folder: Path | None
    _open: dict[str, pq.ParquetWriter] = field(default_factory=dict)

    def write(self, dataset: str, frame: pl.DataFrame) -> None:
        """Append a frame; the first one, even if empty, fixes the columns."""
        if self.folder is None or (dataset in self._open and not frame.height):
            return
        table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
        if dataset not in self._open:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._open[dataset] = pq.ParquetWriter(
                self.folder / f"{dataset}.parquet", table.schema, compression="snappy"
            )  # fmt: skip
        if frame.height:
            self._open[dataset].write_table(table)

    def close(self, summary: dict[str, Any]) -> None:
        """Finish the files and write summary.json."""
        for writer in self._open.values():
            writer.close()
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            if "plays" in self._open:
                write_profiles(self.folder)
            text = json.dumps(summary, indent=2, ensure_ascii=False)
            (self.folder / "summary.json").write_text(text + "\n", encoding="utf-8")


def write_profiles(folder: Path) -> None:
    """profiles.parquet from plays.parquet: one row a customer and day of publication (UTC)."""
    plays = pl.scan_parquet(folder / "plays.parquet")
    day = pl.col("published_at").dt.date()
    hour = pl.col("local_hour")
    days = plays.select(day.unique().sort()).collect(engine="streaming").to_series()
    profiles = [
        plays.filter(day == one)
        .group_by("customer_id")
        .agg(
            day=pl.lit(one).first(),
            plays=pl.len(),
            morning=hour.is_between(5, 11).sum(),
            afternoon=hour.is_between(12, 16).sum(),
            evening=hour.is_between(17, 21).sum(),
            night=((hour >= 22) | (hour < 5)).sum(),
            mobile=pl.col("is_mobile").sum(),
            distinct_tracks=pl.col("track_id").n_unique(),
        )
        .collect(engine="streaming")
        .cast({name: pl.Int32() for name in COUNTS})
        for one in days
    ]
    if profiles:
        pl.concat(profiles).sort("day", "customer_id").write_parquet(folder / "profiles.parquet")
