"""The frames that flow through the pipeline and the columns of every dataset.

Column names and their order are a contract: Elasticsearch documents, BigQuery rows and the
Parquet files of a bounded run carry exactly these. A stream adds `publish_time` as the last
column of plays and ad events; no store writes it.
"""

from __future__ import annotations

from functools import cache

import polars as pl

TIMESTAMP = pl.Datetime("ms", "UTC")
"""Every moment: milliseconds, UTC."""

PUBLISH_TIME = "publish_time"
"""Pub/Sub's own time of the message that brought the row: where a restart seeks from."""

PLAYS = pl.Schema(
    {
        "event_id": pl.String(),
        "customer_id": pl.Int64(),
        "track_id": pl.Int64(),
        "played_at": TIMESTAMP,
        "local_hour": pl.Int8(),
        "is_mobile": pl.Boolean(),
        "zip": pl.String(),
        "state": pl.String(),
        "location": pl.String(),
        "title": pl.String(),
        "artist": pl.String(),
        "length_s": pl.Int32(),
        "gender": pl.String(),
        "age": pl.Int16(),
        "age_band": pl.String(),
        "level": pl.String(),
        "campaign": pl.String(),
        "published_at": TIMESTAMP,
        "is_late": pl.Boolean(),
        "joined": pl.Int8(),
    }
)

INTERESTS = pl.Schema(
    {
        "customer_id": pl.Int64(),
        "track_id": pl.Int64(),
        "title": pl.String(),
        "artist": pl.String(),
        "since": TIMESTAMP,
        "latest": TIMESTAMP,
        "peak": pl.Int32(),
    }
)

LISTENING = pl.Schema(
    {
        "window_start": TIMESTAMP,
        "window_end": TIMESTAMP,
        "dimension": pl.String(),
        "key": pl.String(),
        "plays": pl.Int64(),
        "listeners": pl.Int64(),
    }
)

AD_EVENTS = pl.Schema(
    {
        "event_id": pl.String(),
        "customer_id": pl.Int64(),
        "ad": pl.String(),
        "action": pl.String(),
        "offer_id": pl.String(),
        "at": TIMESTAMP,
        "published_at": TIMESTAMP,
        "is_late": pl.Boolean(),
    }
)

PROFILES = pl.Schema(
    {
        "customer_id": pl.Int64(),
        "day": pl.Date(),
        "plays": pl.Int32(),
        "morning": pl.Int32(),
        "afternoon": pl.Int32(),
        "evening": pl.Int32(),
        "night": pl.Int32(),
        "mobile": pl.Int32(),
        "distinct_tracks": pl.Int32(),
        "tracks": pl.Binary(),
    }
)

MESSAGES = pl.Schema(
    {
        "message_id": pl.String(),
        "customer_id": pl.Int64(),
        "offer": pl.String(),
        "status": pl.String(),
        "reason": pl.String(),
        "attempts": pl.Int32(),
        "at": TIMESTAMP,
    }
)

TARGETS = pl.Schema(
    {
        "customer_id": pl.Int64(),
        "offer": pl.String(),
        "score": pl.Float64(),
        "model_version": pl.String(),
        "decided_at": TIMESTAMP,
        "channel": pl.String(),
        "explore": pl.Boolean(),
    }
)

DEAD_LETTERS = pl.Schema(
    {
        "id": pl.String(),
        "received_at": TIMESTAMP,
        "source": pl.String(),
        "reason": pl.String(),
        "detail": pl.String(),
        "payload": pl.Binary(),
        "attributes": pl.String(),
    }
)

HEALTH = pl.Schema(
    {
        "minute": TIMESTAMP,
        "received": pl.Int64(),
        "accepted": pl.Int64(),
        "duplicate": pl.Int64(),
        "rejected": pl.Int64(),
        "late": pl.Int64(),
        "unknown_customer": pl.Int64(),
        "unknown_track": pl.Int64(),
    }
)

DATASETS: dict[str, pl.Schema] = {
    "plays": PLAYS,
    "interests": INTERESTS,
    "listening": LISTENING,
    "ad_events": AD_EVENTS,
    "profiles": PROFILES,
    "targets": TARGETS,
    "messages": MESSAGES,
    "dead_letters": DEAD_LETTERS,
    "health": HEALTH,
}
"""The datasets that the pipeline writes, by name."""


@cache
def no_rows(dataset: str) -> pl.DataFrame:
    """An empty frame of a dataset."""
    return DATASETS[dataset].to_frame()


GENDERS = ("male", "female")
LEVELS = ("free", "silver", "gold")
CAMPAIGNS = ("NONE", "30DAYFREE", "SUPERBOWL", "RETAILSTORE", "WEBOFFER")
AGE_BANDS = ("0-17", "18-24", "25-34", "35-44", "45-54", "55-64", "65+")
"""Encodings of the reference data, by their code (age bands by their order)."""

UNKNOWN = "unknown"
"""A null trait as the key of a count."""

RAW_PLAYS = pl.Schema(
    {
        "event_id": pl.String(),
        "customer_id": pl.Int64(),
        "track_id": pl.Int64(),
        "played_at": TIMESTAMP,
        "local_hour": pl.Int8(),
        "is_mobile": pl.Boolean(),
        "zip": pl.String(),
        "published_at": TIMESTAMP,
        PUBLISH_TIME: TIMESTAMP,
    }
)
"""A decoded play, before anything is known about its customer and track."""

RAW_AD_EVENTS = pl.Schema({**AD_EVENTS, PUBLISH_TIME: TIMESTAMP})
"""A decoded ad event."""
