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

from beam_pipeline.domain.index import Column, Firsts

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


_NO_REPEATS = Repeats(*(np.empty(0, np.int64) for _ in range(4)))


class PlayChains:
    """The plays of each (customer, track), chained from the newest arrival to the oldest.

    A node also keeps the latest played_at of itself and everything behind it, so a walk ends as
    soon as nothing further back can lie in the window: the work of a call does not grow with the
    length of the history.
    """

    def __init__(self) -> None:
        self._firsts = Firsts()
        self._head = Column(_NONE)
        self._count = Column(0)
        self._played = Column(0)
        self._previous = Column(_NONE)
        self._latest_behind = Column(_LONG_AGO)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, pair: NDArray[np.int64], size: int, played_ms: NDArray[np.int64]) -> None:
        """Append plays without looking for repeats, as when a history is rebuilt."""
        self._append(pair, size, played_ms)

    def find(self, pair: NDArray[np.int64], size: int, played_ms: NDArray[np.int64]) -> Repeats:
        """Append plays and give the repeats that they are part of.

        Args:
            pair: int64 [n], the number of each play's (customer, track).
            size: all numbers are below it.
            played_ms: int64 [n], ms since the epoch.
        """
        self._append(pair, size, played_ms)
        rows = np.flatnonzero(self._count.values[pair] >= REPEATS)
        if not len(rows):
            return _NO_REPEATS
        rows = rows[np.lexsort((played_ms[rows], pair[rows]))]
        firsts = rows[np.concatenate(([True], pair[rows][1:] != pair[rows][:-1]))]
        earliest = played_ms[firsts]
        group, times = self._walk(pair[firsts], earliest - REPEAT_WINDOW_MS)
        return _qualifying(group, times, earliest, firsts)

    def _append(self, pair: NDArray[np.int64], size: int, played_ms: NDArray[np.int64]) -> None:
        """Chain the plays: all firsts of their pairs in one step, then all seconds, …"""
        total = self._size + len(pair)
        head, count = self._head.reserve(size), self._count.reserve(size)
        played, previous = self._played.reserve(total), self._previous.reserve(total)
        latest = self._latest_behind.reserve(total)
        played[self._size : total] = played_ms
        pending = np.arange(len(pair))
        while len(pending):
            leads = self._firsts.of(pair[pending], size)
            turn, pending = pending[leads], pending[~leads]
            chain, node = pair[turn], turn + self._size
            behind = head[chain]
            previous[node] = behind
            reach = np.where(behind == _NONE, _LONG_AGO, latest[behind])
            latest[node] = np.maximum(reach, played[node])
            head[chain] = node
            count[chain] += 1
        self._size = total

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
        return _NO_REPEATS
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
