"""Which windows a play newly enters: exact distinct listeners without a set in the shuffle.

Windows are fixed ones of 5 minutes and 30-minute ones every 5 minutes, [start, end) on the UTC
epoch. For each customer and each thing counted, a 64-bit mask remembers the 5-minute buckets in
which the customer was heard. Shards are split by customer, so what one shard says of a window
simply adds to what the others say.

A mask covers 48 buckets (4 hours, a block) of its own and 8 on either side, so one mask answers
for every window that a bucket of its own touches, whatever the order in which plays arrive.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from beam_pipeline.domain.compiled import INTS, OUT_BYTES, OUT_WORDS, VOID, WORD, compiled

BUCKET_MS = 5 * 60 * 1000
SLIDING_BUCKETS = 6
"""A sliding window is six buckets long."""

FIRST = 1 << SLIDING_BUCKETS
"""In what `Heard.enter` tells: the play is its customer's first in its own bucket."""

_OWN, _HALO = 48, 8
_ONE, _TWO, _FOUR, _AWAY = (np.uint64(bits) for bits in (1, 2, 4, _OWN))
_FEW = 64

Entered = NDArray[np.uint8]
"""uint8 [n], for one thing counted: bit k < 6 is set where the play is the customer's first in the
30-minute window that ends k buckets after the play's own bucket, and bit 6, FIRST, where it is
the first in its bucket. 0 if it is not."""


class Moments(NamedTuple):
    """Where the plays of a call lie in the masks; the same for everything that is counted."""

    blocks: list[int]
    """Every block that is touched, in rising order, and those beside where a play is near them."""
    block: NDArray[np.int64]
    """int64 [n], the place of each play's own block in `blocks`."""
    place: NDArray[np.int64]
    """int64 [n], the place of the play's bucket in its own block's mask."""

    @classmethod
    def of(cls, bucket: NDArray[np.int64]) -> Moments:
        """The moments of buckets floor(played_at / 5 min), int64 [n]."""
        if not len(bucket):
            return cls([], bucket, bucket)
        block = bucket // _OWN
        low, high = ((int(end) // _OWN) for end in (bucket.min() - _HALO, bucket.max() + _HALO))
        place = bucket - block * _OWN + _HALO
        if high - low < _FEW:
            return cls(list(range(low, high + 1)), block - low, place)
        near = [block, (bucket - _HALO) // _OWN, (bucket + _HALO) // _OWN]
        blocks = np.unique(np.concatenate(near))
        return cls(blocks.tolist(), np.searchsorted(blocks, block), place)


class Heard:
    """The masks of one thing counted: of numbered (customer, value) pairs."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self._masks = np.zeros((2, 1 << 12), np.uint64)

    def enter(self, pair: NDArray[np.int64], size: int, moments: Moments) -> Entered:
        """Mark where pairs were heard, and say what was heard of them for the first time.

        Args:
            pair: int64 [n], the number of each play's (customer, value).
            size: all numbers are below it.
            moments: of the same plays.
        """
        start = self._starts(moments.blocks, size)
        entered = np.empty(len(pair), np.uint8)
        _enter(self._masks.reshape(-1), start, pair, moments.block, moments.place, entered)
        return entered

    def _starts(self, blocks: list[int], size: int) -> NDArray[np.int64]:
        """Where the masks of each of these blocks begin; there is room for `size` pairs."""
        for block in blocks:
            self._slots.setdefault(block, len(self._slots))
        rows, width = self._masks.shape
        if len(self._slots) > rows or size > width:
            grown = np.zeros(
                (
                    rows if len(self._slots) <= rows else 2 * len(self._slots),
                    width if size <= width else max(size, 2 * width),
                ),
                np.uint64,
            )
            grown[:rows, :width] = self._masks
            self._masks = grown
        return np.array([self._slots[block] * self._masks.shape[1] for block in blocks], np.int64)


@compiled(WORD, WORD)
def _windows(mask: np.uint64) -> np.uint64:
    """Bit e: whether one of the six buckets e - 5 to e is marked, so window e was entered."""
    two = mask | (mask << _ONE)
    return two | (two << _TWO) | (two << _FOUR)


@compiled(VOID, OUT_WORDS, INTS, INTS, INTS, INTS, OUT_BYTES)
def _enter(
    masks: NDArray[np.uint64],
    start: NDArray[np.int64],
    pair: NDArray[np.int64],
    block: NDArray[np.int64],
    place: NDArray[np.int64],
    entered: Entered,
) -> None:
    """Mark each play in the mask of its block, and of a block beside that it is near."""
    for row in range(len(pair)):
        own, at = start[block[row]] + pair[row], np.uint64(place[row])
        before, bit = masks[own], _ONE << at
        if before & bit:
            entered[row] = 0
            continue
        masks[own] = before | bit
        if place[row] < 2 * _HALO:
            masks[start[block[row] - 1] + pair[row]] |= bit << _AWAY
        elif place[row] >= _OWN:
            masks[start[block[row] + 1] + pair[row]] |= bit >> _AWAY
        new = _windows(before | bit) & ~_windows(before)
        entered[row] = ((new >> at) & np.uint64(FIRST - 1)) | np.uint64(FIRST)
