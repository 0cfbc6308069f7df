"""Pieces of lines, written by one compiled loop: constants, texts, whole numbers and times.

Bytes move eight at a time (`words_at`). What a word holds too much is written over by what comes
next; after the last line it stands in the slack.
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from beam_pipeline.domain.compiled import (
    BYTES,
    INT,
    OUT_INTS,
    OUT_WORD_TABLE,
    OUT_WORDS_AT,
    TABLE,
    TRUTH,
    VOID,
    WORD,
    WORDS_AT,
    compiled,
    step,
)

NOTHING, TEXT, ESCAPED, NUMBER, FLAG, DAY, MINUTE, MOMENT = range(8)
"""What stands after the constant of a piece."""
PIECE = 6
"""Numbers of a piece: where its constant begins in the texts, how long that is, the kind, the row
of its values, where its texts begin, and the row of values that is 0 where it is null, or -1."""
LONGEST = (0, 4, 4, 20, 5, 16, 24, 48)
"""Bytes of a value at most, by kind; for a text beside itself."""
ESCAPE = 6
"""Bytes of an escaped character at most."""
SLACK = 32
"""Bytes behind the texts, and behind the lines."""
MEMO = 5
"""Words to remember a piece's last day or minute by: which, how long its text is, its text."""
NEVER = np.uint64(1 << 63)
"""A day or a minute that no time has."""

Words = NDArray[np.uint64]

_W8, _W16, _W24, _W32, _W40, _W48 = (np.uint64(bits) for bits in range(8, 49, 8))
_ZEROS = np.uint64(0x3030303030303030)
_SPACE, _QUOTE_BYTE, _BACKSLASH = (np.uint8(ord(mark)) for mark in ' "\\')
_BYTE, _TEN = np.uint64(0xFF), np.uint64(10)
_E4, _E8, _E16 = (np.uint64(10**power) for power in (4, 8, 16))
_TENTHS, _TENTHS_SHIFT, _TENTHS_MASK = np.uint64(103), _TEN, np.uint64(0x000F000F000F000F)
_HUNDREDTHS, _HUNDREDTHS_SHIFT = np.uint64(10486), np.uint64(20)
_HUNDREDTHS_MASK, _HUNDRED = np.uint64(0x0000007F0000007F), np.uint64(100)
_MINUTE_MS, _DAY_MINUTES = 60_000, 24 * 60
_DAY_MS = _MINUTE_MS * _DAY_MINUTES


def _word(text: str, encoding: str = "utf-8") -> np.uint64:
    return np.uint64(int.from_bytes(text.encode(encoding), "little"))


_IN_A_STRING = [json.dumps(chr(byte), ensure_ascii=False)[1:-1] for byte in range(256)]
_ESCAPED = np.array([_word(text, "latin-1") for text in _IN_A_STRING])
_ESCAPED_BYTES = np.array([len(text) for text in _IN_A_STRING])
"""What stands for a byte of UTF-8 in a JSON string: its escape, or the byte itself."""
_NULL, _TRUE, _FALSE = (_word(text) for text in ("null", "true", "false"))
_QUOTE, _MINUS, _DOT, _T, _COLON, _Z = (_word(text) for text in '"-.T:Z')
_WHOLE, _PARTLY, _END = (_word(text) for text in ("  +00:00", "  .   +0", '0:00"'))
"""After the minute; a digit in place of a space is its bits and a few more."""


@compiled(TRUTH, BYTES, allocates=False)
def is_plain(text: NDArray[np.uint8]) -> bool:
    """Whether UTF-8 stands in a JSON string as it is: no quote, backslash or control character."""
    special = np.uint8(0)
    for byte in text:
        special |= np.uint8((byte < _SPACE) | (byte == _QUOTE_BYTE) | (byte == _BACKSLASH))
    return special == 0


@step(INT, OUT_WORDS_AT, INT, WORDS_AT, INT, INT)
def _copied(out: Words, at: int, texts: Words, start: int, size: int) -> int:
    """Copy a text; unsigned indices spare the question whether they count from the end."""
    for done in range(0, size, 16):
        first, second = texts[np.uint64(start + done)], texts[np.uint64(start + done + 8)]
        out[np.uint64(at + done)] = first
        out[np.uint64(at + done + 8)] = second
    return at + size


