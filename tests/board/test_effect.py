"""The interval of a difference of shares, against published values."""

from __future__ import annotations

import pytest

from functions.board.effect import Arm, difference, rows


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((10, 10), (0, 10), 0.6075, 1.0),
        ((0, 10), (0, 20), -0.1611, 0.2775),
    ],
)
def test_the_interval_is_newcombes_method_10(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    """The values of the paper's table II."""
    found = difference(Arm(one[1], one[0]), Arm(other[1], other[0]))
    assert found == pytest.approx((low, high), abs=1e-4)


def test_there_is_no_interval_without_both_arms() -> None:
    assert difference(Arm(10, 3), Arm()) is None


def hits(*documents: dict[str, object]) -> dict[str, object]:
    return {"hits": {"hits": [{"_source": document} for document in documents]}}


def test_only_an_upgrade_within_24_hours_of_the_decision_counts() -> None:
    decided = "2026-03-02T12:00:00.000Z"
    moments = {
        1: "2026-03-02T11:59:59.999Z",
        2: "2026-03-02T12:00:00.000Z",
        3: "2026-03-03T11:59:59.999Z",
        4: "2026-03-03T12:00:00.000Z",
    }
    targets = [
        {"customer_id": number, "offer": "GOLD_1DAY", "channel": "sms", "decided_at": decided}
        for number in range(1, 6)
    ]
    upgrades = [{"customer_id": number, "at": at} for number, at in moments.items()]
    (row,) = rows([hits(*targets), hits(*upgrades)])
    assert (row["offered"], row["rate_offered"]) == (5, 0.4)
    assert (row["holdout"], row["rate_held"], row["uplift"], row["low"]) == (0, None, None, None)
