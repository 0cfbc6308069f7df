"""A small world in BigQuery, whose answers can be worked out on a sheet of paper."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import polars as pl

from beam_pipeline.domain.examples import TRAINING_EXAMPLES
from beam_pipeline.domain.schemas import (
    AD_EVENTS,
    DEAD_LETTERS,
    HEALTH,
    LISTENING,
    PLAYS,
    PROFILES,
)
from tests.edges.rows import NOON, interests

SINCE = NOON - timedelta(days=1)
UNTIL = NOON + timedelta(days=3)

ANN = (1, "female", 24, "18-24", "free")
BOB = (2, "male", 27, "25-34", "gold")
CAL = (3, "male", 52, "45-54", "silver")
EVE = (4, None, None, None, None)

MOON = (10, "Moon Over Mill", "Quilt & Comet")
FERN = (11, "Fern", "달빛")
LOST = (12, None, None)


def play(
    event: str,
    who: tuple[int, str | None, int | None, str | None, str | None],
    track: tuple[int, str | None, str | None],
    *,
    hour: int = 12,
    mobile: bool = True,
    state: str | None = "AR",
    late: bool = False,
    joined: int = 2,
    published: float = 1.0,
    day: int = 0,
) -> tuple[object, ...]:
    """A row of PLAYS."""
    at = NOON.replace(hour=hour) + timedelta(days=day)
    customer, gender, age, band, level = who
    return (
        *(event, customer, track[0], at, hour, mobile, "72132", state, None, track[1], track[2]),
        *(None, gender, age, band, level, "NONE", at + timedelta(seconds=published), late, joined),
    )


def plays() -> pl.DataFrame:
    """Seven plays of four people; two of them were appended more than once, one out of range."""
    rows = [
        play("a1", ANN, MOON, hour=8),
        play("a1", ANN, MOON, hour=8, published=9),
        play("a2", ANN, FERN, hour=8, mobile=False),
        play("b1", BOB, MOON, hour=8, state="TX"),
        play("b2", BOB, FERN, hour=20, state="TX"),
        play("b3", BOB, FERN, hour=20, mobile=False, state="TX", late=True),
        play("c1", CAL, LOST, hour=20, joined=1),
        play("c1", CAL, FERN, hour=20, joined=2, published=99),
        play("e1", EVE, LOST, hour=20, state=None, joined=0),
        play("x1", ANN, MOON, hour=8, day=-30),
    ]
    return pl.DataFrame(rows, schema=PLAYS, orient="row")


def listening() -> pl.DataFrame:
    """Two windows; the count of the first was appended as it grew."""
    start, minutes = NOON, timedelta(minutes=5)
    rows = [
        (start, start + minutes, "all", "all", 1, 1),
        (start, start + minutes, "all", "all", 3, 2),
        (start + minutes, start + 2 * minutes, "all", "all", 5, 4),
        (start - 5 * minutes, start + minutes, "all", "all", 9, 6),
        (start, start + minutes, "gender", "male", 2, 1),
    ]
    return pl.DataFrame(rows, schema=LISTENING, orient="row")


def taken_to() -> pl.DataFrame:
    """Interests that grew, and one from before the range."""
    return interests(
        [
            (1, 10, "Moon", 0, 10, 3),
            (1, 10, None, -5, 5, 4),
            (1, 11, "Fern", 1, 20, 3),
            (2, 10, "Moon", 0, 2, 3),
            (3, 10, "Moon", -9000, -9000, 7),
        ]
    )


def health() -> pl.DataFrame:
    """Two days; a minute was appended as its counts grew, and once from a replay that saw less."""
    minute, tomorrow = NOON, NOON + timedelta(days=1)
    rows = [
        (minute, 5, 5, 0, 0, 1, 0, 0),
        (minute, 10, 7, 1, 2, 1, 0, 1),
        (minute, 10, 8, 0, 2, 1, 0, 1),
        (minute + timedelta(minutes=1), 10, 9, 1, 0, 0, 1, 0),
        (tomorrow, 4, 4, 0, 0, 0, 0, 0),
    ]
    return pl.DataFrame(rows, schema=HEALTH, orient="row")


def dead_letters() -> pl.DataFrame:
    """Three refused lines, one of them told twice."""
    rows = [
        ("m/1", NOON, "ingest", "not_json", "expected a brace", b'{"event_id":"z9', "{}"),
        ("m/2", NOON, "ingest", "not_utf8", "byte 3", b"\xff\xfe", "{}"),
        ("m/2", NOON + timedelta(minutes=5), "ingest", "not_utf8", "byte 3", b"\xff\xfe", "{}"),
        ("m/3", NOON + timedelta(hours=1), "ingest", "not_json", "an end", b"{", "{}"),
    ]
    return pl.DataFrame(rows, schema=DEAD_LETTERS, orient="row")


def profiles() -> pl.DataFrame:
    """Two closed days of one customer and one of another."""
    rows = [
        (1, date(2026, 9, 21), 4, 1, 2, 1, 0, 3, 2, b""),
        (1, date(2026, 9, 22), 2, 0, 0, 0, 2, 0, 1, b""),
        (2, date(2026, 9, 21), 9, 9, 0, 0, 0, 9, 9, b""),
    ]
    return pl.DataFrame(rows, schema=PROFILES, orient="row")


TARGETS = pl.Schema(
    {
        "customer_id": pl.Int64(),
        "offer": pl.String(),
        "score": pl.Float64(),
        "model_version": pl.String(),
        "decided_at": PLAYS["played_at"],
        "channel": pl.String(),
        "explore": pl.Boolean(),
    }
)
MESSAGES = pl.Schema(
    {
        "message_id": pl.String(),
        "customer_id": pl.Int64(),
        "offer": pl.String(),
        "status": pl.String(),
        "reason": pl.String(),
        "attempts": pl.Int64(),
        "at": PLAYS["played_at"],
    }
)


def targets() -> pl.DataFrame:
    """Ten customers by model (four held out), two explored, one whose day is not over."""
    rows: list[tuple[object, ...]] = [
        (n, "gold-day", 0.8, "v1", NOON, "holdout" if n > 106 else "screen", False)
        for n in range(101, 111)
    ]
    rows += [(n, "gold-day", None, None, NOON, "screen", True) for n in (111, 112)]
    rows += [rows[0], (113, "gold-day", 0.9, "v1", UNTIL - timedelta(hours=2), "screen", False)]
    return pl.DataFrame(rows, schema=TARGETS, orient="row")


def ad_event(
    customer: int, action: str, after: timedelta, offer: str | None = "gold-day"
) -> tuple[object, ...]:
    """A row of AD_EVENTS."""
    at: datetime = NOON + after
    offer_id = offer and f"{offer}:{customer}"
    return (f"{action}-{customer}", customer, "ADV", action, offer_id, at, at, False)


def ad_events() -> pl.DataFrame:
    """Five saw it, two clicked, three upgraded: one too late, one held out."""
    hour = timedelta(hours=1)
    rows = [ad_event(customer, "shown", hour) for customer in (101, 102, 103, 104, 111)]
    rows += [ad_event(customer, "clicked", 1.5 * hour) for customer in (101, 102)]
    rows += [
        ad_event(101, "upgraded", 2 * hour),
        ad_event(101, "upgraded", 2 * hour),
        ad_event(102, "upgraded", 25 * hour),
        ad_event(110, "upgraded", 3 * hour, offer=None),
    ]
    return pl.DataFrame(rows, schema=AD_EVENTS, orient="row")


def messages() -> pl.DataFrame:
    """One message that went through two states, and one that was not sent."""
    rows = [
        ("m1", 101, "gold-day", "sending", None, 1, NOON),
        ("m1", 101, "gold-day", "sent", None, 2, NOON + timedelta(minutes=1)),
        ("m2", 102, "gold-day", "refused", "no consent", 0, NOON),
    ]
    return pl.DataFrame(rows, schema=MESSAGES, orient="row")


def examples() -> pl.DataFrame:
    """The four that the model scored and that were shown: two clicked."""
    features = (0.25, 0.25, 0.25, 0.25, 0.5, 0.5)
    rows = [
        (
            *(f"shown-{customer}", customer, "ADV", NOON + timedelta(hours=1), date(2026, 9, 21)),
            *(*features, customer in (101, 102), False, "abc"),
        )
        for customer in (101, 102, 103, 104, 111)
    ]
    return pl.DataFrame(rows, schema=TRAINING_EXAMPLES, orient="row")


WORLD = {
    "plays": plays,
    "listening": listening,
    "interests": taken_to,
    "health": health,
    "dead_letters": dead_letters,
    "profiles": profiles,
    "targets": targets,
    "ad_events": ad_events,
    "messages": messages,
    "training_examples": examples,
}
