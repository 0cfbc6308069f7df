"""The examination: each store in each subject."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from beam_pipeline.edges.bigquery import BigQueryConfig
from infra.local.stack import Endpoints
from infra.local.stores import Stores
from tests.prove import held
from tests.prove.expected import MINUTES, Expected
from tests.prove.grade import SHOWN, Difference, Grade, grade
from tests.prove.held import Held

EVENT = ("customer_id", "event_id")
INTEREST = ("customer_id", "track_id")
WINDOW = ("window_start", "window_end", "dimension", "key")
LETTER = ("received_at", "kind", "reason")
PROFILE = ("customer_id", "day")
MINUTE = ("minute",)


@dataclass(frozen=True)
class Findings:
    """What the examination found; see Report."""

    grades: list[Grade]
    reasons: dict[str, tuple[int, int]]
    minutes: pl.DataFrame


def examine(expected: Expected, stores: Stores, ends: Endpoints) -> Findings:
    """Read every store back whole and hold it against the key."""
    ledger = BigQueryConfig(ends.project, ends.dataset, ends.bigquery, ends.bigquery_grpc)
    both = [held.in_elasticsearch(stores), held.in_bigquery(ledger)]
    letters = held.dead_letters(ledger)
    grades = [_door(expected)]
    grades += _grades(expected, both)
    latest = expected.interests.select(*INTEREST, "latest")
    grades.append(grade("interests", "Redis", latest, held.listed(stores), INTEREST))
    grades.append(grade("rejects by reason", "BigQuery", expected.rejects, letters, LETTER))
    profiles = held.profiles(ledger, expected.profiles.columns)
    grades.append(grade("profiles", "BigQuery", expected.profiles, profiles, PROFILE))
    return Findings(grades, _reasons(expected.rejects, letters), _minutes(expected, both))


def _door(expected: Expected) -> Grade:
    """What the function said of each line: taken, or refused and why."""
    wrong = expected.door.filter(pl.col("reason") != pl.col("expected")).head(SHOWN)
    differences = tuple(
        Difference(
            {name: row[name] for name in ("kind", *EVENT)},
            {"reason": row["expected"]},
            {"reason": row["reason"]},
        )
        for row in wrong.iter_rows(named=True)
    )
    right = expected.sent - expected.summary["disagreements"]
    return Grade("answers", "Ingest", expected.sent, expected.sent, right, differences)


def _grades(expected: Expected, both: list[Held]) -> Iterator[Grade]:
    for one in both:
        store, health = one.store, one.health
        yield grade("plays", store, expected.plays, one.plays, EVENT)
        yield grade("ad events", store, expected.ad_events, one.ad_events, EVENT)
        yield grade("interests", store, expected.interests, one.interests, INTEREST)
        yield grade("window counts", store, expected.listening, one.listening, WINDOW)
        late, found = _late(expected), _late(one)
        yield grade("late", store, late, found, late.columns)
        copies = _counts(health, pl.col("duplicate"))
        yield grade("duplicates", store, expected.duplicates, copies, MINUTE, times="count")
        yield grade("counters by minute", store, expected.health, health, MINUTE)
        received = _counts(expected.health, pl.col("received"))
        parts = _counts(health, pl.sum_horizontal("accepted", "duplicate", "rejected"))
        yield grade("conservation", store, received, parts, MINUTE, times="count")


def _late(one: Expected | Held) -> pl.DataFrame:
    return pl.concat(
        frame.filter("is_late").select(pl.lit(kind).alias("kind"), *EVENT)
        for kind, frame in (("play", one.plays), ("ad", one.ad_events))
    )


def _counts(health: pl.DataFrame, count: pl.Expr) -> pl.DataFrame:
    return health.select("minute", count.alias("count")).cast(MINUTES)  # type: ignore[arg-type]


def _reasons(expected: pl.DataFrame, letters: pl.DataFrame) -> dict[str, tuple[int, int]]:
    wanted, found = (
        dict(frame.group_by("reason").len().iter_rows()) for frame in (expected, letters)
    )
    reasons = sorted(wanted.keys() | found.keys())
    return {reason: (wanted.get(reason, 0), found.get(reason, 0)) for reason in reasons}


def _minutes(expected: Expected, both: list[Held]) -> pl.DataFrame:
    """The expected counters of each minute, and whether they are `right` in every store."""
    right = pl.lit(True)
    minutes = expected.health
    for one in both:
        mark = one.health.with_columns(pl.lit(True).alias(one.store))
        minutes = minutes.join(mark, on=expected.health.columns, how="left")
        right &= pl.col(one.store).fill_null(False)
    return minutes.with_columns(right=right).sort("minute")
