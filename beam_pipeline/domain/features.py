"""Features of a customer at a moment: the one definition, and the only code that computes one.

The formulas are data. They are what is evaluated, and what the definition's hash is taken of, so
a features row, an example and a model that carry the same hash mean the same by every number.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import timedelta

import polars as pl
import pyroaring

WINDOW = timedelta(days=28)
"""Closed days before 00:00 UTC of the moment's published day that a feature looks back on."""

FORMULAS: dict[str, str] = {
    "morning_share": "morning / plays",
    "afternoon_share": "afternoon / plays",
    "evening_share": "evening / plays",
    "night_share": "night / plays",
    "mobile_share": "mobile / plays",
    "distinct_share": "distinct_tracks / plays",
}
"""Each feature in terms of sums over the window's profiles (Float64); `distinct_tracks` counts the
union of their tracks."""

FEATURES: tuple[str, ...] = tuple(FORMULAS)

_MEANINGS = {
    "window_days": WINDOW.days,
    "parts_of_day": {"morning": "05-12", "afternoon": "12-17", "evening": "17-22"},
    "formulas": FORMULAS,
}

FEATURE_HASH = hashlib.sha256(json.dumps(_MEANINGS).encode()).hexdigest()[:16]
"""The definition's identity: 16 hexadecimal digits."""

MOMENTS = pl.Schema({"customer_id": pl.Int64(), "as_of": pl.Date()})
"""A customer on a published day: everything published before 00:00 UTC of `as_of` is known."""

FEATURE_ROWS = pl.Schema(
    {
        **MOMENTS,
        **dict.fromkeys(FEATURES, pl.Float64()),
        "feature_hash": pl.String(),
    }
)
"""The dataset `features`: one row a customer and day."""

_SUMMED = ("plays", "morning", "afternoon", "evening", "night", "mobile")


def features(profiles: pl.DataFrame, moments: pl.DataFrame) -> pl.DataFrame:
    """FEATURE_ROWS of MOMENTS, sorted by customer and day.

    A moment without a play in its window has no row: there is nothing to judge it by.

    Args:
        profiles: PROFILES, one row a customer and day; days outside a window do not matter.
        moments: MOMENTS, in any order; a repeated one counts once.
    """
    day = pl.col("day")
    seen = (
        moments.select(list(MOMENTS))
        .unique()
        .join(profiles, on="customer_id")
        .filter((day >= pl.col("as_of") - WINDOW) & (day < pl.col("as_of")))
        .group_by("customer_id", "as_of")
        .agg(
            *(pl.col(name).sum().cast(pl.Float64) for name in _SUMMED),
            pl.col("tracks"),
        )
        .filter(pl.col("plays") > 0)
    )
    distinct = [_distinct(bitmaps) for bitmaps in seen["tracks"].to_list()]
    known = seen.with_columns(pl.Series("distinct_tracks", distinct, dtype=pl.Float64))
    return known.select(
        *MOMENTS,
        *(pl.sql_expr(formula).alias(name) for name, formula in FORMULAS.items()),
        pl.lit(FEATURE_HASH).alias("feature_hash"),
    ).sort("customer_id", "as_of")


def _distinct(bitmaps: Sequence[bytes]) -> int:
    """How many tracks a few serialised bitmaps hold together."""
    first, *rest = (pyroaring.BitMap64.deserialize(bitmap) for bitmap in bitmaps)
    for other in rest:
        first |= other
    return len(first)
