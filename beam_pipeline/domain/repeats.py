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

from beam_pipeline.domain.compiled import INT, INTS, OUT_INTS, OUT_TABLE, compiled

REPEAT_WINDOW = timedelta(minutes=30)
REPEAT_WINDOW_MS = REPEAT_WINDOW // timedelta(milliseconds=1)
REPEATS = 3

_HEAD, _COUNT, _LOOKED = range(3)
"""Of a chain: its newest node; its plays, now and when it was looked at last."""
_PLAYED, _BEHIND, _LATEST = range(3)
"""Of a node: its played_at, the node behind it, the latest played_at of itself and all behind."""
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
    length of the history. Behind the oldest play of every chain is node 0, of long ago.
    """

    def __init__(self) -> None:
        self._chains = np.zeros((1 << 12, 3), np.int64)
        self._nodes = np.zeros((1 << 12, 3), np.int64)
        self._nodes[0, [_PLAYED, _LATEST]] = _LONG_AGO
        self._size = 1

    def __len__(self) -> int:
        return self._size - 1

    def add(self, pair: NDArray[np.int64], size: int, played_ms: NDArray[np.int64]) -> None:
        """Append plays.

        Args:
            pair: int64 [n], the number of each play's (customer, track).
            size: all numbers are below it.
            played_ms: int64 [n], ms since the epoch.
        """
        self._chains = _with_room(self._chains, size)
        self._nodes = _with_room(self._nodes, self._size + len(pair))
        self._size = _append(pair, played_ms, self._size, self._chains, self._nodes)

    def find(self, pair: NDArray[np.int64], size: int, played_ms: NDArray[np.int64]) -> Repeats:
        """Append plays, as `add` does, and give the repeats that they are part of."""
        before = self._size
        self.add(pair, size, played_ms)
        found = np.empty((4, len(pair)), np.int64)
        many = _find(pair, before, self._chains, self._nodes, found)
        return Repeats(*found[:, :many])


def _with_room(table: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """A table of at least so many rows that begins with this one."""
    if size <= len(table):
        return table
    grown = np.zeros((max(size, 2 * len(table)), table.shape[1]), np.int64)
    grown[: len(table)] = table
    return grown


@compiled(INT, INTS, INTS, INT, OUT_TABLE, OUT_TABLE)
def _append(
    pair: NDArray[np.int64],
    played_ms: NDArray[np.int64],
    size: int,
    chains: NDArray[np.int64],
    nodes: NDArray[np.int64],
) -> int:
    """Chain each play to what its pair has; the first gets node `size`; the size afterwards."""
    for row in range(len(pair)):
        node, chain = size + row, pair[row]
        behind = chains[chain, _HEAD]
        nodes[node, _PLAYED] = played_ms[row]
        nodes[node, _BEHIND] = behind
        nodes[node, _LATEST] = max(played_ms[row], nodes[behind, _LATEST])
        chains[chain, _HEAD] = node
        chains[chain, _COUNT] += 1
    return size + len(pair)


@compiled(INT, INT, INT, OUT_TABLE, OUT_INTS)
def _in_reach(
    newest: int, not_before: int, nodes: NDArray[np.int64], times: NDArray[np.int64]
) -> int:
    """Put a chain's plays into `times`, but for some before `not_before`; how many they are."""
    many, node = 0, newest
    while nodes[node, _LATEST] >= not_before:
        times[many] = nodes[node, _PLAYED]
        many += 1
        node = nodes[node, _BEHIND]
    return many


@compiled(INT, INTS, INT, OUT_TABLE, OUT_TABLE, OUT_TABLE)
def _find(
    pair: NDArray[np.int64],
    before: int,
    chains: NDArray[np.int64],
    nodes: NDArray[np.int64],
    found: NDArray[np.int64],
) -> int:
    """Look at each pair that got plays from node `before` on; how many columns `found` has now.

    A column of `found` is a row of `Repeats`.
    """
    many = 0
    for row in range(len(pair)):
        chain = pair[row]
        count = chains[chain, _COUNT]
        if count < REPEATS or chains[chain, _LOOKED] == count:
            continue
        chains[chain, _LOOKED] = count
        newest = chains[chain, _HEAD]
        node, earliest = newest, nodes[newest, _PLAYED]
        while node >= before:
            earliest = min(earliest, nodes[node, _PLAYED])
            node = nodes[node, _BEHIND]
        times = np.empty(count, np.int64)
        held = _in_reach(newest, earliest - REPEAT_WINDOW_MS, nodes, times)
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
