"""Sets of integer keys that number their members: the data structure behind the history."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from beam_pipeline.domain.compiled import INT, INTS, OUT_IDS32, OUT_INTS, VOID, WORD, compiled

_VACANT = -1
_MOST_DIRECT = 1 << 22
_K, _HALF = np.uint64(0x9E3779B97F4A7C15), np.uint64(32)

Keys = NDArray[np.int64]
Numbers = NDArray[np.int64]

_NO_COLUMN = np.empty(0, np.int64)


class Index:
    """Numbers distinct keys densely in the order of their arrival.

    A key is one int64 or two. Open addressing with linear probing: a slot holds a number and
    nothing else, and the keys lie in the order of their numbers, so a new key touches one place
    at random. At most half of the slots are taken. A call costs the same however many keys there
    are already (but for the memory that is touched).
    """

    def __init__(self, columns: int = 1) -> None:
        capacity = 1 << 12
        self._slots = np.full(2 * capacity, _VACANT, np.int32)
        self._keys = np.zeros(capacity, np.int64)
        self._seconds = np.zeros(capacity, np.int64) if columns == 2 else _NO_COLUMN
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def keys(self) -> Keys:
        """The key of each number, int64 [len]; of two columns, the first."""
        return self._keys[: self._size]

    @property
    def seconds(self) -> Keys:
        """The second column of the key of each number, int64 [len]."""
        return self._seconds[: self._size]

    def add(self, key: Keys, second: Keys = _NO_COLUMN) -> Numbers:
        """The number of each key, int64 [n]; a key that is new gets the next one.

        Args:
            key: int64 [n].
            second: the other column where a key has two, int64 [n].
        """
        self._reserve(self._size + len(key))
        numbers = np.empty(len(key), np.int64)
        self._size = _number(
            self._slots, self._keys, self._seconds, self._size, key, second, numbers
        )
        return numbers

    def _reserve(self, size: int) -> None:
        slots = len(self._slots)
        if 2 * size <= slots:
            return
        while slots < 2 * size:
            slots *= 2
        self._keys = _grown(self._keys, slots // 2)
        if len(self._seconds):
            self._seconds = _grown(self._seconds, slots // 2)
        self._slots = np.full(slots, _VACANT, np.int32)
        _place(self._slots, self._keys[: self._size], self._seconds)


class Ids(Index):
    """An Index of single ids. Small ones, as ids mostly are, are looked up by their value."""

    def __init__(self) -> None:
        super().__init__()
        self._direct = np.full(1 << 12, _VACANT, np.int32)

    def add(self, key: Keys, second: Keys = _NO_COLUMN) -> Numbers:
        """The number of each id, int64 [n]; an id that is new gets the next one."""
        if not len(key) or int(key.min()) < 0 or int(key.max()) >= _MOST_DIRECT:
            return super().add(key)
        highest = int(key.max())
        if highest >= len(self._direct):
            size = min(_MOST_DIRECT, 2 * highest + 1)
            grown = np.full(size, _VACANT, np.int32)
            grown[: len(self._direct)] = self._direct
            self._direct = grown
        numbers = self._direct.take(key).astype(np.int64)
        fresh = np.flatnonzero(numbers == _VACANT)
        if len(fresh):
            numbers[fresh] = super().add(key.take(fresh))
            self._direct[key.take(fresh)] = numbers.take(fresh)
        return numbers


class Column:
    """A growing int64 column beside an `Index`: one value for each number."""

    def __init__(self, fill: int) -> None:
        self._fill = fill
        self.values = np.full(1 << 12, fill, np.int64)

    def reserve(self, size: int) -> NDArray[np.int64]:
        """The column, at least `size` long."""
        if size > len(self.values):
            self.values = _grown(self.values, max(size, 2 * len(self.values)), self._fill)
        return self.values


def _grown(column: NDArray[np.int64], size: int, fill: int = 0) -> NDArray[np.int64]:
    grown = np.full(size, fill, np.int64)
    grown[: len(column)] = column
    return grown


@compiled(WORD, INT)
def _shift(slots: int) -> np.uint64:
    """Leaves of a hash what numbers so many slots, a power of two."""
    shift = np.uint64(64)
    while slots > 1:
        slots >>= 1
        shift -= np.uint64(1)
    return shift


@compiled(WORD, INT, INT)
def _spread(key: int, second: int) -> np.uint64:
    """A key's hash: every bit of it in the upper ones."""
    word = np.uint64(key) * _K
    word = (word ^ (word >> _HALF)) + np.uint64(second)
    word *= _K
    return (word ^ (word >> _HALF)) * _K


@compiled(INT, OUT_IDS32, OUT_INTS, OUT_INTS, INT, INTS, INTS, OUT_INTS)
def _number(
    slots: NDArray[np.int32],
    keys: Keys,
    seconds: Keys,
    size: int,
    key: Keys,
    second: Keys,
    numbers: Numbers,
) -> int:
    """Look each key up, or number it from `size` on; the size afterwards."""
    shift, mask = _shift(len(slots)), len(slots) - 1
    double = len(seconds) > 0
    for row in range(len(key)):
        first = key[row]
        other = second[row] if double else 0
        place = np.int64(_spread(first, other) >> shift)
        number = slots[place]
        while number != _VACANT and (
            keys[number] != first or (double and seconds[number] != other)
        ):
            place = (place + 1) & mask
            number = slots[place]
        if number == _VACANT:
            number = size
            slots[place] = number
            keys[number] = first
            if double:
                seconds[number] = other
            size += 1
        numbers[row] = number
    return size


@compiled(VOID, OUT_IDS32, INTS, INTS)
def _place(slots: NDArray[np.int32], keys: Keys, seconds: Keys) -> None:
    """Give every key a slot."""
    shift, mask = _shift(len(slots)), len(slots) - 1
    double = len(seconds) > 0
    for number in range(len(keys)):
        place = np.int64(_spread(keys[number], seconds[number] if double else 0) >> shift)
        while slots[place] != _VACANT:
            place = (place + 1) & mask
        slots[place] = number
