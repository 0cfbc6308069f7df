"""Examples: what a label is, when it is settled, and that nothing known later is in a feature."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from beam_pipeline.domain.examples import (
    DECISIONS,
    SETTLED_AFTER,
    TRAINING_EXAMPLES,
    examples,
)
from beam_pipeline.domain.features import FEATURES, features
from beam_pipeline.domain.profiles import PROFILED, profiles
from beam_pipeline.domain.schemas import AD_EVENTS, PLAYS

DAY = date(2026, 3, 15)
NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAYS = (
    timedelta(**{unit: 1}) for unit in ("seconds", "minutes", "hours", "days")
)


def event(
    name: str,
    action: str,
    at: datetime,
    customer: int = 1,
    offer: str | None = "gold:1",
    published: datetime | None = None,
) -> tuple[object, ...]:
    """One row of AD_EVENTS."""
    return (name, customer, "ADV_REDUCED_1DAY", action, offer, at, published or at, False)


def build(
    *events: tuple[object, ...],
    day: date = DAY,
    heard_until: date | datetime = DAY + DAYS,
    settled_after: timedelta = SETTLED_AFTER,
    profiled: pl.DataFrame | None = None,
    decisions: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """The examples of one day; `heard_until` is a moment, or a day that is heard to its end."""
    if not isinstance(heard_until, datetime):
        heard_until = datetime.combine(heard_until + DAYS, datetime.min.time(), UTC)
    return examples(
        pl.DataFrame(list(events), schema=AD_EVENTS, orient="row"),
        profiles(plays_of([])) if profiled is None else profiled,
        DECISIONS.to_frame() if decisions is None else decisions,
        day,
        heard_until,
        settled_after,
    )


def plays_of(rows: list[tuple[int, int, int, bool, datetime]]) -> pl.DataFrame:
    """The profiled columns of plays."""
    return pl.DataFrame(rows, schema={name: PLAYS[name] for name in PROFILED}, orient="row")


def labels(found: pl.DataFrame) -> dict[str, bool]:
    """The label of each shown offer."""
    return dict(found.select("shown_event_id", "clicked").iter_rows())


def test_a_click_within_the_hour_labels_the_offer_and_one_later_does_not() -> None:
    assert labels(build(event("s", "shown", NOON), event("c", "clicked", NOON + HOUR))) == {
        "s": True
    }
    late = event("c", "clicked", NOON + HOUR + timedelta(milliseconds=1))
    assert labels(build(event("s", "shown", NOON), late)) == {"s": False}
    assert labels(build(event("s", "shown", NOON), event("c", "clicked", NOON - SECOND))) == {
        "s": False
    }


def test_a_click_labels_the_latest_offer_shown_before_it() -> None:
    found = build(
        event("first", "shown", NOON),
        event("second", "shown", NOON + 10 * MINUTE),
        event("third", "shown", NOON + 30 * MINUTE),
        event("click", "clicked", NOON + 20 * MINUTE),
    )
    assert labels(found) == {"first": False, "second": True, "third": False}


def test_a_click_on_another_offer_or_by_another_customer_labels_nothing() -> None:
    found = build(
        event("s", "shown", NOON),
        event("a", "clicked", NOON + MINUTE, offer="other:1"),
        event("b", "clicked", NOON + MINUTE, customer=2),
        event("u", "upgraded", NOON + MINUTE),
        event("banner", "shown", NOON, offer=None),
    )
    assert labels(found) == {"s": False}


def test_a_click_that_was_published_before_its_offer_or_on_the_next_day_still_labels_it() -> None:
    shown = event("s", "shown", NOON, published=NOON + HOUR)
    assert labels(build(shown, event("c", "clicked", NOON + MINUTE))) == {"s": True}
    next_day = event("c", "clicked", NOON + MINUTE, published=NOON + DAYS)
    assert labels(build(shown, next_day)) == {"s": True}
    much_later = event("c", "clicked", NOON + MINUTE, published=NOON + 2 * DAYS)
    assert labels(build(shown, much_later, heard_until=DAY + 9 * DAYS)) == {"s": False}


def test_copies_of_an_event_are_one_event() -> None:
    found = build(
        event("s", "shown", NOON),
        event("s", "shown", NOON, published=NOON + 7 * HOUR),
        event("c", "clicked", NOON + MINUTE),
        event("c", "clicked", NOON + MINUTE, published=NOON + 8 * HOUR),
    )
    assert labels(found) == {"s": True}


def test_the_day_is_the_published_day_of_the_offer() -> None:
    at = datetime(2026, 3, 14, 23, 59, tzinfo=UTC)
    shown = event("s", "shown", at, published=at + 2 * MINUTE)
    assert build(shown, day=DAY - DAYS).is_empty()
    assert build(shown)["as_of"].to_list() == [DAY]


def test_an_offer_is_left_for_tomorrow_until_its_label_is_settled() -> None:
    evening = datetime(2026, 3, 15, 21, tzinfo=UTC)
    for moment, there in ((evening, True), (evening + SECOND, False)):
        assert build(event("s", "shown", moment), heard_until=DAY).height == int(there)
        assert build(event("s", "shown", moment)).height == 1


def test_within_a_day_what_was_heard_so_far_counts_and_may_be_taken_as_settled_sooner() -> None:
    events = (
        event("early", "shown", NOON - 4 * HOUR),
        event("s", "shown", NOON - 20 * MINUTE, customer=2, offer="gold:2"),
        event("c", "clicked", NOON - 5 * MINUTE, customer=2, offer="gold:2"),
        event("last", "shown", NOON - 5 * MINUTE, customer=3, offer="gold:3"),
    )
    assert labels(build(*events, heard_until=NOON)) == {"early": False}
    for moment, clicked in ((NOON, True), (NOON - 6 * MINUTE, False)):
        found = build(*events, heard_until=moment, settled_after=10 * MINUTE)
        assert labels(found) == {"early": False, "s": clicked}


def test_a_later_run_over_more_events_gives_a_settled_day_again_unchanged() -> None:
    events = random_events(3)
    once = build(*events, heard_until=DAY + DAYS)
    assert once.height > 20
    assert once.equals(build(*events, heard_until=DAY + 10 * DAYS))
    assert once.equals(build(*reversed(events), heard_until=DAY + DAYS))


def test_explore_is_what_the_decision_said_and_null_without_one() -> None:
    decisions = pl.DataFrame(
        [(1, "gold", True), (2, "gold", False), (3, "other", True)], schema=DECISIONS, orient="row"
    )
    shown = [event(str(c), "shown", NOON, customer=c, offer=f"gold:{c}") for c in (1, 2, 3)]
    found = build(*shown, decisions=decisions)
    assert dict(found.select("customer_id", "explore").iter_rows()) == {1: True, 2: False, 3: None}


def test_an_offer_to_somebody_never_heard_has_no_features_and_is_kept() -> None:
    found = build(event("s", "shown", NOON))
    assert found.schema == TRAINING_EXAMPLES
    assert found.select(*FEATURES, "feature_hash").row(0) == (None,) * (len(FEATURES) + 1)


def random_events(seed: int) -> list[tuple[object, ...]]:
    """Offers and clicks published on DAY and around it."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(300):
        at = NOON + timedelta(seconds=int(rng.integers(-100_000, 100_000)))
        published = at + timedelta(seconds=int(rng.integers(0, 20_000)))
        action = ("shown", "clicked", "upgraded")[int(rng.integers(3))]
        customer = int(rng.integers(12))
        rows.append(event(f"e{number}", action, at, customer, f"gold:{customer}", published))
    return rows


