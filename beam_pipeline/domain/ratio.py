"""The share of a minute's events that is rejected, and when it is too large.

Rejecting is cheap and right for a line, and wrong for a stream: when a client's release or ours
breaks the contract, everything flows and nothing is stored. Then somebody has to be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain.times import epoch_ms

DEFAULT_LIMIT = 0.2
"""Past this share of a minute's events the alarm is raised.

Ordinary trouble (old clients, wrong clocks, scanners) stays at a few per cent. What needs
a person, a version that is not known yet or a large client's broken release, takes that client's
whole share of the traffic, which for one that matters is more than a fifth. A tenth would be
reached by one small client's bad evening; at a half, a client of a third of all listeners could be
lost for days and nobody be told.
"""

LEAST_EVENTS = 1_000
"""A minute with fewer events raises no alarm: one phone with a fault can be a fifth of it."""

REMEMBERED = 60
"""How many minutes are remembered, the newest, for events that come later."""

TOP_REASONS = 3

VERDICTS = pl.Schema({"minute": pl.Int64(), "reason": pl.String(), "count": pl.Int64()})
"""How many lines of a minute of published_at (minutes since the epoch) met one fate; the reason is
null for lines that are events, duplicates included."""

_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Alarm:
    """A minute in which too many events were rejected."""

    minute: int
    """Minutes since the epoch."""
    received: int
    rejected: int
    reasons: tuple[tuple[str, int], ...]
    """The most frequent, with how often."""
    limit: float

    def __str__(self) -> str:
        """The log line that infra/monitoring waits for."""
        began = datetime.fromtimestamp(self.minute * 60, UTC)
        top = ", ".join(f"{reason} {count}" for reason, count in self.reasons)
        return (
            f"dead letter ratio {self.rejected / self.received:.1%} in the minute "
            f"{began:%Y-%m-%dT%H:%M:%SZ}: {self.rejected} of {self.received} events were rejected "
            f"({top}); the limit is {self.limit:.1%}"
        )


def verdicts(published: Iterable[pl.Series], rejected: Sequence[tuple[int, str]]) -> pl.DataFrame:
    """VERDICTS of a batch.

    Args:
        published: columns of published_at, of lines that are events.
        rejected: published_at, in ms, and reason of each that is none.
    """
    counted: dict[tuple[int, str | None], int] = {}
    for times in published:
        for minute, count in _by_minute(epoch_ms(times)):
            counted[minute, None] = counted.get((minute, None), 0) + count
    for ms, reason in rejected:
        fate = ms // _MINUTE_MS, reason
        counted[fate] = counted.get(fate, 0) + 1
    if not counted:
        return _no_verdicts()
    return pl.DataFrame(
        [
            pl.Series("minute", [minute for minute, _ in counted], pl.Int64),
            pl.Series("reason", [reason for _, reason in counted], pl.String),
            pl.Series("count", list(counted.values()), pl.Int64),
        ]
    )


@cache
def _no_verdicts() -> pl.DataFrame:
    return VERDICTS.to_frame()


def _by_minute(ms: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """The minutes that occur, and how often: mostly one or two, side by side."""
    if not len(ms):
        return
    minutes = ms // _MINUTE_MS
    low, high = int(minutes.min()), int(minutes.max())
    if high - low > len(minutes):
        distinct, counts = np.unique(minutes, return_counts=True)
    else:
        distinct, counts = np.arange(low, high + 1), np.bincount(minutes - low)
    for minute, count in zip(distinct.tolist(), counts.tolist(), strict=True):
        if count:
            yield minute, count


def total(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """The sum of VERDICTS frames over the minutes that are remembered."""
    summed = pl.concat([_no_verdicts(), *parts]).group_by("minute", "reason").sum()
    newest = summed["minute"].unique().top_k(REMEMBERED)
    return summed.filter(pl.col("minute").is_in(newest.implode()))


def alarms(summed: pl.DataFrame, limit: float) -> list[Alarm]:
    """The minutes, in order, in which more than `limit` of the events were rejected.

    Args:
        summed: VERDICTS, one row a minute and reason, of whole minutes.
        limit: a share of 1.
    """
    minutes = summed.group_by("minute").agg(
        received=pl.col("count").sum(),
        rejected=pl.col("count").filter(pl.col("reason").is_not_null()).sum(),
    )
    past = minutes.filter(
        pl.col("received") >= LEAST_EVENTS, pl.col("rejected") > limit * pl.col("received")
    ).sort("minute")
    return [
        Alarm(minute, received, rejected, _top(summed, minute), limit)
        for minute, received, rejected in past.iter_rows()
    ]


def _top(summed: pl.DataFrame, minute: int) -> tuple[tuple[str, int], ...]:
    mine = summed.filter(pl.col("minute") == minute, pl.col("reason").is_not_null())
    ordered = mine.sort("count", "reason", descending=[True, False]).head(TOP_REASONS)
    return tuple(ordered.select("reason", "count").iter_rows())
