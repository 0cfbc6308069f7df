"""A set of integer pairs that numbers its members: the one data structure behind the history."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from beam_pipeline.domain.hashing import mix

_EMPTY = -1
_K = np.uint64(0x9E3779B97F4A7C15)


class PairIndex:
    """Numbers distinct pairs of int64 in the order of their arrival, thousands at a time.

    Open addressing with linear probing, all probes of a batch in step: numpy does the work, so
    the cost of a batch does not depend on how many pairs there are already (but for the memory
    that is touched). At most half of the slots are taken.
    """

    def __init__(self, capacity: int = 1 << 12) -> None:
        self._slots = np.full(2 * capacity, _EMPTY, np.int64)
        self._first = np.empty(capacity, np.int64)
        self._second = np.empty(capacity, np.int64)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number of each pair; a pair that is new gets the next one.

        Numbers of new pairs are dense, from `len(self)` before the call upwards; equal pairs of
        one call get one number.
        """
        n = len(first)
        self._reserve(self._size + n)
        numbers = np.empty(n, np.int64)
        mask = len(self._slots) - 1
        place = (_scatter(first, second) & np.uint64(mask)).astype(np.int64)
        pending = np.arange(n)
        while len(pending):
            at = place[pending]
            found = self._slots[at]
            vacant = found == _EMPTY
            if vacant.any():
                found = self._claim(pending, at, vacant, first, second, found)
            same = (self._first[found] == first[pending]) & (self._second[found] == second[pending])
            numbers[pending[same]] = found[same]
            pending = pending[~same]
            place[pending] = (place[pending] + 1) & mask
        return numbers

    def add_distinct(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> None:
        """Fill an empty index with pairs that are all different: pair k gets the number k."""
        self._size = len(first)
        capacity = len(self._first)
        while capacity < self._size:
            capacity *= 2
        self._first, self._second = _grown(first, capacity), _grown(second, capacity)
        self._slots = np.full(2 * capacity, _EMPTY, np.int64)
        self._place_members()

    def _claim(
        self,
        pending: NDArray[np.int64],
        at: NDArray[np.int64],
        vacant: NDArray[np.bool_],
        first: NDArray[np.int64],
        second: NDArray[np.int64],
        found: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Let one of the pairs that want the same vacant slot have it; give the slots' members."""
        wanted, rows = at[vacant], pending[vacant]
        self._slots[wanted] = rows
        winners = self._slots[wanted] == rows
        taken, rows = wanted[winners], rows[winners]
        numbers = np.arange(self._size, self._size + len(rows))
        self._slots[taken] = numbers
        self._first[numbers] = first[rows]
        self._second[numbers] = second[rows]
        self._size += len(rows)
        found[vacant] = self._slots[wanted]
        return found

    def _reserve(self, size: int) -> None:
        capacity = len(self._first)
        if size <= capacity:
            return
        while capacity < size:
            capacity *= 2
        self._first = _grown(self._first, capacity)
        self._second = _grown(self._second, capacity)
        self._slots = np.full(2 * capacity, _EMPTY, np.int64)
        self._place_members()

    def _place_members(self) -> None:
        members = np.arange(self._size)
        hashes = _scatter(self._first[: self._size], self._second[: self._size])
        mask = len(self._slots) - 1
        place = (hashes & np.uint64(mask)).astype(np.int64)
        while len(members):
            vacant = self._slots[place] == _EMPTY
            self._slots[place[vacant]] = members[vacant]
            left = self._slots[place] != members
            members, place = members[left], (place[left] + 1) & mask


def _scatter(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.uint64]:
    return mix(first.view(np.uint64) * _K + mix(second.view(np.uint64)))


def _grown(values: NDArray[np.int64], capacity: int) -> NDArray[np.int64]:
    grown = np.empty(capacity, values.dtype)
    grown[: len(values)] = values
    return grown


class Column:
    """A growing int64 column beside a `PairIndex`: one value for each number."""

    def __init__(self, fill: int) -> None:
        self._fill = fill
        self.values = np.full(1 << 12, fill, np.int64)

    def reserve(self, size: int) -> NDArray[np.int64]:
        """The column, at least `size` long."""
        if size > len(self.values):
            grown = np.full(max(size, 2 * len(self.values)), self._fill, np.int64)
            grown[: len(self.values)] = self.values
            self.values = grown
        return self.values
