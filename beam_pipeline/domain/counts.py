"""The counts of listening and of data health: sums kept per cell, changes given absolutely.

A cell is (dimension, key, 5-minute bucket). Deltas of all shards add up in any order; what has
changed since the last time comes out as whole rows, so writing a row twice, or an older one
after a newer one, can do no harm where the store keeps the larger.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain import health
from beam_pipeline.domain.compiled import (
    INT,
    INTS,
    OUT_BYTES,
    OUT_IDS32,
    VOID,
    compiled,
    tuple_of,
)
from beam_pipeline.domain.deltas import CODED, DELTA, DIMENSIONS, SLIDING
from beam_pipeline.domain.index import Index
from beam_pipeline.domain.readers import Reader
from beam_pipeline.domain.schemas import TIMESTAMP, no_rows
from beam_pipeline.domain.settled import Settled
from beam_pipeline.domain.windows import BUCKET_MS, SLIDING_BUCKETS

RING = 128
"""Buckets that are kept: 10 h 40 min, which is more than the horizon, the latest play and the
skew together."""

_STRIDE = 16
"""Buckets of one delta that are added together; a longer delta is taken from its oldest end."""

_SLIDING_MS = SLIDING_BUCKETS * BUCKET_MS


_DIMENSION_NAMES = pl.Series(DIMENSIONS)
_CODED_TEXTS = pl.Series([*(key for keys in CODED.values() for key in keys), None])
_FIRST_CODED = np.cumsum([0, *(len(CODED.get(name, ())) for name in DIMENSIONS[:-1])])
_FIRST_CODED[[name not in CODED for name in DIMENSIONS]] = -1
"""Where the keys of a dimension begin among all that are coded; -1 where they are not."""

_DIRTY = np.uint8(255)
"""A bit for each reader that there may be."""


class _Ring:
    """One number a cell, for the newest RING buckets: a row a bucket, a column a key.

    Deltas are of few buckets, so what they touch lies together.
    """

    def __init__(self, dtype: type) -> None:
        self.cells: NDArray = np.zeros((RING, 1 << 10), dtype)

    def reserve(self, size: int) -> None:
        width = self.cells.shape[1]
        if size > width:
            grown = np.zeros((RING, max(size, 2 * width)), self.cells.dtype)
            grown[:, :width] = self.cells
            self.cells = grown


class Counts:
    """The sums. `add` deltas, take what `changed`; `snapshot` is their smallest equal delta."""

    def __init__(self) -> None:
        self._keys = Index(columns=2)
        """Dimension and value."""
        self._labels = [pl.Series([], dtype=pl.String)]
        """The labels of the keys, in pieces."""
        self._plays, self._listeners, self._sliding = (_Ring(np.int32) for _ in range(3))
        self._dirty, self._dirty_sliding = (_Ring(np.uint8) for _ in range(2))
        self._newest: int | None = None
        self._settled = Settled()
        self.too_late = 0
        """Plays of buckets of which too much is forgotten: their rows say too little, and a store
        that keeps the larger row passes over them."""
        self._minutes = health.Minutes()

    def add(self, delta: pl.DataFrame) -> pl.DataFrame:
        """Add a DELTA; give the changed rows that became final by it, as their buckets leave.

        Returns:
            LISTENING, usually empty.
        """
        if delta.is_empty():
            return no_rows("listening")
        bucket = delta["bucket"].to_numpy()
        if bucket.max() - bucket.min() < _STRIDE:
            return self._add(delta, bucket)
        stride = (bucket - bucket.min()) // _STRIDE
        parts = [
            self._add(delta.filter(pl.Series(stride == step)), bucket[stride == step])
            for step in np.unique(stride)
        ]
        return pl.concat(parts)

    def _add(self, delta: pl.DataFrame, bucket: NDArray[np.int64]) -> pl.DataFrame:
        leaving = self._advance(int(bucket.max()) + SLIDING_BUCKETS - 1)
        assert self._newest is not None
        oldest = self._newest - RING + 1
        late = bucket < oldest + SLIDING_BUCKETS
        if not late.any():
            self._add_to_ring(delta, bucket)
            return leaving
        rows = self._sum_apart(delta.filter(pl.Series(late)))
        held = bucket >= oldest
        self._settled.append(delta.filter(pl.Series(~held)))
        self._add_to_ring(delta.filter(pl.Series(held)), bucket[held])
        incomplete = np.arange(oldest, oldest + SLIDING_BUCKETS) % RING
        self._dirty.cells[incomplete] = 0
        self._dirty_sliding.cells[incomplete] = 0
        return pl.concat([leaving, rows])

    def _add_to_ring(self, delta: pl.DataFrame, bucket: NDArray[np.int64]) -> None:
        if delta.is_empty():
            return
        key = self._number(delta)
        for ring in self._rings():
            ring.reserve(len(self._keys))
        width = self._plays.cells.shape[1]
        plays, listeners, *sliding = (
            delta[name].to_numpy() for name in ("plays", "listeners", *SLIDING)
        )
        _add(
            bucket,
            key,
            width,
            plays,
            listeners,
            tuple(sliding),
            *(ring.cells.reshape(-1) for ring in self._rings()),
        )

    def _sum_apart(self, delta: pl.DataFrame) -> pl.DataFrame:
        """The rows that a late DELTA changes: of windows that begin before the ring does.

        What is remembered of the buckets around is summed up anew, in a ring of their own.
        """
        bucket = delta["bucket"]
        first, last = int(bucket.min()), int(bucket.max())  # type: ignore[arg-type]
        reach = pl.col("bucket").is_between(first - SLIDING_BUCKETS, last + SLIDING_BUCKETS)
        keys = delta.select("dimension", "value").unique()
        around = self._everything().filter(reach).join(keys, on=["dimension", "value"], how="semi")
        apart = Counts()
        apart.add(around)
        apart.changed(Reader.LIVE)
        apart.add(delta)
        every = delta.filter(pl.col("dimension") == DIMENSIONS.index("all"))
        for old, plays in every.select("bucket", "plays").iter_rows():
            self.too_late += 0 if self._settled.knows(old) else plays
        return apart.changed(Reader.LIVE)[0]

    def add_health(self, delta: pl.DataFrame) -> None:
        """Add a HEALTH frame."""
        self._minutes.add(delta)

    def changed(self, reader: Reader) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The LISTENING and HEALTH rows that changed since this reader's last call, absolute."""
        listening = self._listening(np.arange(RING), reader)
        return listening, self._minutes.changed(reader)

    def snapshot(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """A DELTA and a HEALTH frame that sum up everything that is kept."""
        return self._everything(), self._minutes.rows

    def _everything(self) -> pl.DataFrame:
        return pl.concat([self._settled.rows(), self._held(np.arange(RING))])

    def _held(self, columns: NDArray[np.int64]) -> pl.DataFrame:
        """DELTA of some of the ring's columns."""
        held = (self._plays.cells[columns] != 0) | (self._listeners.cells[columns] != 0)
        places, rows = np.nonzero(held | (self._sliding.cells[columns] != 0))
        column = columns[places]
        return pl.DataFrame(
            {
                "dimension": self._keys.keys[rows],
                "value": self._keys.seconds[rows],
                "label": self._label(rows),
                "bucket": self._bucket_of(column),
                "plays": self._plays.cells[column, rows],
                "listeners": self._listeners.cells[column, rows],
                SLIDING[0]: self._sliding.cells[column, rows],
                **dict.fromkeys(SLIDING[1:], np.zeros(len(rows), np.int64)),
            },
        ).cast(DELTA)

    def _label(self, rows: NDArray[np.int64]) -> pl.Series:
        """The label of each row's key, null but for LABELLED."""
        if len(self._labels) > 1:
            self._labels = [pl.concat(self._labels, rechunk=True)]
        return self._labels[0][rows]

    def _rings(self) -> tuple[_Ring, ...]:
        return (
            self._plays,
            self._listeners,
            self._sliding,
            self._dirty,
            self._dirty_sliding,
        )

    def _number(self, delta: pl.DataFrame) -> NDArray[np.int64]:
        dimension, value = delta["dimension"].to_numpy(), delta["value"].to_numpy()
        before = len(self._keys)
        key = self._keys.add(dimension.astype(np.int64), value)
        if len(self._keys) > before:
            fresh = np.flatnonzero(key >= before)
            row = np.zeros(len(self._keys) - before, np.int64)
            row[key[fresh] - before] = fresh
            self._labels.append(delta["label"][row])
        return key

    def _advance(self, newest: int) -> pl.DataFrame:
        """Make room for buckets up to `newest`."""
        if self._newest is None:
            self._newest = newest
        steps = newest - self._newest
        if steps <= 0:
            return no_rows("listening")
        oldest = self._newest - RING + 1
        final = np.arange(oldest, min(newest - RING + SLIDING_BUCKETS, self._newest) + 1)
        rows = self._listening(final % RING, *Reader)
        leaving = final[final <= newest - RING] % RING
        self._settled.append(self._held(leaving))
        self._newest = newest
        for ring in self._rings():
            ring.cells[leaving] = 0
        self._compact()
        return rows

    def _compact(self) -> None:
        """Forget the keys of which nothing is kept any more, once they are the larger part."""
        size = len(self._keys)
        if size < 4096:
            return
        used = (self._plays.cells[:, :size] != 0).any(axis=0)
        used |= (self._sliding.cells[:, :size] != 0).any(axis=0)
        if 2 * int(used.sum()) > size:
            return
        kept = np.flatnonzero(used)
        self._labels = [self._label(kept)]
        held, self._keys = self._keys, Index(columns=2)
        self._keys.add(held.keys[kept], held.seconds[kept])
        for ring in self._rings():
            ring.cells = np.ascontiguousarray(ring.cells[:, kept])

    def _listening(self, columns: NDArray[np.int64], *readers: Reader) -> pl.DataFrame:
        """The changed rows of some of the ring's columns; they count as unchanged afterwards."""
        parts, mask = [], np.uint8(sum(readers))
        for dirty, sliding in ((self._dirty, False), (self._dirty_sliding, True)):
            for column in columns:
                row = np.flatnonzero(dirty.cells[column] & mask)
                if len(row):
                    dirty.cells[column, row] &= ~mask
                    parts.append(self._rows(row, int(column), sliding=sliding))
        return pl.concat(parts) if parts else no_rows("listening")

    def _rows(self, row: NDArray[np.int64], column: int, *, sliding: bool) -> pl.DataFrame:
        """LISTENING of some keys in one bucket, or in the sliding window that ends with it."""
        plays = self._plays.cells
        if sliding:
            counted = plays[column].take(row).astype(np.int64)
            for step in range(1, SLIDING_BUCKETS):
                counted += plays[(column - step) % RING].take(row)
            listeners, length = self._sliding.cells[column].take(row), _SLIDING_MS
        else:
            counted = plays[column].take(row).astype(np.int64)
            listeners, length = self._listeners.cells[column].take(row), BUCKET_MS
        there = counted > 0
        if not there.all():
            row, counted, listeners = row[there], counted[there], listeners[there]
        end = (int(self._bucket_of(np.array([column]))[0]) + 1) * BUCKET_MS
        ends = pl.Series("", [end - length, end], pl.Int64).cast(TIMESTAMP)
        return pl.DataFrame(
            [
                ends[:1].new_from_index(0, len(row)).alias("window_start"),
                ends[1:].new_from_index(0, len(row)).alias("window_end"),
                _DIMENSION_NAMES[self._keys.keys[row]].alias("dimension"),
                _texts(self._keys.keys[row], self._keys.seconds[row], self._label(row)),
                pl.Series("plays", counted),
                pl.Series("listeners", listeners.astype(np.int64)),
            ]
        )

    def _bucket_of(self, column: NDArray[np.int64]) -> NDArray[np.int64]:
        assert self._newest is not None or not len(column)
        newest = self._newest or 0
        return newest - (newest - column) % RING


def _texts(dimension: NDArray[np.int64], value: NDArray[np.int64], label: pl.Series) -> pl.Series:
    """The `key` of each cell as it stands in LISTENING."""
    first = _FIRST_CODED[dimension]
    coded = _CODED_TEXTS[np.where(first < 0, len(_CODED_TEXTS) - 1, first + value)]
    numbers = pl.Series(value).cast(pl.String)
    known = coded.zip_with(coded.is_not_null(), numbers)
    return label.zip_with(label.is_not_null(), known).alias("key")


@compiled(
    VOID,
    *(INTS, INTS, INT, INTS, INTS, tuple_of(INTS, SLIDING_BUCKETS)),
    *(OUT_IDS32, OUT_IDS32, OUT_IDS32, OUT_BYTES, OUT_BYTES),
)
def _add(
    bucket: NDArray[np.int64],
    key: NDArray[np.int64],
    width: int,
    plays: NDArray[np.int64],
    listeners: NDArray[np.int64],
    sliding: tuple[NDArray[np.int64], ...],
    all_plays: NDArray[np.int32],
    all_listeners: NDArray[np.int32],
    all_sliding: NDArray[np.int32],
    dirty: NDArray[np.uint8],
    dirty_sliding: NDArray[np.uint8],
) -> None:
    """Add the rows of a delta to the cells of the rings, of `width` keys, and mark these."""
    for row in range(len(key)):
        place = bucket[row] % RING * width + key[row]
        all_plays[place] += plays[row]
        all_listeners[place] += listeners[row]
        dirty[place] = _DIRTY
        for step in range(len(sliding)):
            ending = (bucket[row] + step) % RING * width + key[row]
            all_sliding[ending] += sliding[step][row]
            dirty_sliding[ending] = _DIRTY
