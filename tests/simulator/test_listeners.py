"""Listeners keep their hours, their tastes and their habits."""

import csv
import re
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
import zipcodes

from tests.simulator.conftest import Made, Simulate


@pytest.fixture(scope="module")
def week(simulate: Simulate) -> Made:
    """Monday to Sunday, no bursts, nothing wrong."""
    return simulate("--days", "7", "--rate", "0.2", "--bursts", "0", "--offers", "0")


def by_hour(plays: pl.DataFrame) -> list[float]:
    counts = Counter(plays["local_hour"].to_list())
    return [counts[hour] / plays.height for hour in range(24)]


def local_weekday() -> pl.Expr:
    """0 Monday to 6 Sunday on the listener's calendar."""
    utc_hour = pl.col("played_at").dt.hour()
    before_midnight = pl.col("local_hour").cast(pl.Int16) > utc_hour.cast(pl.Int16)
    return (pl.col("played_at").dt.weekday() - 1 - before_midnight.cast(pl.Int8)) % 7


def test_a_run_has_the_rate_that_was_asked_for(week: Made, simulate: Simulate) -> None:
    assert week.summary["plays"] == pytest.approx(0.2 * 7 * 86_400, rel=0.03)
    night = simulate("--hours", "2", "--rate", "3", "--offers", "0")
    assert night.summary["plays"] == pytest.approx(3 * 7200, rel=0.06)


def test_a_weekday_has_a_morning_and_an_evening_peak(week: Made) -> None:
    hours = by_hour(week.key("plays").filter(local_weekday() < 5))
    morning, noon, evening = max(hours[7:9]), min(hours[10:15]), max(hours[17:19])
    assert morning > 1.2 * noon
    assert evening > 1.2 * noon
    assert max(hours[1:5]) < 0.6 * noon


def test_weekends_are_late(week: Made) -> None:
    weekday, weekend = (
        by_hour(week.key("plays").filter(day))
        for day in (local_weekday() < 5, local_weekday().is_between(5, 6))
    )
    assert sum(weekend[5:9]) < 0.5 * sum(weekday[5:9])
    assert sum(weekend[22:]) + sum(weekend[:3]) > 1.2 * (sum(weekday[22:]) + sum(weekday[:3]))


def test_hours_are_those_of_the_listeners_own_state(week: Made) -> None:
    """On the Sunday of that week, clocks go forward at two in the morning; not in Arizona."""
    behind = (pl.col("played_at").dt.hour() - pl.col("local_hour")) % 24
    before = pl.col("played_at") < datetime(2026, 3, 8, 7, tzinfo=UTC)
    after = pl.col("played_at") >= datetime(2026, 3, 8, 10, tzinfo=UTC)
    for state, winter, summer in (("NY", 5, 4), ("CA", 8, 7), ("AZ", 7, 7)):
        there = week.key("plays").filter(pl.col("state") == state)
        assert there.height > 20
        assert set(there.filter(before).select(behind).to_series()) == {winter}
        assert set(there.filter(after).select(behind).to_series()) <= {summer}


def test_gold_listens_more_than_free_and_the_young_more_than_the_old(
    week: Made, customers: Path
) -> None:
    with customers.open(encoding="utf-8") as file:
        people = list(csv.DictReader(file))
    plays = week.key("plays")

    def each(column: str, value: str, count: int) -> float:
        return plays.filter(pl.col(column) == value).height / count

    free, gold = (sum(p["Level"] == level for p in people) for level in "02")
    assert each("level", "gold", gold) > 1.3 * each("level", "free", free)
    young = sum(bool(p["Age"]) and 18 <= int(p["Age"]) < 25 for p in people)
    old = sum(bool(p["Age"]) and int(p["Age"]) >= 65 for p in people)
    assert each("age_band", "18-24", young) > 1.3 * each("age_band", "65+", old)


def test_a_listener_keeps_to_favourites_and_goes_on_exploring(week: Made) -> None:
    plays = week.key("plays")
    for _, own in sorted(plays.group_by("customer_id"), key=lambda pair: -pair[1].height)[:5]:
        counts = own["track_id"].value_counts(sort=True)["count"].to_list()
        assert counts[0] >= 4 * counts[-1] == 4
    first, second = (
        set(plays.filter(pl.col("customer_id") == customer)["track_id"])
        for customer in plays["customer_id"].value_counts(sort=True)["customer_id"][:2]
    )
    assert len(first - second) > 10, "tastes differ"


def test_some_plays_are_skipped_and_sessions_follow_on(week: Made) -> None:
    gaps = []
    for _, own in week.key("plays").sort("played_at").group_by("customer_id"):
        gaps += [b - a for a, b in pairwise(own["played_at"])]
    short = sum(gap < timedelta(seconds=34) for gap in gaps)
    song = sum(timedelta(minutes=1) < gap < timedelta(minutes=10) for gap in gaps)
    assert 0.1 < short / len(gaps) < 0.4
    assert song / len(gaps) > 0.4


