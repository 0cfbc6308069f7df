"""Ad events as they happen: banners without an offer, seen at the start of a session."""

from __future__ import annotations

import numpy as np
import polars as pl

from simulator.seeds import stream
from simulator.sessions import Town, running_number

ADS = pl.Schema(
    {
        "published": pl.Int64(),
        "played": pl.Int64(),
        "offset": pl.Int16(),
        "person": pl.Int32(),
        "customer_id": pl.Int64(),
        "ad": pl.UInt8(),
        "action": pl.UInt8(),
        "offer": pl.String(),
        "series": pl.Int64(),
        "half": pl.Int64(),
        "rank": pl.Int32(),
        "copied": pl.Boolean(),
        "newer": pl.Boolean(),
        "flaw": pl.UInt8(),
    }
)
"""A slice of ad events, as PLAYS; `played` is the event's `at`, `offer` its offer_id or null."""

AD_NAMES = ("ADV_REDUCED_1DAY", "ADV_FREE_REFERRAL", "ADV_FAMILY_PLAN", "ADV_CONCERT_NIGHT")
ACTIONS = ("shown", "clicked", "upgraded")
SHOWN, CLICKED, UPGRADED = range(3)

BANNERS = 0.10
"""Share of sessions that begin under a banner."""
BANNER_CLICKS = 0.08


def banners(town: Town, plays: pl.DataFrame, at_ms: int) -> pl.DataFrame:
    """The banners of the sessions in a slice of plays and the clicks on them, as ADS."""
    rng = stream(town.seed, "banners", at_ms)
    starts = plays.unique("session", keep="first", maintain_order=True)
    starts = starts.filter(rng.random(starts.height) < BANNERS)
    count = starts.height
    ad = rng.integers(1, len(AD_NAMES), count)
    clicked = rng.random(count) < BANNER_CLICKS
    wait = rng.integers(1_500, 90_000, count)
    at = starts["played"].to_numpy()
    return ad_frame(
        starts,
        np.concatenate([at, (at + wait)[clicked]]),
        np.concatenate([np.arange(count), np.arange(count)[clicked]]),
        np.concatenate([ad, ad[clicked]]),
        np.repeat([SHOWN, CLICKED], [count, clicked.sum()]),
        pl.repeat(None, count + int(clicked.sum()), dtype=pl.String, eager=True),
        at_ms,
    )


def ad_frame(
    source: pl.DataFrame,
    at: np.ndarray,
    row: np.ndarray,
    ad: np.ndarray,
    action: np.ndarray,
    offer: pl.Series,
    at_ms: int,
) -> pl.DataFrame:
    """ADS of the people in `source[row]` (person, customer_id, offset), one event an entry."""
    ids = source["customer_id"].to_numpy()[row]
    return pl.DataFrame(
        {
            "published": at,
            "played": at,
            "offset": source["offset"].to_numpy()[row],
            "person": source["person"].to_numpy()[row],
            "customer_id": ids,
            "ad": ad,
            "action": action,
            "offer": offer,
            "series": np.full(len(ids), at_ms // 1000, np.int64),
            "half": ids // 2,
            "rank": running_number(ids),
            "copied": np.zeros(len(ids), bool),
            "newer": np.zeros(len(ids), bool),
            "flaw": np.zeros(len(ids), np.uint8),
        },
        schema=ADS,
    )
