"""Frames as lines of JSON: told in pieces of columns, written by one loop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from beam_pipeline.domain.compiled import words_at
from beam_pipeline.edges import pieces

_TEXT = pa.large_string()
_NEVER = -1
"""In place of a row that says where a column is null."""
_OLD = pl.CompatLevel.oldest()


class _Value(NamedTuple):
    """What differs from line to line, in the last numbers of a piece; and its bytes at most."""

    kind: int
    row: int
    start: int
    null: int
    room: int


class Lines:
    """A line for each row of a frame: what is added stands at the end of each."""

    def __init__(self, frame: pl.DataFrame) -> None:
        """Begin with empty lines; columns are added by name."""
        self._frame = frame
        self._columns = {column.name: _arrow(column) for column in frame.iter_columns()}
        self._known: dict[tuple[str, int], _Value] = {}
        self._rows: list[NDArray[np.generic]] = []
        """The numbers of a column, [n]; or where its texts begin and the last ends, [n + 1]."""
        self._texts: list[NDArray[np.uint8]] = []
        self._text_bytes = self._room = 0
        self._pieces: list[tuple[int, ...]] = []
        self._constants, self._constant = b"", ""
        """What stands in every line: in the pieces so far, and before the next value."""

    def constant(self, text: str) -> Lines:
        """The same text in every line."""
        self._constant += text
        return self

    def string(self, name: str) -> Lines:
        """What stands between the quotation marks of a JSON string; a column without nulls."""
        return self._add(self._told(name, pieces.TEXT))

    def value(self, name: str) -> Lines:
        """A JSON value; null where it is null."""
        column = self._columns[name]
        kind = column.type
        if kind == _TEXT:
            if not column.null_count:
                return self.constant('"').string(name).constant('"')
            return self._add(self._told(name, pieces.TEXT))
        if pa.types.is_integer(kind) and kind != pa.uint64():
            return self._add(self._told(name, pieces.NUMBER))
        if pa.types.is_boolean(kind):
            return self._add(self._told(name, pieces.FLAG))
        if pa.types.is_timestamp(kind) and kind.unit == "ms":
            return self._add(self._told(name, pieces.MOMENT))
        return self._add(self._text(_encoded(self._frame[name]), is_json=True))

    def bare(self, name: str) -> Lines:
        """A string, or a whole number, as it stands in the middle of a JSON string; no nulls."""
        return self.string(name) if self._columns[name].type == _TEXT else self.value(name)

    def document(self, names: Sequence[str]) -> Lines:
        """A JSON object of these columns."""
        mark = "{"
        for name in names:
            self.constant(f'{mark}"{name}":').value(name)
            mark = ","
        return self.constant("}")

    def whole(self, numbers: NDArray[np.int64]) -> Lines:
        """Whole numbers, int64 [n]."""
        return self._add(self._number(pieces.NUMBER, numbers))

    def day(self, name: str) -> Lines:
        """The day of a time, as 2026.03.02."""
        return self._add(self._told(name, pieces.DAY))

    def minute(self, name: str) -> Lines:
        """A time cut to its minute, as 2026-03-02T12:05Z."""
        return self._add(self._told(name, pieces.MINUTE))

    def numbers(self, name: str) -> NDArray[np.int64]:
        """A column without nulls: whole numbers, or times in ms since the epoch."""
        return _numbers(self._columns[name]).astype(np.int64, copy=False)

    def joined(self) -> pa.LargeStringArray:
        """Every line, whole."""
        self._add(_Value(pieces.NOTHING, 0, 0, _NEVER, 0))
        height = self._frame.height
        table = np.array(self._pieces, np.int64)
        table[:, 0] += self._text_bytes
        values = np.empty((len(self._rows), height + 1), np.int64)
        for row, numbers in zip(values, self._rows, strict=True):
            row[: len(numbers)] = numbers
        constants = np.frombuffer(self._constants + bytes(pieces.SLACK), np.uint8)
        texts = np.concatenate((*self._texts, constants))
        room = self._room + len(self._constants) * height
        out = np.empty(room + pieces.SLACK, np.uint8)
        ends = np.empty(height + 1, np.int64)
        memo = np.full((len(table), pieces.MEMO), pieces.NEVER)
        pieces.write(words_at(out), ends, words_at(texts), table, values, memo)
        return pa.LargeStringArray.from_buffers(height, pa.py_buffer(ends), pa.py_buffer(out))

    def _add(self, value: _Value) -> Lines:
        constant = self._constant.encode()
        self._pieces.append((len(self._constants), len(constant), *value[:-1]))
        self._constants += constant
        self._constant = ""
        self._room += value.room
        return self

    def _told(self, name: str, kind: int) -> _Value:
        """The values of a column, the same wherever they are added."""
        if (name, kind) not in self._known:
            column = self._columns[name]
            null = self._row(_bits(column, 0)) if column.null_count else _NEVER
            if kind == pieces.TEXT:
                told = self._text(column, null)
            else:
                told = self._number(kind, _numbers(column), null)
            self._known[name, kind] = told
        return self._known[name, kind]

    def _number(self, kind: int, numbers: NDArray[np.generic], null: int = _NEVER) -> _Value:
        return _Value(kind, self._row(numbers), 0, null, pieces.LONGEST[kind] * len(numbers))

    def _text(
        self, texts: pa.LargeStringArray, null: int = _NEVER, *, is_json: bool = False
    ) -> _Value:
        _, offsets, data = texts.buffers()
        ends = np.frombuffer(offsets, np.int64)[texts.offset : texts.offset + len(texts) + 1]
        first, last = int(ends[0]), int(ends[-1])
        found = np.frombuffer(data, np.uint8)[first:last]
        start = self._text_bytes - first
        self._texts.append(found)
        self._text_bytes += last - first
        plain = is_json or pieces.is_plain(found)
        kind = pieces.TEXT if plain else pieces.ESCAPED
        room = pieces.LONGEST[kind] * len(texts) + len(found) * (1 if plain else pieces.ESCAPE)
        return _Value(kind, self._row(ends), start, null, room)

    def _row(self, numbers: NDArray[np.generic]) -> int:
        self._rows.append(numbers)
        return len(self._rows) - 1


def _numbers(column: pa.Array) -> NDArray[np.generic]:
    """Whole numbers, times in ms since the epoch, or flags; anything where it is null."""
    kind = column.type
    if pa.types.is_boolean(kind):
        return _bits(column, 1)
    sign = "u" if pa.types.is_unsigned_integer(kind) else "i"
    numbers = np.frombuffer(column.buffers()[1], f"{sign}{kind.bit_width // 8}")
    return numbers[column.offset : column.offset + len(column)]


def _bits(column: pa.Array, buffer: int) -> NDArray[np.uint8]:
    """One of the bitmaps of a column: 0 or 1 for each row."""
    bits = np.frombuffer(column.buffers()[buffer], np.uint8)
    return np.unpackbits(bits, bitorder="little")[column.offset : column.offset + len(column)]


def _arrow(column: pl.Series) -> pa.Array:
    whole = column if column.n_chunks() == 1 else column.rechunk()
    return whole.to_arrow(compat_level=_OLD)


def _encoded(column: pl.Series) -> pa.LargeStringArray:
    """Each value in JSON, row by row: for what is rare."""
    told = pl.select(pl.struct(column.alias("v")).struct.json_encode()).to_series()
    return pc.utf8_slice_codeunits(_arrow(told), len('{"v":'), -1)