def test_some_switch_devices_within_a_day(week: Made) -> None:
    days = week.key("plays").group_by("customer_id", pl.col("played_at").dt.date())
    both = days.agg(pl.col("is_mobile").n_unique())["is_mobile"]
    assert 0.05 < (both == 2).mean() < 0.6  # type: ignore[operator]


def test_the_repeat_rule_finds_prey_at_the_rate_of_bursts(week: Made, simulate: Simulate) -> None:
    assert week.summary["interests"] < 0.001 * week.summary["plays"]
    bursty = simulate("--days", "1", "--rate", "0.2", "--bursts", "0.1", "--offers", "0")
    assert bursty.summary["interests"] > 0.01 * bursty.summary["plays"]
    key = bursty.key("interests")
    assert {3, 4, 5} <= set(key["peak"].to_list())
    half_hours = key["latest"] - key["since"]
    assert (half_hours == timedelta(0)).any()


def test_some_bursts_stand_on_the_edge_of_the_half_hour(simulate: Simulate) -> None:
    plays = simulate("--days", "2", "--rate", "0.3", "--bursts", "0.4", "--offers", "0").key(
        "plays"
    )
    spans: set[timedelta] = set()
    for _, same in plays.sort("played_at").group_by("customer_id", "track_id"):
        times = same["played_at"].to_list()
        spans |= {c - a for a, c in zip(times, times[2:], strict=False)}
    half_hour = timedelta(minutes=30)
    assert {half_hour, half_hour + timedelta(milliseconds=1)} <= spans


def test_listeners_come_and_go(simulate: Simulate, customers: Path) -> None:
    weeks = simulate("--days", "21", "--rate", "0.1", "--churn", "0.6", "--offers", "0")
    plays = weeks.key("plays")
    counts = [plays.filter(pl.col("played_at").dt.day() == day).height for day in range(2, 23)]
    assert sum(counts[:7]) > 1.2 * sum(counts[-7:])
    with customers.open(encoding="utf-8") as file:
        newcomers = {
            int(row["CustID"])
            for row in csv.DictReader(file)
            if "03/03/2026" <= row["SignDate"] <= "03/21/2026" and row["SignDate"][-4:] == "2026"
        }
    assert newcomers & set(plays["customer_id"])


def test_nobody_listens_before_they_sign_up_or_after_they_closed(
    week: Made, customers: Path
) -> None:
    with customers.open(encoding="utf-8") as file:
        people = {int(row["CustID"]): row for row in csv.DictReader(file)}
    first = week.key("plays").group_by("customer_id").agg(pl.min("played_at"))
    for customer, at in first.iter_rows():
        month, day, year = people[customer]["SignDate"].split("/")
        assert f"{at:%Y-%m-%d}" >= f"{year}-{month}-{day}"
        assert people[customer]["Status"] == "1"


def test_two_customers_may_use_the_same_event_id(week: Made) -> None:
    plays = week.key("plays")
    assert plays.select("customer_id", "event_id").is_unique().all()
    assert plays["event_id"].n_unique() < plays.height


def test_customers_are_invented_and_complete(customers: Path) -> None:
    with customers.open(encoding="utf-8") as file:
        text = file.read()
    header, first = text.splitlines()[:2]
    assert header == (
        "CustID,Name,Gender,Address,zip,SignDate,Status,Level,Campaign,LinkedWithApps,"
        "Age,Phone,SmsConsent"
    )
    assert re.match(
        r'0,"[^"]+",[01],"\d+ [^"]+","\d{5}","\d\d/\d\d/20\d\d",[01],[012],[0-4],', first
    )
    people = list(csv.DictReader(text.splitlines()))
    assert all(re.fullmatch(r"\+1[2-9]\d\d55501\d\d", row["Phone"]) for row in people)
    known = {row["zip_code"] for row in zipcodes.list_all()}  # type: ignore[no-untyped-call]
    assert {row["zip"] for row in people} <= known
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in people:
        for column in ("Gender", "Status", "Level", "Campaign", "SmsConsent"):
            counts[column][row[column]] += 1
    assert {column: len(values) for column, values in counts.items()} == {
        "Gender": 2, "Status": 2, "Level": 3, "Campaign": 5, "SmsConsent": 2,
    }  # fmt: skip
    assert any("가" <= letter <= "힣" for letter in text), "some names are Korean"


def test_the_original_reference_data_will_do(simulate: Simulate) -> None:
    original = Path(__file__).parents[3] / "shared" / "data" / "cust.csv"
    if not original.exists():
        pytest.skip("the original data is not here")
    run = simulate("--hours", "2", "--rate", "1", "--customers", str(original))
    assert run.summary["plays"] > 5_000
    assert run.key("plays")["age"].is_null().all()
