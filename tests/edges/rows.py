"""Frames of invented rows, seeded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from beam_pipeline.domain.schemas import (
    AD_EVENTS,
    HEALTH,
    INTERESTS,
    LISTENING,
    MESSAGES,
    PLAYS,
    TIMESTAMP,
)

NOON = datetime(2026, 9, 21, 12, tzinfo=UTC)


def times(count: int, hours: float, seed: int) -> pl.Series:
    """Moments within some hours of noon, TIMESTAMP."""
    start = int(NOON.timestamp() * 1000)
    spread = np.random.default_rng(seed).integers(0, int(hours * 3_600_000), count)
    return pl.Series(start + spread).cast(TIMESTAMP)


def plays(count: int, seed: int = 1, hours: float = 2.0) -> pl.DataFrame:
    """PLAYS with every kind of null, and titles that JSON has to escape."""
    random = np.random.default_rng(seed)
    played = times(count, hours, seed)
    return pl.DataFrame(
        {
            "event_id": [f"{seed}-{number}" for number in range(count)],
            "customer_id": random.integers(0, 2**62, count),
            "track_id": random.integers(0, 50, count),
            "played_at": played,
            "local_hour": played.dt.hour(),
            "is_mobile": random.random(count) < 0.6,
            "zip": [("72132", "00000")[n % 2] for n in range(count)],
            "state": [("AR", None)[n % 2] for n in range(count)],
            "location": [("34.2,-92.3", None)[n % 2] for n in range(count)],
            "title": [('Moon "Over"\tMill\\', "달빛 아래", None)[n % 3] for n in range(count)],
            "artist": [("Quilt & Comet", "Zoë 👩‍🎤", None)[n % 3] for n in range(count)],
            "length_s": [(215, None)[n % 2] for n in range(count)],
            "gender": [("male", "female", None)[n % 3] for n in range(count)],
            "age": [(25, None)[n % 2] for n in range(count)],
            "age_band": [("25-34", None)[n % 2] for n in range(count)],
            "level": [("free", "gold", None)[n % 3] for n in range(count)],
            "campaign": [("NONE", None)[n % 2] for n in range(count)],
            "published_at": played.dt.offset_by("3s"),
            "is_late": [False] * count,
            "joined": [n % 3 for n in range(count)],
        },
        schema_overrides=PLAYS,
    ).select(list(PLAYS))


def interests(rows: Sequence[tuple[int, int, str | None, float, float, int]]) -> pl.DataFrame:
    """INTERESTS of (customer, track, title, minutes of since, minutes of latest, peak)."""
    return pl.DataFrame(
        [
            (
                customer,
                track,
                title,
                title and f"Band of {title}",
                NOON + timedelta(minutes=since),
                NOON + timedelta(minutes=latest),
                peak,
            )
            for customer, track, title, since, latest, peak in rows
        ],
        schema=INTERESTS,
        orient="row",
    )


def listening(rows: list[tuple[int, str, str, int, int]]) -> pl.DataFrame:
    """LISTENING of (minutes of the window, dimension, key, plays, listeners)."""
    return pl.DataFrame(
        [
            (NOON - timedelta(minutes=minutes), NOON, dimension, key, plays, listeners)
            for minutes, dimension, key, plays, listeners in rows
        ],
        schema=LISTENING,
        orient="row",
    )


def health(rows: list[tuple[int, int, int]]) -> pl.DataFrame:
    """HEALTH of (minutes after noon, received, duplicate); the rest was accepted."""
    return pl.DataFrame(
        [
            (
                NOON + timedelta(minutes=minute),
                received,
                received - duplicate,
                duplicate,
                0,
                0,
                0,
                0,
            )
            for minute, received, duplicate in rows
        ],
        schema=HEALTH,
        orient="row",
    )


def ad_events(count: int) -> pl.DataFrame:
    """AD_EVENTS of as many customers."""
    return pl.DataFrame(
        [
            (
                f"a{n}",
                n,
                "ADV_REDUCED_1DAY",
                "shown",
                (f"gold-day:{n}", None)[n % 2],
                NOON,
                NOON,
                False,
            )
            for n in range(count)
        ],
        schema=AD_EVENTS,
        orient="row",
    )


def outcomes(count: int) -> pl.DataFrame:
    """MESSAGES of as many customers, every other one refused."""
    return pl.DataFrame(
        [
            (
                f"gold-day:{n}",
                n,
                "gold-day",
                ("sent", "refused")[n % 2],
                (None, "cap")[n % 2],
                1,
                NOON,
            )
            for n in range(count)
        ],
        schema=MESSAGES,
        orient="row",
    )
