"""Profiles: how a customer listened on a day of publication."""

from __future__ import annotations

import polars as pl
import pyroaring

from beam_pipeline.domain.schemas import PROFILES

PROFILED = ("customer_id", "track_id", "local_hour", "is_mobile", "published_at")
"""The columns of PLAYS that a profile is made of."""

_MORNING, _AFTERNOON, _EVENING, _NIGHT = 5, 12, 17, 22


def profiles(plays: pl.DataFrame) -> pl.DataFrame:
    """PROFILES of accepted plays: one row a customer and UTC day of published_at.

    Parts of the day are hours of the listener's own clock: morning 05 to 12, afternoon 12 to 17,
    evening 17 to 22, night the rest.
    """
    hour = pl.col("local_hour")
    morning = hour.is_between(_MORNING, _AFTERNOON, closed="left")
    afternoon = hour.is_between(_AFTERNOON, _EVENING, closed="left")
    evening = hour.is_between(_EVENING, _NIGHT, closed="left")
    grouped = (
        plays.group_by("customer_id", pl.col("published_at").dt.date().alias("day"))
        .agg(
            pl.len().alias("plays"),
            morning.sum().alias("morning"),
            afternoon.sum().alias("afternoon"),
            evening.sum().alias("evening"),
            pl.col("is_mobile").sum().alias("mobile"),
            pl.col("track_id").unique().alias("tracks"),
        )
        .with_columns(
            (pl.col("plays") - pl.sum_horizontal("morning", "afternoon", "evening")).alias("night"),
            pl.col("tracks").list.len().alias("distinct_tracks"),
        )
        .sort("customer_id", "day")
    )
    bitmaps = [_bitmap(tracks) for tracks in grouped["tracks"].to_list()]
    whole = grouped.with_columns(pl.Series("tracks", bitmaps, dtype=pl.Binary))
    return whole.select(list(PROFILES)).cast(PROFILES)


def _bitmap(tracks: list[int]) -> bytes:
    return pyroaring.BitMap64(tracks).serialize()
