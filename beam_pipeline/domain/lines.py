"""Blocks of lines: the payloads of messages, or pieces of files, and where their lines lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from beam_pipeline.domain.compiled import (
    BYTES,
    INT,
    INTS,
    OUT_INTS,
    compiled,
    step,
    tuple_of,
)
from beam_pipeline.domain.events import MAX_LINE_BYTES

_NEWLINE, _QUOTE, _OPEN, _CLOSE = (np.uint8(ord(mark)) for mark in '\n"{}')
_ASCII = 0x80

_PIECE = 128
"""Bytes that are looked through at once, with counters of a byte."""


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of one message, or a piece of one file."""

    kind: str
    schema: str
    payload: bytes
    published_ms: int
    """When the message was published (simulated time included), ms since the epoch."""
    publish_time_ms: int
    """Pub/Sub's own time of the message, ms since the epoch."""
    id: str
    """The message id or the file's name: with the line's number, the id of a dead letter."""
    source: str
    attributes: Mapping[str, str] = field(default_factory=dict)
    own_times: bool = False
    """The lines say themselves when they were published: they come from a file."""
    first_line: int = 0
    """The number of the payload's first line within `id`."""


class _Looks(NamedTuple):
    """What one look at every byte tells."""

    lines: int
    between: int
    """Newlines between two objects."""
    quotes: int
    longest: int
    """Bytes of the longest row of pieces without a newline; a line has at most two pieces more."""
    bits: int
    """All bits that are set anywhere."""


class Lines:
    """The lines of several blocks of one kind.

    Where each line lies is found out when it is asked for: not at all while every line is good.
    """

    def __init__(self, blocks: Sequence[Block]) -> None:
        """The lines of blocks, in their order; a newline at the end of a block ends its last."""
        self.blocks = blocks
        payloads = [
            block.payload[:-1] if block.payload.endswith(b"\n") else block.payload
            for block in blocks
        ]
        self._between_newlines = b"\n".join([b"", *payloads, b""])
        self._text = np.frombuffer(self._between_newlines, np.uint8)
        sizes = np.array([len(payload) for payload in payloads], np.int64)
        self._counts = np.empty(len(blocks), np.int64)
        self._looks = _Looks(*_look_through(self._text, sizes, self._counts))
        self.first = np.cumsum(self._counts) - self._counts
        """Of each block, the number of its first line, int64."""

    @property
    def joined(self) -> memoryview:
        """All lines, with newlines between them."""
        return memoryview(self._between_newlines)[1:-1]

    @cached_property
    def block(self) -> NDArray[np.int64]:
        """Of each line, the number of its block."""
        return np.repeat(np.arange(len(self.blocks)), self._counts)

    @cached_property
    def _newlines(self) -> NDArray[np.int64]:
        return np.flatnonzero(self._text == _NEWLINE)

    @property
    def ends(self) -> NDArray[np.int64]:
        """Where each line ends in the text, which begins with a newline."""
        return self._newlines[1:]

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each line begins."""
        return self._newlines[:-1] + 1

    def __len__(self) -> int:
        return self._looks.lines

    def line(self, row: int) -> bytes:
        return self._between_newlines[self._newlines[row] + 1 : self._newlines[row + 1]]

    def number(self, row: int) -> int:
        """The line's number within its message or file."""
        return self.of_block(row).first_line + row - int(self.first[self.block[row]])

    def of_block(self, row: int) -> Block:
        return self.blocks[self.block[row]]

    def plain(self) -> bool:
        """Each line is an object that begins and ends on it, is not too large, and is UTF-8."""
        looks, text = self._looks, self._text
        if text[1] != _OPEN or text[-2] != _CLOSE or looks.between != looks.lines - 1:
            return False
        if looks.longest > MAX_LINE_BYTES // 2:
            return False
        return looks.bits < _ASCII or is_utf8(self._between_newlines)

    def count_quotes(self) -> int:
        """Quotation marks in all lines."""
        return self._looks.quotes

    def quotes(self) -> NDArray[np.int64]:
        """Quotation marks, by line."""
        marks = np.flatnonzero(self._text == _QUOTE)
        return np.searchsorted(marks, self.ends) - np.searchsorted(marks, self.starts)


@step(tuple_of(INT, 4), BYTES, INT, INT)
def _look_at(text: NDArray[np.uint8], start: int, stop: int) -> tuple[int, int, int, int]:
    """Newlines, those between objects, quotation marks, and all bits of a piece of the text.

    Counters of a byte, and indices that begin at 0, let the machine take 32 bytes at once.
    """
    before, here, after = text[start - 1 : stop - 1], text[start:stop], text[start + 1 : stop + 1]
    newlines = between = quotes = bits = np.uint8(0)
    for place in range(len(here)):
        newline = here[place] == _NEWLINE
        objects = (before[place] == _CLOSE) & (after[place] == _OPEN)
        newlines = np.uint8(newlines + newline)
        between = np.uint8(between + (newline & objects))
        quotes = np.uint8(quotes + (here[place] == _QUOTE))
        bits = np.uint8(bits | here[place])
    return int(newlines), int(between), int(quotes), int(bits)


@compiled(tuple_of(INT, 5), BYTES, INTS, OUT_INTS, allocates=False)
def _look_through(
    text: NDArray[np.uint8], sizes: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[int, int, int, int, int]:
    """`_Looks` of the bytes of blocks with newlines around them; `counts` gets their lines."""
    lines = between = quotes = longest = bits = 0
    stop = 0
    for block in range(len(sizes)):
        start = stop + 1
        stop = start + sizes[block]
        counts[block], long = 1, 0
        for piece in range(start, stop, _PIECE):
            looks = _look_at(text, piece, min(piece + _PIECE, stop))
            counts[block] += looks[0]
            between += looks[1]
            quotes += looks[2]
            bits |= looks[3]
            long = 0 if looks[0] else long + _PIECE
            longest = max(longest, long)
        lines += counts[block]
        if stop < len(text) - 1 and text[stop - 1] == _CLOSE and text[stop + 1] == _OPEN:
            between += 1
    return lines, between, quotes, longest, bits


def is_utf8(text: bytes) -> bool:
    """Whether the bytes are well-formed UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
