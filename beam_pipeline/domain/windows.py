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


class Moments(NamedTuple):
    """Where the plays of a call lie in the masks; the same for everything that is counted."""

    block: NDArray[np.int64]
    place: NDArray[np.int64]
    """int64 [n], the place of the play's bucket in its own block's mask."""
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    """Rows whose bucket also stands in the halo of the block before, and after."""

    @classmethod
    def of(cls, bucket: NDArray[np.int64]) -> Moments:
        """The moments of buckets floor(played_at / 5 min), int64 [n]."""
        block, place = np.divmod(bucket, _OWN)
        place += _HALO
        left, right = np.flatnonzero(place < 2 * _HALO), np.flatnonzero(place >= _OWN)
        return cls(block, place, left, right)


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
        slot = self._slot_of(moments, size)
        width = self._masks.shape[1]
        masks = self._masks.reshape(-1)
        bit = _ONE << moments.place.view(np.uint64)
        own = slot(moments.block) * width + pair
        halos = [
            (rows, slot(moments.block[rows] + step) * width + pair[rows], moved(bit[rows]))
            for rows, step, moved in (
                (moments.left, -1, _to_the_left),
                (moments.right, 1, _to_the_right),
            )
            if len(rows)
        ]
        found, sliding = [], []
        pending = np.flatnonzero((masks[own] & bit) == 0)
        while len(pending):
            leads = self._firsts.of(pair[pending], size)
            turn, pending = pending[leads], pending[~leads]
            before = masks[own[turn]]
            after = before | bit[turn]
            masks[own[turn]] = after
            if halos:
                in_turn = np.zeros(len(pair), np.bool_)
                in_turn[turn] = True
            for rows, place, marks in halos:
                masks[place[in_turn[rows]]] |= marks[in_turn[rows]]
            new = _windows(after) & ~_windows(before)
            found.append(turn)
            sliding.append((new >> moments.place[turn].view(np.uint64)) & _SIX)
            pending = pending[(masks[own[pending]] & bit[pending]) == 0]
        if len(found) == 1:
            return Entered(found[0], sliding[0].view(np.int64))
        return Entered(
            np.concatenate([np.empty(0, np.int64), *found]),
            np.concatenate([np.empty(0, np.uint64), *sliding]).view(np.int64),
        )

    def _slot_of(self, moments: Moments, size: int) -> _SlotOf:
        """Room for every block that these plays touch, and for `size` pairs."""
        blocks = set(np.unique(moments.block).tolist())
        blocks |= set((np.unique(moments.block[moments.left]) - 1).tolist())
        blocks |= set((np.unique(moments.block[moments.right]) + 1).tolist())
        for block in sorted(blocks - self._slots.keys()):
            self._slots[block] = len(self._slots)
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
        return _SlotOf(self._slots, sorted(blocks))


class _SlotOf:
    """The slot of each block of a call."""

    def __init__(self, slots: dict[int, int], blocks: list[int]) -> None:
        self._blocks = np.array(blocks, np.int64)
        self._slots = np.array([slots[block] for block in blocks], np.int64)

    def __call__(self, block: NDArray[np.int64]) -> NDArray[np.int64]:
        if len(self._blocks) == 1:
            return np.full(len(block), self._slots[0])
        return self._slots[np.searchsorted(self._blocks, block)]


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
