"""The repeat rule: a track that a customer plays at least three times within thirty minutes.

A play at t qualifies when the closed interval [t - 30 min, t] holds at least three distinct
plays of that track by that customer, t included. Which plays qualify does not depend on the
order in which they arrive: a late play completes triples in the past.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from beam_pipeline.domain.compiled import INT, INTS, OUT_INTS, OUT_TABLE, VOID, compiled
from beam_pipeline.domain.index import Column

REPEAT_WINDOW = timedelta(minutes=30)
REPEAT_WINDOW_MS = REPEAT_WINDOW // timedelta(milliseconds=1)
REPEATS = 3

_NONE = -1
_LONG_AGO = np.iinfo(np.int64).min // 2


class Repeats(NamedTuple):
    """What qualifies around the plays of one call, a row a (customer, track); int64 [m] each."""

    row: NDArray[np.int64]
    """A row of the call that belongs to the pair."""
    since_ms: NDArray[np.int64]
    latest_ms: NDArray[np.int64]
    peak: NDArray[np.int64]


class PlayChains:
    """The plays of each (customer, track), chained from the newest arrival to the oldest.

    A node also keeps the latest played_at of itself and everything behind it, so a walk ends as
    soon as nothing further back can lie in the window: the work of a call does not grow with the
    length of the history.
    """

    def __init__(self) -> None:
        self._head = Column(_NONE)
        self._count = Column(0)
        self._looked = Column(0)
        """Plays there were when the pair was looked at last."""
        self._played = Column(0)
        self._previous = Column(_NONE)
        self._latest_behind = Column(_LONG_AGO)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, pair: NDArray[np.int64], size: int, played_ms: NDArray[np.int64]) -> None:
        """Append plays.

        Args:
            pair: int64 [n], the number of each play's (customer, track).
            size: all numbers are below it.
            played_ms: int64 [n], ms since the epoch.
        """
        total = self._size + len(pair)
        _append(
            pair,
            played_ms,
            self._size,
            self._head.reserve(size),
            self._count.reserve(size),
            self._played.reserve(total),
            self._previous.reserve(total),
            self._latest_behind.reserve(total),
        )
        self._size = total

    def find(self, pair: NDArray[np.int64], size: int, played_ms: NDArray[np.int64]) -> Repeats:
        """Append plays, as `add` does, and give the repeats that they are part of."""
        before = self._size
        self.add(pair, size, played_ms)
        found = np.empty((4, len(pair)), np.int64)
        many = _find(
            pair,
            before,
            self._head.values,
            self._count.values,
            self._looked.reserve(size),
            self._played.values,
            self._previous.values,
            self._latest_behind.values,
            found,
        )
        return Repeats(*found[:, :many])


@compiled(VOID, INTS, INTS, INT, OUT_INTS, OUT_INTS, OUT_INTS, OUT_INTS, OUT_INTS)
def _append(
    pair: NDArray[np.int64],
    played_ms: NDArray[np.int64],
    size: int,
    head: NDArray[np.int64],
    count: NDArray[np.int64],
    played: NDArray[np.int64],
    previous: NDArray[np.int64],
    latest_behind: NDArray[np.int64],
) -> None:
    """Chain each play to what its pair has; the first gets node `size`."""
    for row in range(len(pair)):
        node, chain = size + row, pair[row]
        behind = head[chain]
        latest = played_ms[row]
        if behind != _NONE and latest_behind[behind] > latest:
            latest = latest_behind[behind]
        played[node] = played_ms[row]
        previous[node] = behind
        latest_behind[node] = latest
        head[chain] = node
        count[chain] += 1


@compiled(INT, INT, INT, INTS, INTS, INTS, OUT_INTS)
def _in_reach(
    newest: int,
    not_before: int,
    played: NDArray[np.int64],
    previous: NDArray[np.int64],
    latest_behind: NDArray[np.int64],
    times: NDArray[np.int64],
) -> int:
    """Put a chain's plays into `times`, but for some before `not_before`; how many they are."""
    many, node = 0, newest
    while node != _NONE and latest_behind[node] >= not_before:
        times[many] = played[node]
        many += 1
        node = previous[node]
    return many


@compiled(INT, INTS, INT, INTS, INTS, OUT_INTS, INTS, INTS, INTS, OUT_TABLE)
def _find(
    pair: NDArray[np.int64],
    before: int,
    head: NDArray[np.int64],
    count: NDArray[np.int64],
    looked: NDArray[np.int64],
    played: NDArray[np.int64],
    previous: NDArray[np.int64],
    latest_behind: NDArray[np.int64],
    found: NDArray[np.int64],
) -> int:
    """Look at each pair that got plays after node `before`; how many columns of `found` are set.

    A column of `found` is a row of `Repeats`.
    """
    many = 0
    for row in range(len(pair)):
        chain = pair[row]
        if count[chain] < REPEATS or looked[chain] == count[chain]:
            continue
        looked[chain] = count[chain]
        node = head[chain]
        earliest = played[node]
        while node >= before:
            earliest = min(earliest, played[node])
            node = previous[node]
        times = np.empty(count[chain], np.int64)
        held = _in_reach(
            head[chain], earliest - REPEAT_WINDOW_MS, played, previous, latest_behind, times
        )
        times = times[:held]
        times.sort()
        first, behind, peak = 0, 0, 0
        for place in range(held):
            while times[first] < times[place] - REPEAT_WINDOW_MS:
                first += 1
            while behind < held and times[behind] <= times[place]:
                behind += 1
            if times[place] < earliest or behind - first < REPEATS:
                continue
            if peak == 0:
                found[0, many], found[1, many] = row, times[place]
            found[2, many] = times[place]
            peak = max(peak, behind - first)
        if peak:
            found[3, many] = peak
            many += 1
    return many
