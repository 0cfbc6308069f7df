"""Closing days: profiles, features and examples of everything that was published on them.

A closed day is written absolutely, whole, from what was published on it and the days before, so
closing it again gives the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from beam_pipeline.domain.examples import (
    DECISIONS,
    ONE_DAY,
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
    """The days to close, both included."""

    first: date
    last: date

    @property
    def days(self) -> list[date]:
        """Each of them."""
        return _days(self.first, self.last)

    @property
    def example_days(self) -> list[date]:
        """The days whose examples are written: that before them too, for it is settled now."""
        return _days(self.first - ONE_DAY, self.last)

    @property
    def as_of(self) -> date:
        """The day that features are for: all of the days are known on it."""
        return self.last + ONE_DAY

    def wanted(self) -> dict[str, tuple[date, date]]:
        """The days to read of each of INPUTS: published days, and those of decisions."""
        before = self.first - ONE_DAY
        heard, _ = heard_for(before, self.last)
        return {
            "plays": (self.first, self.last),
            "ad_events": (heard, self.last),
            "profiles": (before - WINDOW, before),
            "targets": (before - DECIDED_BEFORE, self.last),
        }

    def replaced(self) -> dict[str, list[date]]:
        """The partitions of the ledger's datasets that are written whole."""
        return {"profiles": self.days, "training_examples": self.example_days}


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
            examples(ad_events, known, decisions, day, span.last) for day in span.example_days
        ),
    )


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]
