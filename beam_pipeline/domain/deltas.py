"""What a batch of plays adds to the counts of listening, by dimension, value and bucket."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain.hashing import hash_strings
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


class Facet(NamedTuple):
    """One dimension of a batch of plays."""

    dimension: str
    value: NDArray[np.int64]
    """int64 [n]."""
    scope: int
    """The `scope` of Heard.enter in which this dimension's listeners are counted."""
    label: pl.Series | None = None
    """String [n], for LABELLED."""


class Labels:
    """Stable values for texts: each distinct text is hashed once, then looked up by its code."""

    def __init__(self) -> None:
        self._dtype = pl.Categorical(pl.Categories.random())
        self._anchor = pl.Series([], dtype=self._dtype)
        """Codes stay what they are only while some series of the type lives."""
        self._value = np.zeros(0, np.int64)
        self._known = np.zeros(0, np.bool_)

    def values(self, texts: pl.Series) -> NDArray[np.int64]:
        """The hash of each text (null: of `unknown`), int64 [n]."""
        coded = texts.fill_null(UNKNOWN).cast(self._dtype)
        codes = coded.to_physical().to_numpy().astype(np.int64)
        if len(codes) and int(codes.max()) >= len(self._known):
            size = 2 * int(codes.max()) + 64
            self._value = np.concatenate((self._value, np.zeros(size - len(self._value), np.int64)))
            self._known = np.concatenate((self._known, np.zeros(size - len(self._known), np.bool_)))
        if not self._known[codes].all():
            fresh = ~self._known[codes]
            hashes = hash_strings(coded.filter(pl.Series(fresh)).cast(pl.String))
            self._value[codes[fresh]] = hashes.view(np.int64)
            self._known[codes[fresh]] = True
        return self._value[codes]


def deltas(bucket: NDArray[np.int64], facets: list[Facet], entered: Entered) -> pl.DataFrame:
    """DELTA of a batch of plays.

    Args:
        bucket: int64 [n].
        facets: the dimensions.
        entered: what `Heard.enter` said of these plays.
    """
    distinct, bucket_rank = np.unique(bucket, return_inverse=True)
    parts = []
    for facet in facets:
        mine = entered.scope == facet.scope
        parts.append(
            _facet_deltas(facet, distinct, bucket_rank, entered.row[mine], entered.sliding[:, mine])
        )
    return pl.concat(parts) if parts else pl.DataFrame(schema=DELTA)


def _facet_deltas(
    facet: Facet,
    buckets: NDArray[np.int64],
    bucket_rank: NDArray[np.int64],
    rows: NDArray[np.int64],
    sliding: NDArray[np.int64],
) -> pl.DataFrame:
    value_rank = np.unique(facet.value, return_inverse=True)[1]
    cells, first, cell = np.unique(
        value_rank * max(len(buckets), 1) + bucket_rank, return_index=True, return_inverse=True
    )
    k = len(cells)
    columns: dict[str, object] = {
        "dimension": np.full(k, DIMENSIONS.index(facet.dimension), np.uint8),
        "value": facet.value[first],
        "label": _labels(facet, first),
        "bucket": buckets[bucket_rank[first]],
        "plays": np.bincount(cell, minlength=k),
        "listeners": np.bincount(cell[rows], minlength=k),
    }
    for step, name in enumerate(SLIDING):
        new = rows[sliding[step].astype(np.bool_)]
        columns[name] = np.bincount(cell[new], minlength=k)
    return pl.DataFrame(columns, schema=DELTA)


def _labels(facet: Facet, rows: NDArray[np.int64]) -> pl.Series:
    if facet.label is None:
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(rows))
    return facet.label.gather(rows).fill_null(UNKNOWN)
