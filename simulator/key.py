"""The answer key's folder: Parquet files that grow as the run goes, and a summary."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq


@dataclass(eq=False)
class Key:
    """Writes NAME.parquet for each dataset, a row group a frame; without a folder, nothing.

    `plays.parquet` holds one row for each accepted line; where a copy came back beyond the dedup
    horizon there are two, and the stores keep the first.
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
            text = json.dumps(summary, indent=2, ensure_ascii=False)
            (self.folder / "summary.json").write_text(text + "\n", encoding="utf-8")