@step(WORD, WORD)
def _digits(number: np.uint64) -> np.uint64:
    """The eight decimal digits of a number below 10^8, the first in the lowest byte."""
    fours = number // _E4 | (number % _E4) << _W32
    high = (fours * _HUNDREDTHS >> _HUNDREDTHS_SHIFT) & _HUNDREDTHS_MASK
    twos = high | (fours - high * _HUNDRED) << _W16
    high = (twos * _TENTHS >> _TENTHS_SHIFT) & _TENTHS_MASK
    return high | (twos - high * _TEN) << _W8


@step(INT, OUT_WORDS_AT, INT, WORD)
def _below_e8(out: Words, at: int, number: np.uint64) -> int:
    size = 1
    for power in (10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000):
        size += 1 if number >= np.uint64(power) else 0
    out[at] = (_digits(number) | _ZEROS) >> np.uint64(64 - 8 * size)
    return at + size


@step(INT, OUT_WORDS_AT, INT, INT)
def _number(out: Words, at: int, number: int) -> int:
    rest = np.uint64(number)
    if number < 0:
        out[at] = _MINUS
        at += 1
        rest = np.uint64(-number)
    if rest < _E8:
        return _below_e8(out, at, rest)
    if rest < _E16:
        at = _below_e8(out, at, rest // _E8)
    else:
        at = _below_e8(out, at, rest // _E16)
        out[at] = _digits(rest // _E8 % _E8) | _ZEROS
        at += 8
    out[at] = _digits(rest % _E8) | _ZEROS
    return at + 8


@step(INT, OUT_WORDS_AT, INT, WORDS_AT, INT, INT)
def _escaped(out: Words, at: int, texts: Words, start: int, size: int) -> int:
    """What stands in a JSON string for a text."""
    for place in range(start, start + size):
        byte = texts[place] & _BYTE
        out[at] = _ESCAPED[byte]
        at += _ESCAPED_BYTES[byte]
    return at


@step(INT, OUT_WORDS_AT, INT, INT, WORD)
def _two(out: Words, at: int, number: int, after: np.uint64) -> int:
    """Two digits and a mark."""
    out[at] = np.uint64(number // 10 + 48) | np.uint64(number % 10 + 48) << _W8 | after << _W16
    return at + 3


@step(INT, OUT_WORDS_AT, INT, INT, WORD, WORD)
def _date(out: Words, at: int, days: int, between: np.uint64, after: np.uint64) -> int:
    """The date of a day since the epoch: four digits of the year, or as many as it has.

    By eras of 400 years that begin in March (Howard Hinnant, "chrono-compatible low-level date
    algorithms", civil_from_days).
    """
    shifted = days + 719_468
    era = shifted // 146_097
    of_era = shifted - era * 146_097
    year_of_era = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * of_year + 2) // 153
    day = of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    year = year_of_era + era * 400 + (1 if month <= 2 else 0)
    if year < 0:
        out[at] = _MINUS
        at += 1
        year = -year
    if year < 10_000:
        out[at] = (_digits(np.uint64(year)) | _ZEROS) >> _W32
        at += 4
    else:
        at = _number(out, at, year)
    out[at] = between
    at = _two(out, at + 1, month, between)
    return _two(out, at, day, after)


@step(INT, OUT_WORDS_AT, INT, OUT_WORD_TABLE, INT, INT, INT)
def _remembered(
    out: Words, at: int, memo: NDArray[np.uint64], piece: int, kind: int, number: int
) -> int:
    """A day, as 2026.03.02, or a minute since the epoch, as 2026-03-02T12:05.

    Times side by side are mostly of the same, so a piece remembers the last.
    """
    if memo[piece, 0] == np.uint64(number):
        for word in range(3):
            out[at + 8 * word] = memo[piece, 2 + word]
        return at + int(memo[piece, 1])
    if kind == DAY:
        end = _date(out, at, number, _DOT, np.uint64(0)) - 1
    else:
        day = number // _DAY_MINUTES
        minute = number - day * _DAY_MINUTES
        end = _date(out, at, day, _MINUS, _T)
        end = _two(out, end, minute // 60, _COLON)
        end = _two(out, end, minute % 60, np.uint64(0)) - 1
    memo[piece, 0] = np.uint64(number)
    memo[piece, 1] = np.uint64(end - at)
    for word in range(3):
        memo[piece, 2 + word] = out[at + 8 * word]
    return end


@step(INT, OUT_WORDS_AT, INT, INT)
def _seconds(out: Words, at: int, ms: int) -> int:
    """The end of a moment, from the milliseconds since its minute: seconds, offset and quote."""
    digits = _digits(np.uint64(ms)) | _ZEROS
    out[at] = _COLON
    if ms % 1000:
        out[at + 1] = (digits >> _W24 & np.uint64(0xFFFF)) | (digits >> _W40) << _W24 | _PARTLY
        out[at + 9] = _END
        return at + 14
    out[at + 1] = (digits >> _W24 & np.uint64(0xFFFF)) | _WHOLE
    out[at + 9] = _QUOTE
    return at + 10


@step(INT, OUT_WORDS_AT, INT, OUT_WORD_TABLE, INT, INT, INT)
def _time(out: Words, at: int, memo: NDArray[np.uint64], piece: int, kind: int, ms: int) -> int:
    if kind == DAY:
        return _remembered(out, at, memo, piece, kind, ms // _DAY_MS)
    minute = ms // _MINUTE_MS
    if kind == MINUTE:
        at = _remembered(out, at, memo, piece, kind, minute)
        out[at] = _Z
        return at + 1
    out[at] = _QUOTE
    at = _remembered(out, at + 1, memo, piece, kind, minute)
    return _seconds(out, at, ms - minute * _MINUTE_MS)


@step(INT, OUT_WORDS_AT, INT, WORDS_AT, TABLE, TABLE, OUT_WORD_TABLE, INT, INT)
def _value(
    out: Words,
    at: int,
    texts: Words,
    pieces: NDArray[np.int64],
    values: NDArray[np.int64],
    memo: NDArray[np.uint64],
    piece: int,
    row: int,
) -> int:
    kind, column, null = pieces[piece, 2], pieces[piece, 3], pieces[piece, 5]
    value = values[column, row]
    if null >= 0 and values[null, row] == 0:
        out[at] = _NULL
        return at + 4
    if kind == NUMBER:
        return _number(out, at, value)
    if kind == FLAG:
        out[at] = _TRUE if value else _FALSE
        return at + 4 if value else at + 5
    if kind >= DAY:
        return _time(out, at, memo, piece, kind, value)
    out[at] = _QUOTE
    at += 1 if null >= 0 else 0
    start, size = value + pieces[piece, 4], values[column, row + 1] - value
    if kind == TEXT:
        at = _copied(out, at, texts, start, size)
    else:
        at = _escaped(out, at, texts, start, size)
    out[at] = _QUOTE
    return at + 1 if null >= 0 else at


@compiled(VOID, OUT_WORDS_AT, OUT_INTS, WORDS_AT, TABLE, TABLE, OUT_WORD_TABLE, allocates=False)
def write(
    out: Words,
    ends: NDArray[np.int64],
    texts: Words,
    pieces: NDArray[np.int64],
    values: NDArray[np.int64],
    memo: NDArray[np.uint64],
) -> None:
    """Write every line, and where each begins and the last ends: `ends`, int64 [n + 1].

    Args:
        out: room for every piece at its longest, and slack.
        texts: those of the columns, the constants, and slack.
        pieces: int64 [k, PIECE].
        values: int64 [m, n + 1].
        memo: uint64 [k, MEMO], all NEVER.
    """
    at = 0
    ends[0] = 0
    for row in range(len(ends) - 1):
        for piece in range(len(pieces)):
            at = _copied(out, at, texts, pieces[piece, 0], pieces[piece, 1])
            if pieces[piece, 2] != NOTHING:
                at = _value(out, at, texts, pieces, values, memo, piece, row)
        ends[row + 1] = at
