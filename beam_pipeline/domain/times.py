"""RFC 3339 times in columns: `Instant.parse` for ten thousand texts at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

_DAYS_BEFORE_MONTH = np.array([0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334], np.int32)
_DAYS_IN_MONTH = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], np.int32)
_DAYS_TO_EPOCH = 719_162
"""Days from 0001-01-01 to 1970-01-01."""

_SHORTEST = len("2026-01-01T00:00:00Z")


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
    lengths = np.fromiter(map(len, texts), np.int64, n)
    for length in set(lengths.tolist()):
        if length < _SHORTEST:
            continue
        rows = np.flatnonzero(lengths == length)
        same = texts if len(rows) == n else [texts[row] for row in rows.tolist()]
        joined = "".join(same)
        if not joined.isascii():
            joined = "".join(text if text.isascii() else "?" * int(length) for text in same)
        grid = np.frombuffer(joined.encode("ascii"), np.uint8).reshape(len(rows), int(length))
        parsed = _parse_grid(np.ascontiguousarray(grid.T))
        if len(rows) == n:
            return parsed
        found.ms[rows], found.local_hour[rows], found.valid[rows] = parsed
    return found


def _parse_grid(text: NDArray[np.uint8]) -> Instants:
    """Parse texts of one length, a row a position: all arithmetic runs along the texts."""
    length = len(text)
    digits = text - np.uint8(48)

    def number(start: int, count: int) -> NDArray[np.int32]:
        value = digits[start].astype(np.int32)
        for place in range(start + 1, start + count):
            value = value * 10 + digits[place]
        return value

    utc = (text[-1] | 0x20) == ord("z")
    end = np.where(utc, length - 1, length - 6)
    year, month, day = number(0, 4), number(5, 2), number(8, 2)
    hour, minute, second = number(11, 2), number(14, 2), number(17, 2)
    valid = _all_digits(digits, (0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18))
    for place, mark in ((4, "-"), (7, "-"), (13, ":"), (16, ":")):
        valid &= text[place] == ord(mark)
    valid &= (text[10] | 0x20) == ord("t")
    valid &= (year >= 1) & (month >= 1) & (month <= 12) & (hour <= 23) & (minute <= 59)
    valid &= (second <= 59) & (day >= 1)
    safe_month = np.where(valid, month, 1)
    leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    valid &= day <= _DAYS_IN_MONTH[safe_month] + (leap & (safe_month == 2))

    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 - _DAYS_TO_EPOCH
    days += _DAYS_BEFORE_MONTH[safe_month] + (leap & (safe_month > 2)) + day - 1
    ms = days.astype(np.int64) * 86_400_000 + ((hour * 60 + minute) * 60 + second) * 1000
    fraction_ms, fraction_valid = _fraction(text, digits, end)
    offset_minutes, offset_valid = _offset(text, digits, utc)
    return Instants(
        ms + fraction_ms - offset_minutes * 60_000,
        hour.astype(np.int8),
        valid & fraction_valid & offset_valid,
    )


def _all_digits(digits: NDArray[np.uint8], places: Sequence[int]) -> NDArray[np.bool_]:
    return np.maximum.reduce(digits[list(places)]) <= 9


def _fraction(
    text: NDArray[np.uint8], digits: NDArray[np.uint8], end: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The fraction of a second between position 19 and `end`, cut to milliseconds."""
    length, n = text.shape
    ms = np.zeros(n, np.int64)
    absent = end == 19
    valid = absent | ((text[19] == ord(".")) & (end >= 21))
    for place in range(20, length):
        inside = place < end
        if place < 23:
            ms += np.where(inside, digits[place].astype(np.int64) * 10 ** (22 - place), 0)
        valid &= ~inside | (digits[place] <= 9)
    return np.where(absent, 0, ms), valid


def _offset(
    text: NDArray[np.uint8], digits: NDArray[np.uint8], utc: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Minutes east of UTC that the last six characters name, 0 for Z."""
    if utc.all():
        return np.zeros(len(utc), np.int64), utc
    sign, colon = text[-6], text[-3]
    hours = digits[-5].astype(np.int64) * 10 + digits[-4]
    minutes = digits[-2].astype(np.int64) * 10 + digits[-1]
    numeric = _all_digits(digits, (-5, -4, -2, -1)) & (hours <= 23) & (minutes <= 59)
    signed = (sign == ord("+")) | (sign == ord("-"))
    valid = numeric & signed & (colon == ord(":")) & (len(text) >= 25)
    east = (hours * 60 + minutes) * np.where(sign == ord("-"), -1, 1)
    return np.where(utc, 0, east), utc | valid
