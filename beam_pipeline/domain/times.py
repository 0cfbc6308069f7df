"""RFC 3339 times in columns: `Instant.parse` for ten thousand texts at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain.compiled import (
    BYTES,
    INT,
    OUT_BYTES,
    OUT_FLAGS,
    OUT_INTS,
    compiled,
    step,
    tuple_of,
)

_DAYS_BEFORE_MONTH = np.array([0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334])
_DAYS_IN_MONTH = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_DAYS_TO_EPOCH = 719_162
"""Days from 0001-01-01 to 1970-01-01."""

_END = "\n"
_PADDING = _END * len("2026-01-01T00:00:00+00:00")
"""Behind the last text, so that none has to ask whether it is long enough."""
_NEWLINE, _DASH, _COLON, _DOT, _PLUS, _ZERO = (np.uint8(ord(mark)) for mark in "\n-:.+0")
_SMALL_T, _SMALL_Z, _SMALL = (np.uint8(ord(mark)) for mark in "tz ")
_WRONG, _NO_DATE, _NOWHERE = 1_000, -(10**9), -1


def epoch_ms(moments: pl.Series) -> NDArray[np.int64]:
    """A TIMESTAMP column without nulls as ms since the epoch, int64 [n]; nothing is copied."""
    return moments.to_numpy().view(np.int64)


class Instants(NamedTuple):
    """Parsed times; where `valid` is False the other columns mean nothing."""

    ms: NDArray[np.int64]
    """Milliseconds since the epoch, cut."""
    local_hour: NDArray[np.int8]
    valid: NDArray[np.bool_]


def parse_times(texts: Sequence[str]) -> Instants:
    """Parse RFC 3339 date-times; a text that `Instant.parse` refuses comes back not valid."""
    n = len(texts)
    found = Instants(np.zeros(n, np.int64), np.zeros(n, np.int8), np.zeros(n, np.bool_))
    joined = _END.join([*texts, _PADDING]).encode(errors="replace")
    text = np.frombuffer(joined, np.uint8)
    end = _parse(text, found.ms, found.local_hour.view(np.uint8), found.valid)
    if end + len(_PADDING) != len(text):
        return parse_times([text.replace(_END, " ") for text in texts])
    return found


@step(INT, BYTES, INT)
def _two(text: NDArray[np.uint8], at: int) -> int:
    """Two digits as a number; _WRONG if one of them is none."""
    tens, ones = text[at] - _ZERO, text[at + 1] - _ZERO
    return int(tens * 10 + ones) if tens <= 9 and ones <= 9 else _WRONG


@step(INT, INT, INT, INT)
def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date; _NO_DATE if there is none."""
    if year < 1 or month < 1 or month > 12:
        return _NO_DATE
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day < 1 or day > _DAYS_IN_MONTH[month] + (1 if leap and month == 2 else 0):
        return _NO_DATE
    before = year - 1
    of_years = before * 365 + before // 4 - before // 100 + before // 400 - _DAYS_TO_EPOCH
    return of_years + _DAYS_BEFORE_MONTH[month] + (1 if leap and month > 2 else 0) + day - 1


@step(tuple_of(INT, 2), BYTES, INT)
def _fraction(text: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """The milliseconds of the fraction that begins here, if one does, and where it ends."""
    if text[at] != _DOT:
        return 0, at
    ms, place, end = 0, 100, at + 1
    while text[end] - _ZERO <= 9:
        ms += int(text[end] - _ZERO) * place
        place //= 10
        end += 1
    return ms, end if end > at + 1 else _NOWHERE


@step(tuple_of(INT, 2), BYTES, INT)
def _offset(text: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """Minutes east of UTC that are named here, and where that ends."""
    if text[at] | _SMALL == _SMALL_Z:
        return 0, at + 1
    hours, minutes = _two(text, at + 1), _two(text, at + 4)
    signed = text[at] == _PLUS or text[at] == _DASH
    if not signed or text[at + 3] != _COLON or hours > 23 or minutes > 59:
        return 0, _NOWHERE
    east = hours * 60 + minutes
    return east if text[at] == _PLUS else -east, at + 6


@step(tuple_of(INT, 2), BYTES, INT)
def _instant(text: NDArray[np.uint8], at: int) -> tuple[int, int]:
    """The milliseconds of the time that begins here, and where it ends."""
    hour, minute, second = _two(text, at + 11), _two(text, at + 14), _two(text, at + 17)
    if hour > 23 or minute > 59 or second > 59 or text[at + 10] | _SMALL != _SMALL_T:
        return 0, _NOWHERE
    if text[at + 13] != _COLON or text[at + 16] != _COLON:
        return 0, _NOWHERE
    century, year = _two(text, at), _two(text, at + 2)
    if century > 99 or year > 99 or text[at + 4] != _DASH or text[at + 7] != _DASH:
        return 0, _NOWHERE
    days = _days(century * 100 + year, _two(text, at + 5), _two(text, at + 8))
    fraction, end = _fraction(text, at + 19)
    if days == _NO_DATE or end == _NOWHERE:
        return 0, _NOWHERE
    east, end = _offset(text, end)
    minutes = (days * 24 + hour) * 60 + minute - east
    return (minutes * 60 + second) * 1000 + fraction, end


@compiled(INT, BYTES, OUT_INTS, OUT_BYTES, OUT_FLAGS, allocates=False)
def _parse(
    text: NDArray[np.uint8],
    ms: NDArray[np.int64],
    local_hour: NDArray[np.uint8],
    valid: NDArray[np.bool_],
) -> int:
    """Parse texts that end in a newline each, before the padding; where the last ends."""
    at = 0
    for row in range(len(ms)):
        told, end = _instant(text, at)
        valid[row] = end != _NOWHERE and text[end] == _NEWLINE
        if valid[row]:
            ms[row], local_hour[row] = told, _two(text, at + 11)
        else:
            end = at
            while text[end] != _NEWLINE:
                end += 1
        at = end + 1
    return at
