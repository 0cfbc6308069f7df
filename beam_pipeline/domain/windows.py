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

from beam_pipeline.domain.index import Firsts

BUCKET_MS = 5 * 60 * 1000
SLIDING_BUCKETS = 6
"""A sliding window is six buckets long."""

_OWN, _HALO = 48, 8
_ONE = np.uint64(1)
_SIX = np.uint64((1 << SLIDING_BUCKETS) - 1)


class Halo(NamedTuple):
    """The plays whose bucket also stands in the mask of a block beside their own."""

    row: NDArray[np.int64]
    """int64 [m], in rising order."""
    block: NDArray[np.int64]
    """int64 [m], the place of the block beside, in `Moments.blocks`."""
    bit: NDArray[np.uint64]
    """uint64 [m], the bucket's bit there."""


class Moments(NamedTuple):
    """Where the plays of a call lie in the masks; the same for everything that is counted."""

    blocks: list[int]
    """Every block that is touched."""
    block: NDArray[np.int64]
    """int64 [n], the place of each play's own block in `blocks`."""
    place: NDArray[np.uint64]
    """uint64 [n], the place of the play's bucket in its own block's mask."""
    bit: NDArray[np.uint64]
    """uint64 [n], the bit of that place."""
    halos: tuple[Halo, ...]

    @classmethod
    def of(cls, bucket: NDArray[np.int64]) -> Moments:
        """The moments of buckets floor(played_at / 5 min), int64 [n]."""
        block = bucket // _OWN
        place = (bucket - block * _OWN + _HALO).view(np.uint64)
        bit = _ONE << place
        sides = (
            (np.flatnonzero(place < 2 * _HALO), -1, _to_the_left),
            (np.flatnonzero(place >= _OWN), 1, _to_the_right),
        )
        beside = [(rows, block[rows] + step, moved) for rows, step, moved in sides if len(rows)]
        blocks = _distinct([block, *(blocks for _, blocks, _ in beside)])
        known = np.array(blocks, np.int64)
        halos = [
            Halo(rows, np.searchsorted(known, there), moved(bit[rows]))
            for rows, there, moved in beside
        ]
        return cls(blocks, np.searchsorted(known, block), place, bit, tuple(halos))


def _distinct(parts: list[NDArray[np.int64]]) -> list[int]:
    """The numbers that occur, in rising order."""
    found: set[int] = set()
    for part in parts:
        if len(part):
            low, high = int(part.min()), int(part.max())
            found |= {low, high} if high - low < 2 else set(np.unique(part).tolist())
    return sorted(found)


class Entered(NamedTuple):
    """The plays that were the first of their customer in a bucket, for one thing counted."""

    row: NDArray[np.int64]
    """int64 [m], which play of the call."""
    sliding: NDArray[np.int64]
    """int64 [m], six bits: bit k is set where the play is the customer's first in the 30-minute
    window that ends k buckets after the play's own bucket."""


class Heard:
    """The masks of one thing counted: of numbered (customer, value) pairs."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self._masks = np.zeros((2, 1 << 12), np.uint64)
        self._firsts = Firsts()

    def enter(self, pair: NDArray[np.int64], size: int, moments: Moments) -> Entered:
        """Mark where pairs were heard, and say what was heard of them for the first time.

        Args:
            pair: int64 [n], the number of each play's (customer, value).
            size: all numbers are below it.
            moments: of the same plays.
        """
        start = self._starts(moments.blocks, size)
        masks = self._masks.reshape(-1)
        own = start[moments.block] + pair
        held = masks.take(own)
        pending = np.flatnonzero((held & moments.bit) == 0)
        found, sliding = [], []
        while len(pending):
            leads = self._firsts.of(pair.take(pending), size)
            turn, pending = pending[leads], pending[~leads]
            place, bit = own.take(turn), moments.bit.take(turn)
            before = masks.take(place)
            after = before | bit
            masks[place] = after
            for halo in moments.halos:
                _mark_beside(masks, halo, start, pair, turn)
            new = _windows(after) & ~_windows(before)
            found.append(turn)
            sliding.append((new >> moments.place.take(turn)) & _SIX)
            pending = pending[(masks.take(own.take(pending)) & moments.bit.take(pending)) == 0]
        if len(found) == 1:
            return Entered(found[0], sliding[0].view(np.int64))
        return Entered(
            np.concatenate([np.empty(0, np.int64), *found]),
            np.concatenate([np.empty(0, np.uint64), *sliding]).view(np.int64),
        )

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


def _mark_beside(
    masks: NDArray[np.uint64],
    halo: Halo,
    start: NDArray[np.int64],
    pair: NDArray[np.int64],
    turn: NDArray[np.int64],
) -> None:
    """Mark the plays of a turn, no two of one pair, in the masks of the blocks beside theirs."""
    row, block, bit = halo
    if len(row) < len(pair):
        at = np.minimum(np.searchsorted(row, turn), len(row) - 1)
        at = at[row.take(at) == turn]
    else:
        at = turn
    masks[start[block.take(at)] + pair.take(row.take(at))] |= bit.take(at)


def _to_the_left(bit: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bucket's bit in the mask of the block before its own."""
    return bit << np.uint64(_OWN)


def _to_the_right(bit: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bucket's bit in the mask of the block after its own."""
    return bit >> np.uint64(_OWN)


def _windows(mask: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Bit e: whether one of the six buckets e - 5 to e is marked, so window e was entered."""
    two = mask | (mask << _ONE)
    return two | (two << np.uint64(2)) | (two << np.uint64(4))
