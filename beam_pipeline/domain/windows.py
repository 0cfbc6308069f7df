"""Which windows a play newly enters: exact distinct listeners without a set in the shuffle.

Windows are fixed ones of 5 minutes and 30-minute ones every 5 minutes, [start, end) on the UTC
epoch. For each customer and each thing counted, a 64-bit mask remembers the 5-minute buckets in
which the customer was heard. Shards are split by customer, so what one shard says of a window
simply adds to what the others say.

A mask covers 48 buckets (4 hours) of its own and 8 on either side, so one mask answers for every
window that a bucket of its own touches, whatever the order in which plays arrive.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from beam_pipeline.domain.hashing import combine
from beam_pipeline.domain.index import Column, PairIndex

BUCKET_MS = 5 * 60 * 1000
SLIDING_BUCKETS = 6
"""A sliding window is six buckets long."""

_OWN, _HALO = 48, 8
_ONE = np.uint64(1)


class Entered(NamedTuple):
    """The plays that were the first of their customer in a bucket, for one thing counted."""

    scope: NDArray[np.int64]
    """int64 [m], which of the things counted."""
    row: NDArray[np.int64]
    """int64 [m], which play of the call."""
    sliding: NDArray[np.int64]
    """int64 [6, m]: 1 in row k where the play is the customer's first in the 30-minute window
    that ends k buckets after the play's own bucket."""


class Heard:
    """The masks of one shard."""

    def __init__(self) -> None:
        self._index = PairIndex()
        self._mask = Column(0)

    def __len__(self) -> int:
        return len(self._index)

    def enter(
        self,
        customer_id: NDArray[np.int64],
        bucket: NDArray[np.int64],
        scopes: list[NDArray[np.int64]],
    ) -> Entered:
        """Mark where customers were heard, and say what was heard of them for the first time.

        Args:
            customer_id: int64 [n].
            bucket: int64 [n], floor(played_at / 5 min).
            scopes: the things counted, each as its value by play, int64 [n]: a customer is a
                listener of a window once for each value.
        """
        plays, n = np.tile(np.arange(len(bucket)), len(scopes)), len(bucket)
        scope = np.repeat(np.arange(len(scopes)), n)
        value = np.concatenate(scopes)
        number, play_row, place = self._places(customer_id, bucket, scope, value, plays)
        masks = self._mask.reserve(len(self._index)).view(np.uint64)
        bits = _ONE << place.astype(np.uint64)
        own = (place >= _HALO) & (place < _HALO + _OWN)
        found: list[NDArray[np.int64]] = []
        sliding: list[NDArray[np.uint64]] = []
        pending = np.flatnonzero((masks[number] & bits) == 0)
        leader = np.empty(len(self._index), np.int64)
        while len(pending):
            leader[number[pending[::-1]]] = pending[::-1]
            leads = leader[number[pending]] == pending
            turn = pending[leads]
            before = masks[number[turn]]
            after = before | bits[turn]
            masks[number[turn]] = after
            mine = own[turn]
            found.append(turn[mine])
            sliding.append(
                (_windows(after[mine]) & ~_windows(before[mine]))
                >> place[turn[mine]].astype(np.uint64)
            )
            rest = pending[~leads]
            pending = rest[(masks[number[rest]] & bits[rest]) == 0]
        rows = np.concatenate([np.empty(0, np.int64), *found])
        entered = np.concatenate([np.empty(0, np.uint64), *sliding])
        steps = np.arange(SLIDING_BUCKETS, dtype=np.uint64)[:, None]
        origin = play_row[rows]
        return Entered(
            scope=origin // n if n else origin,
            row=origin % n if n else origin,
            sliding=((entered >> steps) & _ONE).astype(np.int64),
        )

    def _places(
        self,
        customer_id: NDArray[np.int64],
        bucket: NDArray[np.int64],
        scope: NDArray[np.int64],
        value: NDArray[np.int64],
        play: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Every mask that has to learn of a play: its number, the row, the bit's place in it.

        A bucket near the edge of its mask also stands in the halo of the neighbour. The rows come
        so that each mask sees the plays in their order.
        """
        block, place = np.divmod(bucket[play], _OWN)
        row = np.arange(len(play))
        place = place + _HALO
        if ((place < 2 * _HALO) | (place >= _OWN)).any():
            left, right = np.flatnonzero(place < 2 * _HALO), np.flatnonzero(place >= _OWN)
            row = np.concatenate((row, left, right))
            block = np.concatenate((block, block[left] - 1, block[right] + 1))
            place = np.concatenate((place, place[left] + _OWN, place[right] - _OWN))
            order = np.argsort(play[row], kind="stable")
            row, block, place = row[order], block[order], place[order]
        key = combine(scope[row], value[row], block).view(np.int64)
        return self._index.add(customer_id[play[row]], key), row, place


def _windows(mask: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Bit e: whether one of the six buckets e - 5 to e is marked, so window e was entered."""
    two = mask | (mask << _ONE)
    return two | (two << np.uint64(2)) | (two << np.uint64(4))
