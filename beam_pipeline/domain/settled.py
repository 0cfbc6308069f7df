"""Sums of buckets that have left the ring: kept sparsely, for a delta that comes very late.

A shard may lag behind the others by more than the ring holds, as when a quiet site's backlog of
days fits into one frame. What left the ring is therefore remembered as rows, up to a budget.
"""

from __future__ import annotations

import polars as pl

from beam_pipeline.domain.deltas import NO_DELTA, summed

MOST_ROWS = 1_000_000
"""Remembered rows, about 100 bytes each; beyond that the older half is forgotten."""


class Settled:
    """DELTA rows by bucket."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []
        self._rows = 0
        self._oldest: int | None = None
        """Buckets before this one are forgotten."""

    def append(self, rows: pl.DataFrame) -> None:
        """Remember DELTA rows."""
        if rows.is_empty():
            return
        self._parts.append(rows)
        self._rows += rows.height
        if self._rows > MOST_ROWS:
            merged = summed(self.rows()).sort("bucket")
            kept = merged.tail(MOST_ROWS // 2)
            if kept.height < merged.height:
                self._oldest = int(kept["bucket"][0]) + 1
                kept = kept.filter(pl.col("bucket") >= self._oldest)
            self._parts, self._rows = [kept], kept.height

    def rows(self) -> pl.DataFrame:
        """Everything that is remembered."""
        return pl.concat([NO_DELTA, *self._parts])

    def knows(self, bucket: int) -> bool:
        """Whether everything that was ever said of a bucket is still remembered."""
        return self._oldest is None or bucket >= self._oldest
