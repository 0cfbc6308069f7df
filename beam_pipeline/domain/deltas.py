"""What a batch of plays adds to the counts of listening, by dimension, value and bucket."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain.hashing import hash_strings
from beam_pipeline.domain.index import Firsts
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

_BITS = np.arange(1 << SLIDING_BUCKETS)[:, None] >> np.arange(SLIDING_BUCKETS) & 1
_FIELD = 1 << 17
_LOW, _HIGH = (
    (_BITS[:, part] * [1.0, _FIELD, _FIELD**2]).sum(axis=1) for part in (slice(0, 3), slice(3, 6))
)
"""Six counters in two floats, 17 bits each: a sum over fewer than 2^17 rows stays exact."""

_NO_LABEL = pl.Series([None], dtype=pl.String)

_SPARSE = 50
"""Cells a row up to which scratch memory beats sorting."""


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


class Labels:
    """Numbers texts, and gives each a value that is the same in every process."""

    def __init__(self) -> None:
        self._dtype = pl.Categorical(pl.Categories.random())
        self._anchor = pl.Series([], dtype=self._dtype)
        """Codes stay what they are only while some series of the type lives."""
        self._value = np.zeros(0, np.int64)
        self._known = np.zeros(0, np.bool_)

    def __len__(self) -> int:
        """All codes so far are below it."""
        return len(self._known)

    def codes(self, texts: pl.Series) -> NDArray[np.int64]:
        """The number of each text, int64 [n]; null counts as `unknown`."""
        named = texts.fill_null(UNKNOWN) if texts.null_count() else texts
        coded = named.cast(self._dtype)
        codes = coded.to_physical().to_numpy().astype(np.int64)
        if len(codes) and int(codes.max()) >= len(self._known):
            more = int(codes.max()) + 64
            self._value = np.concatenate((self._value, np.zeros(more, np.int64)))
            self._known = np.concatenate((self._known, np.zeros(more, np.bool_)))
        if not self._known[codes].all():
            fresh = ~self._known[codes]
            hashes = hash_strings(coded.filter(pl.Series(fresh)).cast(pl.String))
            self._value[codes[fresh]] = hashes.view(np.int64)
            self._known[codes[fresh]] = True
        return codes

    def values(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The hash of the text of each code, int64 [n]."""
        return self._value[codes]


class Tally:
    """Sums plays by cell. One object serves a shard for long: its scratch memory is kept."""

    def __init__(self) -> None:
        self._firsts = Firsts()

    def deltas(self, bucket: NDArray[np.int64], facets: list[Facet]) -> pl.DataFrame:
        """DELTA of a batch of plays: their buckets, int64 [n], and their dimensions."""
        distinct, rank = np.unique(bucket, return_inverse=True)
        parts = [self._cells(facet, rank, len(distinct)) for facet in facets]
        columns = [
            np.concatenate(column) for column in zip(*(part[1:] for part in parts), strict=True)
        ]
        first = [part[0] for part in parts]
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
        label = _labels(facets, first)
        series = [
            pl.Series("dimension", dimension),
            pl.Series("value", value),
            label.alias("label"),
            pl.Series("bucket", bucket[np.concatenate(first)]),
        ]
        names = ("plays", "listeners", *SLIDING)
        series += [pl.Series(name, column) for name, column in zip(names, columns, strict=True)]
        return pl.DataFrame(series)

    def _cells(
        self, facet: Facet, rank: NDArray[np.int64], buckets: int
    ) -> tuple[NDArray[np.int64], ...]:
        """For each (value, bucket) that occurs: a row of it, plays, listeners, six windows."""
        first, cell = self._numbered(facet.code * buckets + rank, facet.codes * buckets)
        k, entered = len(first), facet.entered
        where = cell[entered.row]
        listeners = np.bincount(where, minlength=k)
        return first, np.bincount(cell, minlength=k), listeners, *_windows(where, entered, k)

    def _numbered(
        self, cell: NDArray[np.int64], cells: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """A row of each cell that occurs, and of each row the rank of its cell.

        On scratch memory of the size of all cells, where that is not much for so many rows.
        """
        if cells <= _SPARSE * len(cell) + 4096:
            return self._firsts.ranks(cell, cells)
        first, ranks = np.unique(cell, return_index=True, return_inverse=True)[1:]
        return first, ranks


def _windows(where: NDArray[np.int64], entered: Entered, k: int) -> list[NDArray[np.int64]]:
    """By cell, how many plays are the first of their customer in each of six sliding windows."""
    if len(where) >= _FIELD:
        return [
            np.bincount(where[(entered.sliding >> step & 1).astype(np.bool_)], minlength=k)
            for step in range(SLIDING_BUCKETS)
        ]
    sums = []
    for weights in (_LOW, _HIGH):
        packed = np.bincount(where, weights[entered.sliding], k).astype(np.int64)
        sums += [packed % _FIELD, packed // _FIELD % _FIELD, packed // _FIELD**2]
    return sums


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
