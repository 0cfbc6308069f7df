"""Examples to learn from: an offer that was shown, what was known then, and whether it was clicked.

Time here is the time of publication: what the system had heard. An example's features look at
closed days before the day it was shown on, so nothing that was learnt later can be in them; its
label is settled by what was heard until the end of the following day, and never changes again.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import polars as pl

from beam_pipeline.domain.events import LATE_AFTER
from beam_pipeline.domain.features import FEATURES, features
from beam_pipeline.domain.schemas import TIMESTAMP

LABEL_HORIZON = timedelta(hours=1)
"""A click counts for the offer shown at most this long before it."""

SETTLED_AFTER = LABEL_HORIZON + LATE_AFTER
"""How long after it was published a shown offer without a click is known to have none."""

ONE_DAY = timedelta(days=1)

TRAINING_EXAMPLES = pl.Schema(
    {
        "shown_event_id": pl.String(),
        "customer_id": pl.Int64(),
        "ad": pl.String(),
        "shown_at": TIMESTAMP,
        "as_of": pl.Date(),
        **dict.fromkeys(FEATURES, pl.Float64()),
        "clicked": pl.Boolean(),
        "explore": pl.Boolean(),
        "feature_hash": pl.String(),
    }
)
"""The dataset `training_examples`, a partition a day of `as_of`, the published day of the offer.

Features (and `feature_hash`) are null where the customer had not been heard in 28 days; `explore`
is null where the decision that led to the offer is not known.
"""

DECISIONS = pl.Schema({"customer_id": pl.Int64(), "offer": pl.String(), "explore": pl.Boolean()})
"""What is asked of `targets`."""


def heard_for(first: date, last: date) -> tuple[date, date]:
    """The published days of ad events that the examples of [first, last] are made of."""
    return first - ONE_DAY, last + ONE_DAY


def examples(
    ad_events: pl.DataFrame,
    profiles: pl.DataFrame,
    decisions: pl.DataFrame,
    day: date,
    heard_until: datetime,
    settled_after: timedelta = SETTLED_AFTER,
) -> pl.DataFrame:
    """TRAINING_EXAMPLES of the offers that were shown on a published day.

    Args:
        ad_events: AD_EVENTS; only those published from the day before to the day after matter.
        profiles: PROFILES; only the 28 days before `day` matter.
        decisions: DECISIONS.
        day: the published day.
        heard_until: everything published before this moment is there. Offers whose label is not
            settled by then are left out, to be taken up by a later run.
        settled_after: when a label is taken as settled. Sooner than SETTLED_AFTER, a later run may
            give another one.
    """
    first, last = heard_for(day, day)
    end = min(_midnight(last + ONE_DAY), heard_until)
    events = _once(_published_between(ad_events, _midnight(first), end))
    offered = events.filter(pl.col("offer_id").is_not_null())
    shown = offered.filter(pl.col("action") == "shown").sort("at", "event_id")
    settled = (pl.col("published_at") + settled_after) <= heard_until
    asked = _published_between(shown, _midnight(day), _midnight(day + ONE_DAY)).filter(settled)
    moments = asked.select(
        "customer_id",
        "offer_id",
        "ad",
        pl.col("event_id").alias("shown_event_id"),
        pl.col("at").alias("shown_at"),
        pl.col("published_at").dt.date().alias("as_of"),
    )
    labelled = _clicked(shown, offered.filter(pl.col("action") == "clicked"))
    return (
        moments.join(features(profiles, moments), on=["customer_id", "as_of"], how="left")
        .join(labelled, on=["customer_id", "shown_event_id"], how="left")
        .join(_explored(decisions), on=["customer_id", "offer_id"], how="left")
        .with_columns(pl.col("clicked").fill_null(value=False))
        .select(list(TRAINING_EXAMPLES))
        .cast(TRAINING_EXAMPLES)
        .sort("shown_at", "customer_id", "shown_event_id")
    )


def _clicked(shown: pl.DataFrame, clicks: pl.DataFrame) -> pl.DataFrame:
    """The (customer_id, shown_event_id) that a click labels: the latest offer shown before it."""
    found = clicks.select("customer_id", "offer_id", "at").sort("at")
    latest = found.join_asof(
        shown.select("customer_id", "offer_id", "at", pl.col("event_id").alias("shown_event_id")),
        on="at",
        by=["customer_id", "offer_id"],
        tolerance=LABEL_HORIZON,
        check_sortedness=False,
    )
    return (
        latest.select("customer_id", "shown_event_id")
        .drop_nulls()
        .unique()
        .with_columns(pl.lit(value=True).alias("clicked"))
    )


def _explored(decisions: pl.DataFrame) -> pl.DataFrame:
    """DECISIONS by offer_id, `{offer}:{customer_id}`."""
    return decisions.select(
        "customer_id",
        pl.concat_str("offer", "customer_id", separator=":").alias("offer_id"),
        "explore",
    ).unique(["customer_id", "offer_id"], keep="any")


def _once(events: pl.DataFrame) -> pl.DataFrame:
    """One row an identity, the copy that was published first."""
    return events.sort("published_at").unique(["customer_id", "event_id"], keep="first")


def _published_between(events: pl.DataFrame, start: datetime, end: datetime) -> pl.DataFrame:
    return events.filter(pl.col("published_at").is_between(start, end, closed="left"))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
