"""Cutting in time: shares, gaps, and what there is too little of."""

from __future__ import annotations

import pytest

from beam_pipeline.training.inputs import of_frame
from beam_pipeline.training.learn import parts_at_random, parts_by_time
from beam_pipeline.training.split import HOUR_MS, CannotSplit, cut
from tests.training.synthetic import crowd


def test_the_cuts_give_the_shares_at_full_hours() -> None:
    cuts = cut(dict.fromkeys(range(1000, 1100), 7))
    assert (cuts.validate_ms, cuts.test_ms) == (1050 * HOUR_MS, 1070 * HOUR_MS)


def test_no_label_reaches_over_a_cut() -> None:
    examples = of_frame(crowd(n=5_000).frame)
    parts = parts_by_time(examples, cut(examples.by_hour()))
    shown = examples.shown_ms
    hour = HOUR_MS
    assert shown[parts.fit].max() + hour < shown[parts.choose].min() + 1
    assert shown[parts.refit].max() + hour < shown[parts.test].min() + 1
    assert not (parts.refit & parts.test).any()
    assert abs(parts.test.mean() - 0.3) < 0.02


def test_one_busy_hour_leaves_room_for_every_part() -> None:
    cuts = cut({10: 1, 11: 1, 12: 5_000, 13: 1, 14: 1})
    assert 10 * HOUR_MS < cuts.fit_end_ms < cuts.validate_ms < cuts.choose_end_ms < cuts.test_ms
    assert cuts.test_ms <= 14 * HOUR_MS


@pytest.mark.parametrize("by_hour", [{}, {5: 100}, {5: 100, 8: 100}, {1: 0, 9: 0}])
def test_too_short_a_time_cannot_be_cut(by_hour: dict[int, int]) -> None:
    with pytest.raises(CannotSplit):
        cut(by_hour)


def test_what_a_model_chose_is_fitted_on_but_neither_chooses_nor_judges() -> None:
    frame = crowd(n=4_000).frame
    chosen = frame.with_columns(explore=frame["customer_id"] % 2 == 0)
    examples = of_frame(chosen)
    parts = parts_by_time(examples, cut(examples.by_hour()))
    assert set(examples.customer[parts.test] % 2) == {0}
    assert set(examples.customer[parts.choose] % 2) == {0}
    assert set(examples.customer[parts.refit] % 2) == {0, 1}


def test_a_random_split_is_the_same_for_the_same_seed_and_70_to_30() -> None:
    examples = of_frame(crowd(n=1_000).frame)
    one, again, other = (parts_at_random(examples, seed) for seed in (1, 1, 2))
    assert (one.test == again.test).all()
    assert not (one.test == other.test).all()
    assert (one.fit.sum(), one.choose.sum(), one.test.sum()) == (500, 200, 300)
