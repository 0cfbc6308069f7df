"""The features, held against an account in plain Python that starts from the plays themselves."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from beam_pipeline.domain import features as definition
from beam_pipeline.domain.features import (
    FEATURE_HASH,
    FEATURE_ROWS,
    FEATURES,
    MOMENTS,
    features,
)
from beam_pipeline.domain.profiles import PROFILED, profiles
from beam_pipeline.domain.schemas import PLAYS

DAY = date(2026, 3, 15)


def plays_of(rows: list[tuple[int, int, int, bool, datetime]]) -> pl.DataFrame:
    """The profiled columns of plays."""
    schema = {name: PLAYS[name] for name in PROFILED}
    return pl.DataFrame(rows, schema=schema, orient="row")


def some_plays(seed: int, customers: int, count: int) -> list[tuple[int, int, int, bool, datetime]]:
    """Plays published from 40 days before DAY to 3 days after it."""
    rng = np.random.default_rng(seed)
    start = datetime(2026, 2, 3, tzinfo=UTC)
    return [
        (
            int(rng.integers(customers)),
            int(rng.integers(12)) * 2**33,
            int(rng.integers(24)),
            bool(rng.random() < 0.6),
            start + timedelta(minutes=int(rng.integers(43 * 24 * 60))),
        )
        for _ in range(count)
    ]


def account(
    plays: list[tuple[int, int, int, bool, datetime]], customer: int, as_of: date
) -> list[float] | None:
    """The six shares of one customer, counted one play after another."""
    midnight = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC)
    heard = [
        play
        for play in plays
        if play[0] == customer and midnight - timedelta(days=28) <= play[4] < midnight
    ]
    if not heard:
        return None
    parts = [0, 0, 0, 0]
    for _, _, hour, _, _ in heard:
        if 5 <= hour < 12:
            parts[0] += 1
        elif 12 <= hour < 17:
            parts[1] += 1
        elif 17 <= hour < 22:
            parts[2] += 1
        else:
            parts[3] += 1
    mobile = sum(1 for play in heard if play[3])
    tracks = {play[1] for play in heard}
    return [number / len(heard) for number in (*parts, mobile, len(tracks))]


@pytest.mark.parametrize("seed", range(3))
def test_the_shares_equal_a_plain_python_account(seed: int) -> None:
    plays = some_plays(seed, customers=9, count=700)
    moments = [(customer, DAY + timedelta(days=d)) for customer in range(11) for d in (-30, 0, 2)]
    found = features(profiles(plays_of(plays)), pl.DataFrame(moments, schema=MOMENTS, orient="row"))
    by_moment = {(row["customer_id"], row["as_of"]): row for row in found.to_dicts()}
    names = ("morning", "afternoon", "evening", "night", "mobile", "distinct")
    for customer, as_of in moments:
        expected = account(plays, customer, as_of)
        row = by_moment.get((customer, as_of))
        got = row and [row[f"{name}_share"] for name in names]
        assert got == expected


def test_a_window_is_the_28_days_before_midnight_and_nothing_of_the_day_itself() -> None:
    midnight = datetime(2026, 3, 15, tzinfo=UTC)
    first_inside = midnight - timedelta(days=28)
    millisecond = timedelta(milliseconds=1)
    plays = plays_of(
        [
            (1, 7, 9, True, first_inside - millisecond),
            (2, 7, 9, True, first_inside),
            (3, 7, 9, True, midnight - millisecond),
            (4, 7, 9, True, midnight),
        ]
    )
    moments = pl.DataFrame({"customer_id": [1, 2, 3, 4], "as_of": [DAY] * 4}, schema=MOMENTS)
    assert features(profiles(plays), moments)["customer_id"].to_list() == [2, 3]


def test_the_order_of_profiles_and_moments_changes_nothing_not_even_the_last_bit() -> None:
    profiled = profiles(plays_of(some_plays(5, customers=40, count=3000)))
    moments = pl.DataFrame({"customer_id": range(40), "as_of": [DAY] * 40}, schema=MOMENTS)
    straight = features(profiled, moments)
    shuffled = features(
        profiled.sample(fraction=1, shuffle=True, seed=1),
        pl.concat([moments, moments]).sample(fraction=1, shuffle=True, seed=2),
    )
    assert straight.equals(shuffled)
    assert straight.schema == FEATURE_ROWS


def test_no_moment_and_no_profile_give_no_row() -> None:
    empty = profiles(plays_of([]))
    moments = pl.DataFrame({"customer_id": [1], "as_of": [DAY]}, schema=MOMENTS)
    assert features(empty, moments).equals(FEATURE_ROWS.to_frame())
    assert features(profiles(plays_of(some_plays(0, 3, 50))), MOMENTS.to_frame()).is_empty()


def test_every_row_carries_the_hash_of_the_definition() -> None:
    profiled = profiles(plays_of(some_plays(1, customers=5, count=100)))
    moments = pl.DataFrame({"customer_id": range(5), "as_of": [DAY] * 5}, schema=MOMENTS)
    assert features(profiled, moments)["feature_hash"].unique().to_list() == [FEATURE_HASH]
    assert len(FEATURE_HASH) == 16
    assert tuple(definition.FORMULAS) == FEATURES
