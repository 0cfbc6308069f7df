"""The policy: who is chosen, by score or by chance, and who of them is held out."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from beam_pipeline.domain.features import FEATURES
from beam_pipeline.domain.offers import HOLDOUT, OFFERS, SCREEN, SMS, Offer
from beam_pipeline.domain.references import CUSTOMER_TRAITS, described
from beam_pipeline.domain.schemas import TARGETS
from beam_pipeline.domain.score import Model
from beam_pipeline.domain.targeting import (
    CANDIDATES,
    SCORED,
    draw,
    eligible,
    proposals,
    scored,
)
from tests.domain.test_score import model

GOLD_DAY = OFFERS["gold-1day"]
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
MANY = np.arange(100_000)


def candidates(
    customers: np.ndarray, value: float = 0.5, *, offer: Offer = GOLD_DAY, again: bool = False
) -> pl.DataFrame:
    """Candidates whose features all have one value."""
    return pl.DataFrame(
        {
            "customer_id": customers,
            "offer": [offer.id] * len(customers),
            "published_at": [AT + timedelta(milliseconds=int(n)) for n in customers],
            "again": [again] * len(customers),
            **{name: [value] * len(customers) for name in FEATURES},
        },
        schema=CANDIDATES,
    )


def sure(threshold: float = 0.5) -> Model:
    """A model that gives everyone whose features are 0.5 almost 1."""
    return model(version="sure", intercept=20.0, threshold=threshold)


def chosen(frame: pl.DataFrame, live: Model | None, explore: float = 0.0) -> pl.DataFrame:
    """Targets proposed of candidates."""
    return proposals(scored(frame, live), [GOLD_DAY], explore)


def test_only_the_active_below_gold_are_eligible() -> None:
    rows = [
        (None, None, level, status, None, True)
        for status in (0, 1, None)
        for level in (None, -1, 0, 1, 2, 3)
    ]
    traits = described(pl.DataFrame(rows, schema=CUSTOMER_TRAITS, orient="row"))
    found = traits.filter(pl.Series(eligible(traits)))
    assert found.select("status", "level").rows() == [(1, "free"), (1, "silver")]


def test_a_score_at_the_threshold_is_chosen_and_one_just_below_is_not() -> None:
    frame = candidates(np.array([7]))
    at = scored(frame, sure())["score"][0]
    assert chosen(frame, sure(at)).height == 1
    assert chosen(frame, sure(math.nextafter(at, 2))).height == 0


def test_a_score_carries_the_version_of_its_model_and_is_never_without() -> None:
    found = scored(candidates(MANY[:10]), sure())
    assert found.schema == SCORED
    assert found["model_version"].to_list() == ["sure"] * 10
    assert found["score"].is_between(0, 1).all()


@pytest.mark.parametrize("missing", [None, math.nan])
def test_without_features_there_is_no_score_and_no_choice_by_score(missing: float | None) -> None:
    frame = candidates(MANY[:10]).with_columns(pl.lit(missing, pl.Float64).alias(FEATURES[0]))
    found = scored(frame, sure())
    assert found["score"].null_count() == found["model_version"].null_count() == 10
    assert chosen(frame, sure()).is_empty()


def test_without_a_model_only_the_explored_are_targets() -> None:
    found = chosen(candidates(MANY), None, explore=0.05)
    assert found["explore"].all()
    assert found["score"].null_count() == found["model_version"].null_count() == found.height
    assert found.height / len(MANY) == pytest.approx(0.05, abs=0.003)
    assert chosen(candidates(MANY), None).is_empty()


def test_the_same_customers_are_explored_model_or_no_model() -> None:
    frame = candidates(MANY)
    explored = chosen(frame, sure(), explore=0.05).filter("explore")
    assert explored["customer_id"].equals(chosen(frame, None, explore=0.05)["customer_id"])
    assert (explored["model_version"] == "sure").all()


def test_a_larger_share_explores_everyone_that_a_smaller_one_does() -> None:
    shares = (0.0, 0.01, 0.05, 0.5, 1.0)
    sets = [set(chosen(candidates(MANY), None, share)["customer_id"]) for share in shares]
    assert all(less <= more for less, more in pairwise(sets))
    assert (len(sets[0]), len(sets[-1])) == (0, len(MANY))


def test_the_held_out_are_drawn_among_explored_and_scored_alike() -> None:
    found = chosen(candidates(MANY), sure(), explore=0.05)
    share = (pl.col("channel") == HOLDOUT).mean()
    for explored, held in found.group_by("explore").agg(share).iter_rows():
        assert held == pytest.approx(GOLD_DAY.holdout, abs=0.013), explored
    assert set(found["channel"]) == {SMS, HOLDOUT}


def test_the_draws_are_uniform_fixed_and_independent() -> None:
    explore, holdout = (draw("gold-1day", purpose, MANY) for purpose in ("explore", "holdout"))
    other = draw("another", "explore", MANY)
    for one in (explore, holdout, other):
        assert one.min() >= 0
        assert one.max() < 1
        assert np.histogram(one, 10, (0, 1))[0] == pytest.approx(len(MANY) / 10, rel=0.05)
    for one, two in ((explore, holdout), (explore, other)):
        assert abs(np.corrcoef(one, two)[0, 1]) < 0.02
    assert draw("gold-1day", "explore", np.array([0, 1, 2**62])) == pytest.approx(
        [0.90143, 0.41188, 0.92948], abs=1e-5
    )


def test_a_stored_decision_is_asked_for_again_whatever_model_and_chance_say() -> None:
    found = chosen(candidates(MANY[:100], again=True), None)
    assert found["customer_id"].to_list() == list(range(100))


def test_a_target_was_decided_when_the_play_was_published() -> None:
    found = chosen(candidates(MANY[:5]), sure())
    assert found.schema == TARGETS
    assert found["decided_at"].to_list() == [AT + timedelta(milliseconds=n) for n in range(5)]


def test_a_second_offer_has_its_own_draws_and_channel() -> None:
    second = Offer("silver-day", "ADV", GOLD_DAY.words, timedelta(days=1), 1, 0.5, by_sms=False)
    frame = pl.concat([candidates(MANY), candidates(MANY, offer=second)])
    found = proposals(scored(frame, None), [GOLD_DAY, second], 0.05)
    mine, its = (set(found.filter(offer=one)["customer_id"]) for one in ("gold-1day", "silver-day"))
    assert len(mine & its) / len(mine) == pytest.approx(0.05, abs=0.02)
    assert set(found.filter(offer="silver-day")["channel"]) == {SCREEN, HOLDOUT}
