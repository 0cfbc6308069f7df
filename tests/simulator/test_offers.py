"""Offers: the truth that the key tells is the truth that the lines show."""

import json
import math
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from simulator.book import SHARES
from simulator.propensity import CLICK_RATE
from tests.simulator.conftest import Made, Simulate

CLOSED = timedelta(days=28)
WEEKS = ("--rate", "0.3", "--offers", "0.1", "--offers-after", "2")


@pytest.fixture(scope="module")
def month(simulate: Simulate) -> Made:
    """A month with a drift in it, and an effect that a few hundred people can show."""
    flags = ("--days", "31", "--drift", "2026-03-07", "--uplift", "0.4", "--holdout", "0.3")
    return simulate(*WEEKS, *flags)


def events(run: Made) -> dict[str, list[dict[str, Any]]]:
    """The offers' events by offer_id, in order, with `at` read."""
    found = defaultdict(list)
    for line in run.lines("ad"):
        event = json.loads(line)
        if event.get("offer_id"):
            found[event["offer_id"]].append({**event, "at": datetime.fromisoformat(event["at"])})
    return found


def shares(run: Made) -> dict[int, dict[date, tuple[int, ...]]]:
    """Plays by day and part, as the profiles of the key tell them."""
    profiles: dict[int, dict[date, tuple[int, ...]]] = defaultdict(dict)
    for row in run.key("profiles").iter_rows(named=True):
        counts = tuple(row[name] for name in ("plays", *SHARES))
        profiles[row["customer_id"]][row["day"]] = counts
    return profiles


def test_the_propensity_is_the_law_of_the_closed_days_shares(month: Made) -> None:
    profiles = shares(month)
    asked = month.key("asked")
    laws = month.summary["laws"]
    for row in asked.iter_rows(named=True):
        day = row["shown_at"].date()
        closed = [
            counts
            for one, counts in profiles[row["customer_id"]].items()
            if day - CLOSED <= one < day
        ]
        plays = sum(counts[0] for counts in closed)
        assert plays >= 10
        law = laws["after" if day >= date(2026, 3, 7) else "before"]
        score = sum(
            law["weights"][name] * sum(counts[i] for counts in closed) / plays
            for i, name in enumerate(SHARES, start=1)
        )
        p = 1 / (1 + math.exp(-law["steepness"] * (score - law["middle"])))
        assert row["propensity"] == pytest.approx(p, abs=1e-9)
    assert asked.height > 500
    last = max(asked["shown_at"].to_list())
    assert last - datetime(2026, 3, 2, tzinfo=UTC) > CLOSED + timedelta(days=1)


def test_the_bayes_error_is_what_was_asked_for(month: Made, simulate: Simulate) -> None:
    p = month.key("asked")["propensity"].to_numpy()
    assert month.summary["bayes_error"] == pytest.approx(np.minimum(p, 1 - p).mean())
    assert month.summary["bayes_error"] == pytest.approx(0.07, abs=0.02)
    noisy = simulate(*WEEKS, "--days", "9", "--bayes-error", "0.2")
    assert noisy.summary["bayes_error"] == pytest.approx(0.2, abs=0.03)


def test_clicks_follow_the_propensity(month: Made) -> None:
    asked = month.key("asked")
    p, clicked = asked["propensity"].to_numpy(), asked["clicked"].to_numpy()
    deviation = math.sqrt((p * (1 - p)).sum())
    assert abs(clicked.sum() - p.sum()) < 4 * deviation
    assert abs(clicked.mean() - CLICK_RATE) < 0.1
    errors = ((p > 0.5) != clicked).mean()
    assert errors == pytest.approx(month.summary["bayes_error"], abs=0.02)


def test_a_click_comes_within_the_hour_and_before_the_next_showing(month: Made) -> None:
    truth = {
        (row["offer_id"], row["shown_event_id"]): row["clicked"]
        for row in month.key("asked").iter_rows(named=True)
    }
    labelled = {}
    for offer, happened in events(month).items():
        happened.sort(key=lambda event: event["at"])
        for i, event in enumerate(happened):
            if event["action"] == "shown":
                later = happened[i + 1 :]
                upto = [e for e in later if e["action"] == "shown"][:1]
                end = upto[0]["at"] if upto else event["at"] + timedelta(hours=1)
                labelled[offer, event["event_id"]] = any(
                    e["action"] == "clicked"
                    and e["at"] < end
                    and e["at"] - event["at"] <= timedelta(hours=1)
                    for e in later
                )
    last_hour = datetime.fromisoformat("2026-04-01T22:00:00Z")
    recent = {
        row["shown_event_id"]
        for row in month.key("asked").iter_rows(named=True)
        if row["shown_at"] > last_hour
    }
    assert labelled.keys() == truth.keys()
    assert all(labelled[one] == truth[one] for one in truth if one[1] not in recent)


def test_after_the_drift_others_click(month: Made) -> None:
    laws = month.summary["laws"]
    assert laws["before"]["weights"] != laws["after"]["weights"]
    assert laws["before"]["weights"]["mobile"] > 0 > laws["after"]["weights"]["mobile"]


def test_the_held_out_see_nothing_and_nobody_is_decided_on_twice(month: Made) -> None:
    offers = month.key("offers")
    assert offers["customer_id"].is_unique().all()
    held = set(offers.filter(arm="holdout")["offer_id"])
    assert 0.2 < len(held) / offers.height < 0.4
    assert not held & events(month).keys()
    assert not held & set(month.key("asked")["offer_id"])


def test_only_the_active_below_gold_are_asked(month: Made) -> None:
    levels = dict(month.key("plays").select("customer_id", "level").unique().iter_rows())
    assert {levels[c] for c in month.key("offers")["customer_id"]} == {"free", "silver"}


def test_the_offer_is_shown_at_most_three_times_a_day_for_three_days(month: Made) -> None:
    for happened in events(month).values():
        shown = sorted(event["at"] for event in happened if event["action"] == "shown")
        assert shown[-1] - shown[0] <= timedelta(days=3)
        days: dict[date, int] = defaultdict(int)
        for at in shown:
            days[at.astimezone().date()] += 1
        assert max(days.values()) <= 6, "three a UTC day, whatever the local one"


def test_the_effect_on_upgrades_is_the_true_one(month: Made) -> None:
    offers = month.key("offers")
    rates, variance = [], 0.0
    for arm in ("shown", "holdout"):
        upgraded = offers.filter(arm=arm)["upgraded_at"].is_not_null()
        rate = float(upgraded.mean())  # type: ignore[arg-type]
        rates.append(rate)
        variance += rate * (1 - rate) / len(upgraded)
    assert abs(rates[0] - rates[1] - 0.4) < 4 * math.sqrt(variance)
    within = (offers["upgraded_at"] - offers["decided_at"]).drop_nulls()
    assert within.max() <= timedelta(hours=24)  # type: ignore[operator]


def test_upgrades_are_sent_as_events_that_name_the_offer_that_was_seen(month: Made) -> None:
    upgrades = [
        event for event in map(json.loads, month.lines("ad")) if event["action"] == "upgraded"
    ]
    offers = {row["customer_id"]: row for row in month.key("offers").iter_rows(named=True)}
    assert len(upgrades) > 50
    for event in upgrades:
        decision = offers[event["customer_id"]]
        assert event.get("offer_id") == (
            decision["offer_id"] if decision["arm"] == "shown" else None
        )


def test_a_short_run_offers_to_anyone_by_their_habits(faulty_day: Made) -> None:
    assert faulty_day.summary["showings"] > 10
    assert all(0 < p < 1 for p in faulty_day.key("asked")["propensity"])
