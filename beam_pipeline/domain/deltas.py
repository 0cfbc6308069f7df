"""What a batch of plays adds to the counts of listening, by dimension, value and bucket."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain.compiled import (
    BYTES,
    INT,
    INTS,
    OUT_IDS32,
    OUT_INTS,
    OUT_TABLE,
    compiled,
)
from beam_pipeline.domain.index import Index
from beam_pipeline.domain.rows import taken
from beam_pipeline.domain.schemas import AGE_BANDS, GENDERS, LEVELS, UNKNOWN
from beam_pipeline.domain.windows import SLIDING_BUCKETS, Entered

DIMENSIONS = ("all", "device", "gender", "age_band", "level", "state", "artist", "track")
"""By the code that a delta carries."""

CODED = {
    "all": ("all",),
    "device": ("pc", "mobile"),
    "gender": (*GENDERS, UNKNOWN),
    "age_band": (*AGE_BANDS, UNKNOWN),
    "level": (*LEVELS, UNKNOWN),
}
"""The keys of the dimensions whose value is a place in a short list."""

LABELLED = ("state", "artist")
"""The dimensions whose value is the hash of their key, so the key goes along as `label`."""

SLIDING = tuple(f"sliding_{step}" for step in range(SLIDING_BUCKETS))

DELTA = pl.Schema(
    {
        "dimension": pl.UInt8(),
        "value": pl.Int64(),
        "label": pl.String(),
        "bucket": pl.Int64(),
        "plays": pl.Int64(),
        "listeners": pl.Int64(),
        **dict.fromkeys(SLIDING, pl.Int64()),
    }
)
"""`value` identifies the key within its dimension (CODED: its place; LABELLED: its hash; track:
the track_id); `bucket` is floor(played_at / 5 min); `sliding_k` adds to the listeners of the
30-minute window that ends k buckets after the end of `bucket`."""
NO_DELTA = DELTA.to_frame()
"""A DELTA that adds nothing."""

_NO_LABEL = pl.Series([None], dtype=pl.String)

_FEW = 64
_MOST_SCRATCH = 1 << 24
"""Cells that scratch memory may have; where there are more, those that occur are numbered."""


def summed(delta: pl.DataFrame) -> pl.DataFrame:
    """The same DELTA with one row for each dimension, value and bucket."""
    if delta.is_empty():
        return delta
    dimension, value, bucket = (
        delta[name].to_numpy().astype(np.int64) for name in ("dimension", "value", "bucket")
    )
    cells = Index(columns=2)
    cell = cells.add(bucket * len(DIMENSIONS) + dimension, value)
    if len(cells) == len(cell):
        return delta
    row = np.empty(len(cells), np.int64)
    row[cell] = np.arange(len(cell))
    sums = [
        pl.Series(name, np.bincount(cell, delta[name].to_numpy(), len(cells)).astype(np.int64))
        for name in ("plays", "listeners", *SLIDING)
    ]
    rows = taken(delta[["dimension", "value", "label", "bucket"]], row)
    return rows.hstack(sums)


class Facet(NamedTuple):
    """One dimension of a batch of plays."""

    dimension: str
    code: NDArray[np.int64]
    """int64 [n], small numbers for the values of the plays."""
    codes: int
    """All codes are below it."""
    entered: Entered
    value: NDArray[np.int64] | None = None
    """int64 [n], where the value is not the code."""
    label: pl.Series | None = None
    """String [n], for LABELLED."""


class Tally:
    """Sums plays by cell. One object serves a shard for long: its scratch memory is kept."""

    def __init__(self) -> None:
        self._scratch = np.zeros(0, np.int32)

    def deltas(self, bucket: NDArray[np.int64], facets: list[Facet]) -> pl.DataFrame:
        """DELTA of a batch of plays: their buckets, int64 [n], and their dimensions."""
        low, high = int(bucket.min()), int(bucket.max())
        if high - low < _FEW:
            rank, buckets = bucket - low, high - low + 1
        else:
            distinct, rank = np.unique(bucket, return_inverse=True)
            buckets = len(distinct)
        room = len(facets) * len(bucket)
        cells, first = np.empty(room, np.int64), np.empty(room, np.int64)
        sums = np.empty((2 + SLIDING_BUCKETS, room), np.int64)
        ends = [0]
        for facet in facets:
            cell, most = facet.code * buckets + rank, facet.codes * buckets
            if most > _MOST_SCRATCH:
                distinct, cell = np.unique(cell, return_inverse=True)
                most = len(distinct)
            scratch = self._reserve(most)
            ends.append(_add(cell, facet.entered, scratch, cells, first, sums, ends[-1]))
        return _frame(bucket, facets, [first[a:b] for a, b in pairwise(ends)], sums[:, : ends[-1]])

    def _reserve(self, cells: int) -> NDArray[np.int32]:
        """Scratch memory with a place for each cell."""
        if len(self._scratch) < cells:
            self._scratch = np.zeros(2 * cells, np.int32)
        return self._scratch


def _frame(
    bucket: NDArray[np.int64],
    facets: list[Facet],
    first: list[NDArray[np.int64]],
    sums: NDArray[np.int64],
) -> pl.DataFrame:
    """DELTA of the cells of each facet, of which `first` has a row each, and their sums."""
    dimension = np.repeat(
        np.array([DIMENSIONS.index(facet.dimension) for facet in facets], np.uint8),
        [len(rows) for rows in first],
    )
    value = np.concatenate(
        [
            (facet.code if facet.value is None else facet.value)[rows]
            for facet, rows in zip(facets, first, strict=True)
        ]
    )
    columns = (dimension, value, _labels(facets, first), bucket[np.concatenate(first)], *sums)
    return pl.DataFrame(
        [pl.Series(name, column) for name, column in zip(DELTA, columns, strict=True)]
    )


def _labels(facets: list[Facet], first: list[NDArray[np.int64]]) -> pl.Series:
    """The labels of the rows of all facets, null where a facet has none."""
    parts, bare = [], 0
    for facet, rows in zip(facets, first, strict=True):
        if facet.label is None:
            bare += len(rows)
        else:
            named = facet.label[rows]
            named = named.fill_null(UNKNOWN) if named.null_count() else named
            parts += [_NO_LABEL.new_from_index(0, bare), named]
            bare = 0
    return pl.concat([*parts, _NO_LABEL.new_from_index(0, bare)])


@compiled(INT, INTS, BYTES, OUT_IDS32, OUT_INTS, OUT_INTS, OUT_TABLE, INT)
def _add(
    cell: NDArray[np.int64],
    entered: Entered,
    scratch: NDArray[np.int32],
    cells: NDArray[np.int64],
    first: NDArray[np.int64],
    sums: NDArray[np.int64],
    start: int,
) -> int:
    """Sum plays by cell, from column `start` of `sums` on; the column after the last.

    Of each column, `cells` has the cell and `first` a row. `scratch` tells where a cell's column
    is, if that column exists and is of the cell: so nothing has to be cleared.
    """
    end = start
    for row in range(len(cell)):
        column = scratch[cell[row]]
        if column < start or column >= end or cells[column] != cell[row]:
            column = end
            scratch[cell[row]] = column
            cells[column], first[column] = cell[row], row
            for counter in range(len(sums)):
                sums[counter, column] = 0
            end += 1
        sums[0, column] += 1
        if entered[row]:
            sums[1, column] += 1
            for step in range(len(sums) - 2):
                sums[2 + step, column] += entered[row] >> step & 1
    return end