def known_at(moment: object, frame: pl.DataFrame) -> pl.DataFrame:
    """Of plays, those that had been published by a moment."""
    return frame.filter(pl.col("published_at") <= pl.lit(moment))


def leaking(events: list[tuple[object, ...]], plays: pl.DataFrame) -> int:
    """How many examples have features that what was published later has a part in."""
    told = build(*events, profiled=profiles(plays))
    published = {row[0]: row[6] for row in events if row[3] == "shown"}
    leaks = 0
    for row in told.iter_rows(named=True):
        moment = published[row["shown_event_id"]]
        then = build(*events, profiled=profiles(known_at(moment, plays)))
        before = then.filter(pl.col("shown_event_id") == row["shown_event_id"]).row(0, named=True)
        leaks += any(before[name] != row[name] for name in FEATURES)
    return leaks


def planted() -> tuple[list[tuple[object, ...]], pl.DataFrame]:
    """A fortnight of modest plays, and a leak: who clicked listens wildly right after it."""
    events, rows = [], []
    for customer in range(30):
        clicks = customer % 2 == 0
        at = NOON + customer * MINUTE
        events.append(event(f"s{customer}", "shown", at, customer, f"gold:{customer}"))
        if clicks:
            events.append(
                event(f"c{customer}", "clicked", at + MINUTE, customer, f"gold:{customer}")
            )
        rows += [(customer, track, 9 + track, False, NOON - track * DAYS) for track in range(1, 12)]
        if clicks:
            rows += [(customer, 99, 23, True, at + (2 + n) * MINUTE) for n in range(40)]
    return events, plays_of(rows)


def test_what_is_published_after_the_offer_is_in_no_feature() -> None:
    events, plays = planted()
    found = build(*events, profiled=profiles(plays))
    assert found["clicked"].sum() == 15
    assert leaking(events, plays) == 0
    assert found["mobile_share"].max() == 0


def test_a_planted_leak_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    events, plays = planted()

    def one_day_too_many(profiled: pl.DataFrame, moments: pl.DataFrame) -> pl.DataFrame:
        return features(profiled.with_columns(pl.col("day") - pl.duration(days=1)), moments)

    monkeypatch.setattr("beam_pipeline.domain.examples.features", one_day_too_many)
    assert leaking(events, plays) == 15
