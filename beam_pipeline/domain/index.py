"""Sets of integer keys that number their members: the data structure behind the history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_VACANT = -1
_MOST_DIRECT = 1 << 22
_REHASHED = 1 << 16
"""Keys that find their slots in a larger table at once: what is touched stays in the cache."""
_K, _HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)

Keys = NDArray[np.int64]
Numbers = NDArray[np.int64]


class Index:
    """Numbers distinct keys densely in the order of their arrival, thousands at a time.

    A key is one int64 or several. Open addressing with linear probing, all probes of a call in
    step: numpy does the work, and a call costs the same however many keys there are already (but
    for the memory that is touched). A slot holds a number and nothing else, and the keys lie in
    the order of their numbers: a new key touches one place at random. At most half of the slots
    are taken.
    """

    def __init__(self, columns: int = 1, capacity: int = 1 << 12) -> None:
        self._slots = np.full(2 * capacity, _VACANT, np.int32)
        self._keys = [np.zeros(capacity, np.int64) for _ in range(columns)]
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, *key: Keys) -> Numbers:
        """The number of each key, int64 [n]; a key that is new gets the next one.

        Args:
            key: the columns of the key, int64 [n] each.
        """
        self._reserve(self._size + len(key[0]))
        place = _places(key, len(self._slots))
        numbers = self._slots.take(place)
        fresh = np.flatnonzero(numbers == _VACANT)
        if len(fresh):
            at = place.take(fresh)
            self._claim(at, fresh, key)
            numbers[fresh] = self._slots.take(at)
        pending = np.flatnonzero(self._differs(numbers, key))
        while len(pending):
            at = (place.take(pending) + 1) & (len(self._slots) - 1)
            place[pending] = at
            found = self._slots.take(at)
            vacant = np.flatnonzero(found == _VACANT)
            if len(vacant):
                self._claim(at.take(vacant), pending.take(vacant), key)
                found = self._slots.take(at)
            numbers[pending] = found
            wrong = self._differs(found, [column.take(pending) for column in key])
            pending = pending[wrong]
        return numbers.astype(np.int64)

    def _differs(self, numbers: NDArray[np.int32], key: Sequence[Keys]) -> NDArray[np.bool_]:
        """Whether the keys of these numbers are other keys than these."""
        differs = self._keys[0].take(numbers) != key[0]
        for held, column in zip(self._keys[1:], key[1:], strict=True):
            differs |= held.take(numbers) != column
        return differs

    def _claim(self, slots: Numbers, rows: Numbers, key: Sequence[Keys]) -> None:
        """Give each of these vacant slots to one of the rows that want it, with a new number."""
        marks = rows.astype(np.int32)
        self._slots[slots] = marks
        winners = np.flatnonzero(self._slots.take(slots) == marks)
        if len(winners) < len(rows):
            slots, rows = slots.take(winners), rows.take(winners)
        size = self._size + len(rows)
        self._slots[slots] = np.arange(self._size, size, dtype=np.int32)
        for held, column in zip(self._keys, key, strict=True):
            held[self._size : size] = column.take(rows)
        self._size = size

    def _reserve(self, size: int) -> None:
        slots = len(self._slots)
        if 2 * size <= slots:
            return
        while slots < 2 * size:
            slots *= 2
        self._keys = [_grown(held, slots // 2) for held in self._keys]
        self._slots = np.full(slots, _VACANT, np.int32)
        for start in range(0, self._size, _REHASHED):
            number = np.arange(start, min(start + _REHASHED, self._size), dtype=np.int32)
            keys = [held[start : start + len(number)] for held in self._keys]
            place = _places(keys, slots)
            while len(number):
                vacant = np.flatnonzero(self._slots.take(place) == _VACANT)
                self._slots[place.take(vacant)] = number.take(vacant)
                astray = np.flatnonzero(self._slots.take(place) != number)
                number = number.take(astray)
                place = (place.take(astray) + 1) & (slots - 1)


class Ids(Index):
    """An Index of single ids. Small ones, as ids mostly are, are looked up by their value."""

    def __init__(self) -> None:
        super().__init__()
        self._direct = np.full(1 << 12, _VACANT, np.int32)

    def add(self, *key: Keys) -> Numbers:
        """The number of each id, int64 [n]; an id that is new gets the next one."""
        (ids,) = key
        if not len(ids) or int(ids.min()) < 0 or int(ids.max()) >= _MOST_DIRECT:
            return super().add(ids)
        highest = int(ids.max())
        if highest >= len(self._direct):
            size = min(_MOST_DIRECT, 2 * highest + 1)
            grown = np.full(size, _VACANT, np.int32)
            grown[: len(self._direct)] = self._direct
            self._direct = grown
        numbers = self._direct.take(ids).astype(np.int64)
        fresh = np.flatnonzero(numbers == _VACANT)
        if len(fresh):
            numbers[fresh] = super().add(ids.take(fresh))
            self._direct[ids.take(fresh)] = numbers.take(fresh)
        return numbers


def _grown(column: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    grown = np.zeros(size, np.int64)
    grown[: len(column)] = column
    return grown


def _places(key: Sequence[Keys], slots: int) -> Numbers:
    """Where among so many slots each key is looked for first."""
    words = key[0].view(np.uint64) * _K
    for column in key[1:]:
        words ^= words >> _HALF
        words += column.view(np.uint64)
        words *= _K
    words ^= words >> _HALF
    words *= _K
    words >>= np.uint64(65 - slots.bit_length())
    return words.view(np.int64)


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
