"""Blocks of lines: the payloads of messages, or pieces of files, and where their lines lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from beam_pipeline.domain.events import MAX_LINE_BYTES

_NEWLINE, _QUOTE, _OPEN, _CLOSE = (ord(mark) for mark in '\n"{}')


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


@dataclass(slots=True)
class Lines:
    """The lines of several blocks of one kind."""

    blocks: Sequence[Block]
    joined: bytes
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    block: NDArray[np.int64]
    """Of each line, the number of its block."""
    first: NDArray[np.int64]
    """Of each block, the number of its first line."""

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> Lines:
        payloads = [
            block.payload[:-1] if block.payload.endswith(b"\n") else block.payload
            for block in blocks
        ]
        joined = b"\n".join(payloads)
        marks = np.flatnonzero(np.frombuffer(joined, np.uint8) == _NEWLINE)
        counts = np.array([payload.count(b"\n") + 1 for payload in payloads])
        return cls(
            blocks=blocks,
            joined=joined,
            starts=np.concatenate(([0], marks + 1)),
            ends=np.append(marks, len(joined)),
            block=np.repeat(np.arange(len(blocks)), counts),
            first=np.cumsum(counts) - counts,
        )

    def __len__(self) -> int:
        return len(self.starts)

    def line(self, row: int) -> bytes:
        return self.joined[self.starts[row] : self.ends[row]]

    def number(self, row: int) -> int:
        """The line's number within its message or file."""
        return self.of_block(row).first_line + row - int(self.first[self.block[row]])

    def of_block(self, row: int) -> Block:
        return self.blocks[self.block[row]]

    def plain(self) -> bool:
        """Each line is an object that begins and ends on it, is not too large, and is UTF-8."""
        if (self.ends - self.starts).max() > MAX_LINE_BYTES or not self.joined:
            return False
        text = np.frombuffer(self.joined, np.uint8)
        last = np.maximum(self.ends - 1, 0)
        first = np.minimum(self.starts, len(text) - 1)
        if not ((text[first] == _OPEN) & (text[last] == _CLOSE)).all():
            return False
        return self.joined.isascii() or is_utf8(self.joined)

    def quotes(self) -> NDArray[np.int64]:
        """Quotation marks, by line."""
        marks = np.flatnonzero(np.frombuffer(self.joined, np.uint8) == _QUOTE)
        return np.searchsorted(marks, self.ends) - np.searchsorted(marks, self.starts)


def is_utf8(text: bytes) -> bool:
    """Whether the bytes are well-formed UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
