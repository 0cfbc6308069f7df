"""The run as it is sent: slice after slice of time, in the order of publication."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from simulator.ads import ADS, banners
from simulator.faults import Faults, spoil
from simulator.offers import Desk
from simulator.rules import MINUTE_MS
from simulator.sessions import PLAYS, Town, plays_begun

WARM_UP_MS = 45 * MINUTE_MS
"""Sessions begun this long before the start are under way when it comes."""
ROWS_A_SLICE = 150_000
LENGTHS_MS = tuple(
    s * 1000 for s in (21_600, 10_800, 7_200, 3_600, 1_800, 900, 600, 300, 120, 60, 30, 10, 5, 1)
)
LONGEST_MS = LENGTHS_MS[0]


@dataclass(frozen=True, eq=False)
class Slice:
    """What is published within [start_ms, start_ms + length_ms), sorted by published."""

    start_ms: int
    length_ms: int
    plays: pl.DataFrame
    ads: pl.DataFrame

    @property
    def end_ms(self) -> int:
        """The first moment after it."""
        return self.start_ms + self.length_ms


@dataclass(eq=False)
class _Calendar:
    """Events that wait for the slice in which they are published."""

    schema: pl.Schema
    length_ms: int
    waiting: defaultdict[int, list[pl.DataFrame]] = field(default_factory=lambda: defaultdict(list))

    def add(self, events: pl.DataFrame) -> None:
        if not events.height:
            return
        number = events["published"].to_numpy() // self.length_ms
        numbers = np.unique(number)
        if len(numbers) == 1:
            self.waiting[int(numbers[0])].append(events)
            return
        order = np.argsort(number, kind="stable")
        bounds = np.searchsorted(number[order], [*numbers, numbers[-1] + 1])
        events = events[order]
        for i, one in enumerate(numbers):
            self.waiting[int(one)].append(events[int(bounds[i]) : int(bounds[i + 1])])

    def take(self, number: int) -> pl.DataFrame:
        parts = self.waiting.pop(number, None)
        return (
            pl.concat(parts).sort("published", maintain_order=True)
            if parts
            else self.schema.to_frame()
        )

    @property
    def last(self) -> int:
        return max(self.waiting, default=-1)


def slice_length(rate: float, longest_ms: int = LONGEST_MS) -> int:
    """The longest slice whose plays fit into memory at three times the mean rate."""
    fitting = (ms for ms in LENGTHS_MS if ms <= longest_ms and rate * 3 * ms / 1000 <= ROWS_A_SLICE)
    return next(fitting, LENGTHS_MS[-1])


def timeline(
    town: Town, desk: Desk, faults: Faults, span_ms: tuple[int, int], longest_ms: int = LONGEST_MS
) -> Iterator[Slice]:
    """The plays of [start, end) and their ad events, until the last of them has arrived.

    Memory holds one slice and what is on its way; nothing grows with the length of the run. The
    desk's book must know what was accepted of a slice before the next one is asked for.
    """
    start_ms, end_ms = span_ms
    length = slice_length(town.rate, longest_ms)
    plays, ads = _Calendar(PLAYS, length), _Calendar(ADS, length)
    number = (start_ms - WARM_UP_MS) // length
    while number * length < end_ms or number <= max(plays.last, ads.last):
        at_ms = number * length
        if at_ms < end_ms:
            begun = plays_begun(town, at_ms, length)
            within = pl.col("played").is_between(start_ms, end_ms, closed="left")
            begun = begun.filter(within)
            seen = pl.concat([banners(town, begun, at_ms), desk.events(begun, at_ms)])
            plays.add(spoil(begun, faults, town, at_ms))
            ads.add(spoil(seen.filter(within), faults, town, at_ms))
        if at_ms + length > start_ms:
            yield Slice(at_ms, length, plays.take(number), ads.take(number))
        number += 1
