"""Frames as lines of JSON, written in columns: pieces of text that are joined once.

A column of few values (flags, small numbers, minutes) is looked up in a table of its texts, to
which the constant text around it belongs already; two such columns side by side are one. Strings
are taken as they are unless one of them has to be escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_TEXT = pa.large_string()
_NOTHING, _MARK = pa.scalar("", _TEXT), pa.scalar('"', _TEXT)
_MINUTE_MS = 60_000
_DAY_MS = 24 * 60 * _MINUTE_MS
_OLD = pl.CompatLevel.oldest()
_QUOTE, _BACKSLASH = ord('"'), ord("\\")
_SMALL_BITS = 16
_NULL = -1
"""In place of a small number that is null, where all others are larger."""
_FEW = 128
"""A table that the texts around it are written into has at most so many rows."""


class Lines:
    """A line for each row of a frame: what is added stands at the end of each."""

    def __init__(self, frame: pl.DataFrame) -> None:
        """Begin with empty lines; columns are added by name."""
        self._frame = frame
        self._columns = {column.name: _arrow(column) for column in frame.iter_columns()}
        self._pieces: list[pa.Array | pa.Scalar] = []
        self._choice: tuple[Sequence[str], NDArray[np.int64]] | None = None
        self._constant = self._after = ""
        """What stands before and after the choice."""
        self._digits: dict[str, pa.Array] = {}
        """Columns of numbers that were written out already."""

    def constant(self, text: str) -> Lines:
        """The same text in every line."""
        if self._choice is None:
            self._constant += text
        else:
            self._after += text
        return self

    def text(self, texts: pa.Array) -> Lines:
        """A text a line, as it is: large_string [n] without nulls."""
        self._settle()
        self._pieces.append(texts)
        return self

    def choice(self, table: Sequence[str], place: NDArray[np.int64]) -> Lines:
        """The text at a place, int64 [n], of a table."""
        if self._choice is not None and len(self._choice[0]) * len(table) > _FEW:
            self._settle()
        if self._choice is None:
            self._choice = table, place
        else:
            before, place_before = self._choice
            both = [left + self._after + right for left in before for right in table]
            self._choice = both, place_before * len(table) + place
            self._after = ""
        return self

    def string(self, name: str) -> Lines:
        """What stands between the quotation marks of a JSON string; a column without nulls."""
        texts = self._columns[name]
        if _needs_escapes(texts):
            texts = pc.utf8_slice_codeunits(_encoded(self._frame[name]), 1, -1)
        return self.text(texts)

    def value(self, name: str) -> Lines:
        """A JSON value; null where it is null."""
        column = self._columns[name]
        kind = column.type
        if pa.types.is_integer(kind):
            return self._number(name)
        if kind == _TEXT and not _needs_escapes(column):
            if not column.null_count:
                return self.constant('"').text(column).constant('"')
            quoted = pc.binary_join_element_wise(_MARK, column, _MARK, _NOTHING)
            return self.text(quoted.fill_null("null"))
        if not column.null_count:
            if pa.types.is_boolean(kind):
                flags = column.to_numpy(zero_copy_only=False)
                return self.choice(("false", "true"), flags.astype(np.int64))
            if pa.types.is_timestamp(kind) and kind.unit == "ms":
                return self._moment(_ms(column))
        return self.text(_encoded(self._frame[name]))

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

    def day(self, name: str) -> Lines:
        """The day of a time, as 2026.03.02."""
        table, place = _table(self.numbers(name) // _DAY_MS)
        days = np.datetime_as_string(table.astype("datetime64[D]")).tolist()
        return self.choice([day.replace("-", ".") for day in days], place)

    def minute(self, name: str) -> Lines:
        """A time cut to its minute, as 2026-03-02T12:05Z."""
        table, place = _table(self.numbers(name) // _MINUTE_MS)
        return self.choice([minute + "Z" for minute in _minutes(table)], place)

    def numbers(self, name: str) -> NDArray[np.int64]:
        """A column without nulls: whole numbers, or times in ms since the epoch."""
        column = self._columns[name]
        if pa.types.is_timestamp(column.type):
            return _ms(column)
        return column.to_numpy().astype(np.int64)

    def joined(self) -> pa.LargeStringArray:
        """Every line, whole."""
        self._settle()
        return pc.binary_join_element_wise(*self._pieces, _NOTHING)

    def _settle(self) -> None:
        """Nothing more is written into what came last."""
        if self._choice is not None:
            before, after = self._constant, self._after
            table = pa.array([before + text + after for text in self._choice[0]], _TEXT)
            self._pieces.append(table.take(pa.array(self._choice[1])))
            self._choice = None
        elif self._constant:
            self._pieces.append(pa.scalar(self._constant, _TEXT))
        self._constant = self._after = ""

    def _number(self, name: str) -> Lines:
        column = self._columns[name]
        few = self._few(column) if name not in self._digits else None
        if few is not None:
            return self.choice(*few)
        if name not in self._digits:
            texts = pc.cast(column, _TEXT)
            self._digits[name] = texts.fill_null("null") if texts.null_count else texts
        return self.text(self._digits[name])

    def _few(self, column: pa.Array) -> tuple[list[str], NDArray[np.int64]] | None:
        """A table for a column of small numbers, and the place of each row in it."""
        missing = column.null_count
        if missing == len(column) or column.type.bit_width > _SMALL_BITS:
            return None
        if missing and pc.min(column).as_py() <= _NULL:
            return None
        numbers = (column.fill_null(_NULL) if missing else column).to_numpy().astype(np.int64)
        low, high = int(numbers.min()), int(numbers.max())
        if high - low >= min(_FEW, len(numbers)):
            return None
        texts = [str(number) for number in range(low, high + 1)]
        if missing:
            texts[_NULL - low] = "null"
        return texts, numbers - low

    def _moment(self, ms: NDArray[np.int64]) -> Lines:
        """A time in quotation marks: its minute, then seconds and offset."""
        minute = ms // _MINUTE_MS
        table, place = _table(minute)
        self.choice([f'"{text}:' for text in _minutes(table)], place)
        return self.text(_seconds().take(pa.array(ms - minute * _MINUTE_MS)))


def _arrow(column: pl.Series) -> pa.Array:
    whole = column if column.n_chunks() == 1 else column.rechunk()
    return whole.to_arrow(compat_level=_OLD)


def _ms(column: pa.Array) -> NDArray[np.int64]:
    return column.view(pa.int64()).to_numpy()


def _table(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Few numbers of which all of these are, int64 [k], and the place of each there."""
    if len(values):
        low, high = int(values.min()), int(values.max())
        if high - low < len(values):
            return np.arange(low, high + 1), values - low
    return np.unique(values, return_inverse=True)


