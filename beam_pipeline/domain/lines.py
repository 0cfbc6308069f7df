"""Blocks of lines: the payloads of messages, or pieces of files, and where their lines lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from beam_pipeline.domain.events import MAX_LINE_BYTES

_NEWLINE, _QUOTE, _OPEN, _CLOSE = (ord(mark) for mark in '\n"{}')

_HALF_A_LINE = MAX_LINE_BYTES // 2
_PIECE = 4 * _HALF_A_LINE
"""Bytes that are looked through at once: they and what is found of them stay in the cache."""


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


class Lines:
    """The lines of several blocks of one kind.

    Where each line lies is found out when it is asked for: not at all while every line is good.
    """

    def __init__(self, blocks: Sequence[Block], joined: bytes, counts: NDArray[np.int64]) -> None:
        self.blocks = blocks
        self.joined = joined
        self.first = np.cumsum(counts) - counts
        """Of each block, the number of its first line, int64."""
        self._counts = counts
        self._text = np.frombuffer(joined, np.uint8)

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> Lines:
        """The lines of blocks, in their order; a newline at the end of a block ends its last."""
        payloads = [
            block.payload[:-1] if block.payload.endswith(b"\n") else block.payload
            for block in blocks
        ]
        counts = np.array([payload.count(b"\n") + 1 for payload in payloads])
        return cls(blocks, b"\n".join(payloads), counts)

    @cached_property
    def block(self) -> NDArray[np.int64]:
        """Of each line, the number of its block."""
        return np.repeat(np.arange(len(self.blocks)), self._counts)

    @cached_property
    def ends(self) -> NDArray[np.int64]:
        """Where each line ends in `joined`."""
        return np.append(np.flatnonzero(self._text == _NEWLINE), len(self.joined))

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where each line begins in `joined`."""
        return np.concatenate(([0], self.ends[:-1] + 1))

    def __len__(self) -> int:
        return int(self._counts.sum())

    def line(self, row: int) -> bytes:
        return self.joined[self.starts[row] : self.ends[row]]

    def number(self, row: int) -> int:
        """The line's number within its message or file."""
        return self.of_block(row).first_line + row - int(self.first[self.block[row]])

    def of_block(self, row: int) -> Block:
        return self.blocks[self.block[row]]

    def plain(self) -> bool:
        """Each line is an object that begins and ends on it, is not too large, and is UTF-8."""
        text = self._text
        if not len(text) or text[0] != _OPEN or text[-1] != _CLOSE:
            return False
        between = 0
        for start in range(0, len(text), _PIECE):
            newline = text[start : start + _PIECE] == _NEWLINE
            if not _often(newline):
                return False
            before = text[max(start - 1, 0) : start + len(newline) - 1] == _CLOSE
            after = text[start + 1 : start + len(newline) + 1] == _OPEN
            newline[len(newline) - len(before) :] &= before
            newline[: len(after)] &= after
            between += int(np.count_nonzero(newline))
        return between == len(self) - 1 and (self.joined.isascii() or is_utf8(self.joined))

    def count_quotes(self) -> int:
        """Quotation marks in all lines."""
        pieces = range(0, len(self._text), _PIECE)
        return sum(
            int(np.count_nonzero(self._text[start : start + _PIECE] == _QUOTE)) for start in pieces
        )

    def quotes(self) -> NDArray[np.int64]:
        """Quotation marks, by line."""
        marks = np.flatnonzero(self._text == _QUOTE)
        return np.searchsorted(marks, self.ends) - np.searchsorted(marks, self.starts)


def _often(newline: NDArray[np.bool_]) -> bool:
    """Whether newlines are so close that no line can be too large.

    A line of so many bytes would fill a piece of half of them, wherever the pieces begin.
    """
    whole = len(newline) // _HALF_A_LINE * _HALF_A_LINE
    return bool(newline[:whole].reshape(-1, _HALF_A_LINE).any(axis=1).all())


def is_utf8(text: bytes) -> bool:
    """Whether the bytes are well-formed UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
