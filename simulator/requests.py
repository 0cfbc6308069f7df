"""Slices of time cut into requests: consecutive events of one kind, few enough for the function."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from simulator.lines import Lines, Writer
from simulator.timeline import Slice

MOST_BYTES = 900 * 1024
WITHIN_MS = 60_000
"""A request gives all its events one simulated time of publication; they lie this near to it,
unless a run says otherwise."""


@dataclass(frozen=True, eq=False)
class Request:
    """Events of one kind and their lines; `due_ms` is when the last of them is published."""

    kind: str
    events: pl.DataFrame
    body: bytes
    due_ms: int


@dataclass(frozen=True, eq=False)
class Queue:
    """The events of a slice in the order of publication, taken from the front as they fall due."""

    kind: str
    events: pl.DataFrame
    lines: Lines
    batch: int
    within_ms: int = WITHIN_MS

    def requests(self, first: int, upto: int) -> Iterator[Request]:
        """Rows first..upto-1 as requests of at most `batch` lines, `within_ms` and MOST_BYTES."""
        published = self.events["published"].to_numpy()
        edges = self.lines.edges
        while first < upto:
            last = min(
                first + self.batch,
                upto,
                int(np.searchsorted(published, published[first] + self.within_ms, side="right")),
                max(first + 1, int(np.searchsorted(edges, edges[first] + MOST_BYTES)) - 1),
            )
            events = self.events[first:last]
            body = bytes(self.lines.part(first, last))
            yield Request(self.kind, events, body, int(published[last - 1]))
            first = last


def queues(
    one: Slice, writer: Writer, batch: int, within_ms: int = WITHIN_MS
) -> tuple[Queue, Queue]:
    """The plays and the ad events of a slice."""
    return (
        Queue("play", one.plays, writer.plays(one.plays), batch, within_ms),
        Queue("ad", one.ads, writer.ads(one.ads), batch, within_ms),
    )


def in_order(one: Slice, writer: Writer, batch: int, within_ms: int) -> list[Request]:
    """All requests of a slice, by the time of their publication."""
    cut = [
        request
        for queue in queues(one, writer, batch, within_ms)
        for request in queue.requests(0, queue.events.height)
    ]
    return sorted(cut, key=lambda request: request.due_ms)