def _minutes(minutes: NDArray[np.int64]) -> list[str]:
    return np.datetime_as_string(minutes.astype("datetime64[m]")).tolist()


@lru_cache(maxsize=1)
def _seconds() -> pa.LargeStringArray:
    """What follows the minute of a moment, by the milliseconds since the minute."""
    texts = []
    for ms in range(_MINUTE_MS):
        fraction = f".{ms % 1000:03}" if ms % 1000 else ""
        texts.append(f'{ms // 1000:02}{fraction}+00:00"')
    return pa.array(texts, _TEXT)


def _needs_escapes(texts: pa.LargeStringArray) -> bool:
    """Whether there is a quotation mark, a backslash or a control character in any of them."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return False
    ends = np.frombuffer(offsets, np.int64)
    marks = np.frombuffer(data, np.uint8)[ends[texts.offset] : ends[texts.offset + len(texts)]]
    if not len(marks):
        return False
    return bool(marks.min() < 0x20 or (marks == _QUOTE).any() or (marks == _BACKSLASH).any())


def _encoded(column: pl.Series) -> pa.LargeStringArray:
    """Each value in JSON, row by row: for what is rare."""
    told = pl.select(pl.struct(column.alias("v")).struct.json_encode()).to_series()
    return pc.utf8_slice_codeunits(_arrow(told), len('{"v":'), -1)
