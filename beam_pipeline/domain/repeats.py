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

from beam_pipeline.domain.index import Column, PairIndex

REPEAT_WINDOW = timedelta(minutes=30)
REPEAT_WINDOW_MS = REPEAT_WINDOW // timedelta(milliseconds=1)
REPEATS = 3

_NONE = -1
_LONG_AGO = np.iinfo(np.int64).min // 2


class Repeats(NamedTuple):
    """What qualifies around the plays of one call, a row a (customer, track)."""

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
        self._pairs = PairIndex()
        self._head = Column(_NONE)
        self._count = Column(0)
        self._played = Column(0)
        self._previous = Column(_NONE)
        self._latest_behind = Column(_LONG_AGO)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(
        self,
        customer_id: NDArray[np.int64],
        track_id: NDArray[np.int64],
        played_ms: NDArray[np.int64],
    ) -> None:
        """Append plays (int64 [n] each) without looking for repeats: when a history is rebuilt."""
        self._append(customer_id, track_id, played_ms)

    def find(
        self,
        customer_id: NDArray[np.int64],
        track_id: NDArray[np.int64],
        played_ms: NDArray[np.int64],
    ) -> Repeats:
        """Append plays (int64 [n] each, played_ms in ms) and give the repeats they are part of."""
        order, pairs, starts = self._append(customer_id, track_id, played_ms)
        if not len(order):
            return Repeats(*(np.empty(0, np.int64) for _ in range(4)))
        first_rows, touched = order[starts], pairs[starts]
        earliest = np.minimum.reduceat(played_ms[order], starts)
        enough = self._count.values[touched] >= REPEATS
        first_rows, touched, earliest = first_rows[enough], touched[enough], earliest[enough]
        pair, times = self._walk(touched, earliest - REPEAT_WINDOW_MS)
        return _qualifying(pair, times, earliest, first_rows)

    def _append(
        self,
        customer_id: NDArray[np.int64],
        track_id: NDArray[np.int64],
        played_ms: NDArray[np.int64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Chain the plays; give the rows ordered by pair, their pairs, where each pair starts."""
        n = len(played_ms)
        numbers = self._pairs.add(customer_id, track_id)
        order = np.argsort(numbers, kind="stable")
        pairs = numbers[order]
        if not n:
            return order, pairs, order
        opens = np.concatenate(([True], pairs[1:] != pairs[:-1]))
        starts = np.flatnonzero(opens)
        last = np.append(starts[1:], n) - 1
        nodes = np.arange(self._size, self._size + n)
        head = self._head.reserve(len(self._pairs))
        previous = self._previous.reserve(self._size + n)
        latest = self._latest_behind.reserve(self._size + n)
        behind = head[pairs[starts]]
        previous[nodes] = nodes - 1
        previous[nodes[starts]] = behind
        played = played_ms[order]
        self._played.reserve(self._size + n)[nodes] = played
        reach = played.copy()
        reach[starts] = np.maximum(
            reach[starts], np.where(behind == _NONE, _LONG_AGO, latest[behind])
        )
        latest[nodes] = _running_maximum(reach, np.cumsum(opens) - 1)
        head[pairs[last]] = nodes[last]
        self._count.reserve(len(self._pairs))[pairs[starts]] += last - starts + 1
        self._size += n
        return order, pairs, starts

    def _walk(
        self, touched: NDArray[np.int64], not_before: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Every play of the pairs with played_at >= not_before, and perhaps some earlier ones.

        Returns:
            For each play, the position of its pair in `touched`, and its played_at in ms.
        """
        pair, node = np.arange(len(touched)), self._head.values[touched]
        pairs, times = [pair[:0]], [node[:0]]
        while len(node):
            pairs.append(pair)
            times.append(self._played.values[node])
            node = self._previous.values[node]
            on = (node != _NONE) & (self._latest_behind.values[node] >= not_before[pair])
            pair, node = pair[on], node[on]
        return np.concatenate(pairs), np.concatenate(times)


def _running_maximum(values: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """The cumulative maximum of int64 values within each run of equal `group` (0, 0, 1, 1, …)."""
    result = values.copy()
    step, n = 1, len(values)
    while step < n:
        same = group[step:] == group[:-step]
        if not same.any():
            break
        shifted = np.where(same, result[:-step], _LONG_AGO)
        result[step:] = np.maximum(result[step:], shifted)
        step *= 2
    return result


def _qualifying(
    pair: NDArray[np.int64],
    times: NDArray[np.int64],
    earliest: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> Repeats:
    order = np.lexsort((times, pair))
    pair, times = pair[order], times[order]
    first = _rank_of(pair, times, times - REPEAT_WINDOW_MS, "left")
    behind = _rank_of(pair, times, times, "right")
    held = behind - first
    good = (held >= REPEATS) & (times >= earliest[pair])
    pair, times, held = pair[good], times[good], held[good]
    if not len(pair):
        return Repeats(*(np.empty(0, np.int64) for _ in range(4)))
    starts = np.flatnonzero(np.concatenate(([True], pair[1:] != pair[:-1])))
    ends = np.append(starts[1:], len(pair)) - 1
    return Repeats(
        row=rows[pair[starts]],
        since_ms=times[starts],
        latest_ms=times[ends],
        peak=np.maximum.reduceat(held, starts),
    )


def _rank_of(
    pair: NDArray[np.int64], times: NDArray[np.int64], wanted: NDArray[np.int64], side: str
) -> NDArray[np.int64]:
    """Where each (pair, wanted) would stand among the sorted (pair, times)."""
    distinct, rank = np.unique(np.concatenate((times, wanted)), return_inverse=True)
    width = len(distinct) + 1
    keys = pair * width + rank[: len(times)]
    return np.searchsorted(keys, pair * width + rank[len(times) :], side=side)  # type: ignore[call-overload]
