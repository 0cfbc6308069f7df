"""Closing days: profiles, features and examples of everything that was published on them.

A closed day is written absolutely, whole, from what was published on it and the days before, so
closing it again gives the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

import polars as pl

from beam_pipeline.domain.examples import (
    DECISIONS,
    ONE_DAY,
    SETTLED_AFTER,
    TRAINING_EXAMPLES,
    examples,
    heard_for,
)
from beam_pipeline.domain.features import FEATURE_ROWS, MOMENTS, WINDOW, features
from beam_pipeline.domain.profiles import PROFILED, profiles
from beam_pipeline.domain.schemas import AD_EVENTS, PLAYS, PROFILES

INPUTS: dict[str, pl.Schema] = {
    "plays": pl.Schema({name: PLAYS[name] for name in PROFILED}),
    "ad_events": AD_EVENTS,
    "profiles": PROFILES,
    "targets": DECISIONS,
}
"""What closing days is made of: of each dataset the columns that are needed."""

OUTPUTS: dict[str, pl.Schema] = {
    "profiles": PROFILES,
    "features": FEATURE_ROWS,
    "training_examples": TRAINING_EXAMPLES,
}
"""What it gives."""

DECIDED_BEFORE = timedelta(days=60)
"""How long after its decision an offer may still be shown."""


@dataclass(frozen=True, slots=True)
class Span:
    """Days to close, both included; or, with `so_far`, one day that is still open.

    Of an open day only examples are written, those whose label is settled so far: it is closed,
    and they are written again, when it is over.
    """

    first: date
    last: date
    so_far: datetime | None = None
    """The moment until which an open day's events are there."""
    settled_after: timedelta = SETTLED_AFTER

    @property
    def days(self) -> list[date]:
        """The days that are closed."""
        return [] if self.so_far else _days(self.first, self.last)

    @property
    def example_days(self) -> list[date]:
        """The days whose examples are written: that before them too, for it is settled now."""
        return _days(self.first - ONE_DAY, self.last)

    @property
    def as_of(self) -> date:
        """The day that features are for: every closed day is known on it."""
        return self.last if self.so_far else self.last + ONE_DAY

    @property
    def heard_until(self) -> datetime:
        """Everything published before this moment is there."""
        return self.so_far or datetime.combine(self.last + ONE_DAY, time(), UTC)

    def wanted(self) -> dict[str, tuple[date, date]]:
        """The days to read of each of INPUTS: published days, and those of decisions."""
        before = self.first - ONE_DAY
        heard, _ = heard_for(before, self.last)
        days = {
            "plays": (self.first, self.last),
            "ad_events": (heard, self.last),
            "profiles": (before - WINDOW, before),
            "targets": (before - DECIDED_BEFORE, self.last),
        }
        return {name: span for name, span in days.items() if name != "plays" or not self.so_far}

    def replaced(self) -> dict[str, list[date]]:
        """The partitions of the ledger's datasets that are written whole."""
        days = {"profiles": self.days, "training_examples": self.example_days}
        return {name: written for name, written in days.items() if written}


class Closed(NamedTuple):
    """What closing days gives; the names are those of OUTPUTS."""

    profiles: pl.DataFrame
    """Of the days that were closed."""
    features: pl.DataFrame
    """As of the day after, for everybody who was heard in the window."""
    training_examples: pl.DataFrame


def close(span: Span, inputs: Mapping[str, Sequence[pl.DataFrame]]) -> Closed:
    """Close the days of a span for some customers.

    Args:
        span: the days.
        inputs: INPUTS by name, in any number of frames, one row an identity; a customer's rows
            are all there.
    """
    plays, ad_events, earlier, decisions = (
        pl.concat([schema.to_frame(), *(frame.cast(schema) for frame in inputs.get(name, ()))])
        for name, schema in INPUTS.items()
    )
    closed = profiles(plays).filter(pl.col("day").is_between(span.first, span.last))
    known = pl.concat([earlier.filter(pl.col("day") < span.first), closed])
    moments = known.select("customer_id").unique().select("customer_id", as_of=pl.lit(span.as_of))
    return Closed(
        profiles=closed,
        features=features(known, moments.cast(MOMENTS)),
        training_examples=pl.concat(
            examples(ad_events, known, decisions, day, span.heard_until, span.settled_after)
            for day in span.example_days
        ),
    )


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
