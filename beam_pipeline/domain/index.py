"""Sets of integer keys that number their members: the data structure behind the history."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from beam_pipeline.domain.hashing import mix

_VACANT = -1
_K = np.uint64(0x9E3779B97F4A7C15)

Keys = NDArray[np.int64]
Numbers = NDArray[np.int64]


class Index:
    """Numbers distinct keys densely in the order of their arrival, thousands at a time.

    A key is one int64 or several. Open addressing with linear probing, all probes of a call in
    step: numpy does the work, and a call costs the same however many keys there are already (but
    for the memory that is touched). At most half of the slots are taken.
    """

    def __init__(self, columns: int = 1, capacity: int = 1 << 12) -> None:
        self._numbers = np.full(2 * capacity, _VACANT, np.int64)
        self._keys = [np.zeros(2 * capacity, np.int64) for _ in range(columns)]
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, *key: Keys) -> Numbers:
        """The number of each key, int64 [n]; a key that is new gets the next one.

        Args:
            key: the columns of the key, int64 [n] each.
        """
        self._reserve(self._size + len(key[0]))
        mask = len(self._numbers) - 1
        place = (_scatter(key) & np.uint64(mask)).view(np.int64)
        numbers = self._numbers.take(place)
        met = numbers != _VACANT
        for held, column in zip(self._keys, key, strict=True):
            met &= held.take(place) == column
        pending = np.flatnonzero(~met)
        while len(pending):
            at = place[pending]
            found = self._numbers[at]
            vacant = found == _VACANT
            if vacant.any():
                self._claim(at[vacant], pending[vacant], key)
                found = self._numbers[at]
            same = np.ones(len(pending), np.bool_)
            for held, column in zip(self._keys, key, strict=True):
                same &= held[at] == column[pending]
            numbers[pending[same]] = found[same]
            pending = pending[~same]
            place[pending] = (place[pending] + 1) & mask
        return numbers

    def _claim(self, slots: Numbers, rows: Numbers, key: tuple[Keys, ...]) -> None:
        """Give each of these vacant slots to one of the rows that want it, with a new number."""
        self._numbers[slots] = rows
        winners = self._numbers[slots] == rows
        slots, rows = slots[winners], rows[winners]
        self._numbers[slots] = np.arange(self._size, self._size + len(rows))
        for held, column in zip(self._keys, key, strict=True):
            held[slots] = column[rows]
        self._size += len(rows)

    def _reserve(self, size: int) -> None:
        slots = len(self._numbers)
        if 2 * size <= slots:
            return
        while slots < 2 * size:
            slots *= 2
        taken = np.flatnonzero(self._numbers != _VACANT)
        members, keys = self._numbers[taken], tuple(held[taken] for held in self._keys)
        self._numbers = np.full(slots, _VACANT, np.int64)
        self._keys = [np.zeros(slots, np.int64) for _ in keys]
        mask = slots - 1
        place = (_scatter(keys) & np.uint64(mask)).view(np.int64)
        pending = np.arange(len(members))
        while len(pending):
            at = place[pending]
            vacant = self._numbers[at] == _VACANT
            self._numbers[at[vacant]] = members[pending[vacant]]
            home = self._numbers[at] == members[pending]
            for held, column in zip(self._keys, keys, strict=True):
                held[at[home]] = column[pending[home]]
            pending = pending[~home]
            place[pending] = (place[pending] + 1) & mask


def _scatter(key: tuple[Keys, ...]) -> NDArray[np.uint64]:
    words = mix(key[0].view(np.uint64) * _K)
    for column in key[1:]:
        words = mix(words ^ column.view(np.uint64) * _K)
    return words


class Column:
    """A growing int64 column beside an `Index`: one value for each number."""

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


class Firsts:
    """Finds first occurrences without sorting, on one scratch array that is never cleared."""

    def __init__(self) -> None:
        self._row = Column(0)

    def of(self, numbers: Numbers, size: int) -> NDArray[np.bool_]:
        """Which rows are the first with their number; numbers are below `size`."""
        row, rows = self._row.reserve(size), np.arange(len(numbers))
        row[numbers[::-1]] = rows[::-1]
        return row[numbers] == rows

    def ranks(self, numbers: Numbers, size: int) -> tuple[Numbers, Numbers]:
        """The rows of first occurrences, and of each row the rank of its number among them."""
        first = np.flatnonzero(self.of(numbers, size))
        row = self._row.values
        row[numbers[first]] = np.arange(len(first))
        return first, row[numbers]
