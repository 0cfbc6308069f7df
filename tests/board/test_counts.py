"""Every chart's rows equal a count of the same events in plain Python."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import pytest

from functions.board.searches import Row
from functions.board.view import View
from tests.board.filled import NOW, START, Filled

VIEWS = [
    View("1h"),
    View("24h"),
    View("7d"),
    View("24h", "TX"),
    View("1h", None, "mobile"),
    View("24h", "NY", "pc"),
]
BANDS = ["0-17", "18-24", "25-34", "35-44", "45-54", "55-64", "65+", "unknown"]


class Account:
    """The events of a view, told apart in plain Python."""

    def __init__(self, filled: Filled, view: View, page: dict[str, Any]) -> None:
        self.view, self.page = view, page
        self.all = filled.rows
        self.plays = [p for p in filled.rows["plays"] if self.fits(p)]
        self.heard = {p["customer_id"] for p in self.plays if ms(p["played_at"]) >= page["from"]}
        self.recent = [p for p in self.plays if ms(p["played_at"]) >= page["from"]]

    def fits(self, play: Row) -> bool:
        region = self.view.state in (None, play["state"])
        return region and self.view.device in (None, "mobile" if play["is_mobile"] else "pc")

    def of_heard(self, dataset: str, time: str) -> list[Row]:
        """Rows of the range, narrowed by their customers where the view is narrow."""
        rows = [row for row in self.all[dataset] if ms(row[time]) >= self.page["from"]]
        if not self.view.narrowed:
            return rows
        return [row for row in rows if row["customer_id"] in self.heard]

    def interests(self) -> list[Row]:
        """Interests as the store holds them: the parts merged."""
        merged: dict[tuple[int, int], Row] = {}
        for part in self.all["interests"]:
            key = (part["customer_id"], part["track_id"])
            held = merged.setdefault(key, dict(part))
            held["since"] = min(held["since"], part["since"])
            held["latest"] = max(held["latest"], part["latest"])
            held["peak"] = max(held["peak"], part["peak"])
        rows = [row for row in merged.values() if ms(row["latest"]) >= self.page["from"]]
        if not self.view.narrowed:
            return rows
        return [row for row in rows if row["customer_id"] in self.heard]

    def health(self) -> Row:
        """The counters of the range; of each minute, the row with the most received."""
        minutes: dict[datetime, Row] = {}
        for row in self.all["health"]:
            held = minutes.setdefault(row["minute"], row)
            if row["received"] > held["received"]:
                minutes[row["minute"]] = row
        total: Counter[str] = Counter()
        for minute, row in minutes.items():
            if ms(minute) >= self.page["from"]:
                total.update({name: n for name, n in row.items() if name != "minute"})
        return total


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def share(rows: Iterable[Row], test: Callable[[Row], bool]) -> float | None:
    rows = list(rows)
    return sum(map(test, rows)) / len(rows) if rows else None


def people(rows: Iterable[Row]) -> int:
    return len({row["customer_id"] for row in rows})


def grouped(rows: Iterable[Row], *names: str) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        key = tuple(row[name] for name in names)
        groups[key if len(names) > 1 else key[0]].append(row)
    return groups


def name(view: View) -> str:
    return "-".join(filter(None, (view.range, view.state, view.device)))


@pytest.fixture(scope="module", params=VIEWS, ids=name)
def account(request: pytest.FixtureRequest, filled: Filled) -> Account:
    page = filled.data().page(request.param)
    return Account(filled, request.param, page)


def rows_of(account: Account, chart: str) -> list[Row]:
    found = account.page["charts"][chart]["rows"]
    assert isinstance(found, list)
    return found


def test_the_tiles_say_what_a_count_says(account: Account) -> None:
    (plays,), (listeners,) = rows_of(account, "plays"), rows_of(account, "listeners")
    (mobile,), (interested,) = rows_of(account, "mobile"), rows_of(account, "interested")
    lately = [p for p in account.recent if ms(p["played_at"]) >= ms(NOW) - 60_000]
    assert plays == {"plays": len(account.recent), "lately": len(lately)}
    assert listeners["listeners"] == people(account.recent)
    assert mobile["mobile"] == share(account.recent, lambda p: p["is_mobile"])
    interests = account.interests()
    assert interested == {
        "customers": people(interests),
        "tracks": len({row["track_id"] for row in interests}),
    }


def test_sms_are_counted_by_their_outcome(account: Account) -> None:
    messages = account.of_heard("messages", "at")
    sent = sum(row["status"] == "sent" for row in messages)
    assert rows_of(account, "sms") == [{"sent": sent, "others": len(messages) - sent}]
    assert {r["status"]: r["messages"] for r in rows_of(account, "outcomes")} == Counter(
        row["status"] for row in messages
    )


def test_data_health_is_the_sum_of_the_minutes_and_nothing_is_lost(account: Account) -> None:
    total = account.health()
    (rejected,), (kept,) = rows_of(account, "rejected"), rows_of(account, "conservation")
    assert rejected["rejected"] == total["rejected"]
    assert kept == dict(total)
    assert kept["received"] == kept["accepted"] + kept["duplicate"] + kept["rejected"]


def test_usage_counts_every_play_in_its_bucket_and_fills_the_gaps(account: Account) -> None:
    begin, end = account.page["axis"]
    bucket = account.page["bucket"]
    expected = Counter(
        ("mobile" if p["is_mobile"] else "pc", ms(p["played_at"]) // bucket * bucket)
        for p in account.recent
    )
    rows = rows_of(account, "usage")
    devices = {device for device, _ in expected}
    assert {(row["device"], row["time"]): row["plays"] for row in rows} == {
        (device, at): expected[device, at] for device in devices for at in range(begin, end, bucket)
    }


def test_regions_and_the_map_show_plays_listeners_and_mobile_share(account: Account) -> None:
    regions = grouped((p for p in account.recent if p["state"]), "state")
    expected = {
        state: {
            "state": state,
            "plays": len(plays),
            "listeners": people(plays),
            "mobile": share(plays, lambda p: p["is_mobile"]),
        }
        for state, plays in regions.items()
    }
    for chart in ("regions", "map"):
        rows = rows_of(account, chart)
        assert {row["state"]: row for row in rows} == expected
        assert [row["plays"] for row in rows] == sorted((r["plays"] for r in rows), reverse=True)


@pytest.mark.parametrize(("chart", "field"), [("tracks", "track_id"), ("artists", "artist")])
def test_top_lists_are_the_newest_closed_half_hour_against_the_one_an_hour_before(
    account: Account, chart: str, field: str
) -> None:
    end = ms(NOW) // 300_000 * 300_000
    assert account.page["window"] == (end - 1_800_000, end)
    in_time = [p for p in account.plays if not p["is_late"] and p[field] is not None]

    def count(back: int) -> Counter[str]:
        window = range(end - 1_800_000 - back, end - back)
        return Counter(str(p[field]) for p in in_time if ms(p["played_at"]) in window)

    now, before = count(0), count(3_600_000)
    ranked = sorted(now.items(), key=lambda item: (-item[1], item[0]))[:10]
    key_name = "track" if chart == "tracks" else "artist"
    rows = rows_of(account, chart)
    assert [(r[key_name], r["plays"], r["before"]) for r in rows] == [
        (key, plays, before[key]) for key, plays in ranked
    ]


def test_top_lists_are_compared_once_the_earlier_half_hour_is_whole(
    account: Account, filled: Filled
) -> None:
    assert account.page["compared"] is True
    for range_, minutes, whole in (("24h", 89, False), ("24h", 91, True), ("1h", 91, True)):
        data = filled.data(now=START + timedelta(minutes=minutes))
        assert data.page(View(range=range_))["compared"] is whole


def test_top_tracks_carry_title_and_artist(account: Account) -> None:
    known = {str(p["track_id"]): (p["title"], p["artist"]) for p in account.all["plays"]}
    for row in rows_of(account, "tracks"):
        assert (row["title"], row["artist"]) == known[row["track"]]


@pytest.mark.parametrize("chart", ["ages", "gender"])
def test_listeners_by_age_and_gender_are_people_not_plays(account: Account, chart: str) -> None:
    groups = grouped(account.recent, "age_band", "gender")
    expected = {
        (band or "unknown", gender or "unknown"): people(plays)
        for (band, gender), plays in groups.items()
    }
    rows = rows_of(account, chart)
    assert {(r["age_band"], r["gender"]): r["listeners"] for r in rows} == expected
    places = [BANDS.index(row["age_band"]) for row in rows]
    assert places == sorted(places)


def test_the_heat_map_has_all_hours_of_the_ten_artists_heard_most(account: Account) -> None:
    known = [p for p in account.recent if p["artist"]]
    totals = Counter(p["artist"] for p in known)
    rows = rows_of(account, "heard")
    artists = list(dict.fromkeys(row["artist"] for row in rows))
    least = sorted(totals.values(), reverse=True)[: len(artists)][-1] if artists else 0
    assert len(artists) == min(10, len(totals))
    assert all(totals[artist] >= least for artist in artists)
    hours = Counter((p["artist"], p["local_hour"]) for p in known)
    assert {(r["artist"], r["hour"]): r["plays"] for r in rows} == {
        (artist, hour): hours[artist, hour] for artist in artists for hour in range(24)
    }


def test_interest_lists_hold_what_the_store_holds(account: Account) -> None:
    interests = account.interests()
    by_track = {
        str(track): {
            "track": str(track),
            "title": rows[0]["title"],
            "artist": rows[0]["artist"],
            "customers": len(rows),
            "peak": max(row["peak"] for row in rows),
            "latest": ms(max(row["latest"] for row in rows)),
        }
        for track, rows in grouped(interests, "track_id").items()
    }
    rows = rows_of(account, "interest_tracks")
    assert len(rows) == min(15, len(by_track))
    assert all(row == by_track[row["track"]] for row in rows)
    newest = sorted(interests, key=lambda row: row["latest"], reverse=True)[:50]
    listed = rows_of(account, "interest_list")
    assert [datetime.fromisoformat(row["latest"]) for row in listed] == [
        r["latest"] for r in newest
    ]


def test_listeners_today_are_summed_up_by_customer(account: Account) -> None:
    today = [
        p for p in account.plays if p["published_at"] >= NOW.replace(hour=0, minute=0, second=0)
    ]
    customers = grouped(today, "customer_id")
    rows = rows_of(account, "today")
    most = sorted((len(plays) for plays in customers.values()), reverse=True)[:20]
    assert [row["plays"] for row in rows] == most

    def part(plays: list[Row], begin: int, end: int) -> float | None:
        return share(plays, lambda p: begin <= p["local_hour"] < end)

    for row in rows:
        plays = customers[int(row["customer"])]
        assert row == {
            "customer": row["customer"],
            "plays": len(plays),
            "morning": part(plays, 5, 12),
            "afternoon": part(plays, 12, 17),
            "evening": part(plays, 17, 22),
            "mobile": share(plays, lambda p: p["is_mobile"]),
            "distinct_tracks": len({p["track_id"] for p in plays}),
        }


def test_ads_and_targets_are_counted(account: Account) -> None:
    events = account.of_heard("ad_events", "at")
    actions = Counter((row["ad"], row["action"]) for row in events)
    for row in rows_of(account, "ads"):
        shown, clicked = actions[row["ad"], "shown"], actions[row["ad"], "clicked"]
        assert (row["shown"], row["clicked"]) == (shown, clicked)
        assert row["upgraded"] == actions[row["ad"], "upgraded"]
        assert row["rate"] == (clicked / shown if shown else None)
    targets = grouped(account.of_heard("targets", "decided_at"), "offer", "channel")
    assert {(r["offer"], r["channel"]): r["customers"] for r in rows_of(account, "targets")} == {
        key: len(rows) for key, rows in targets.items()
    }


def test_the_effect_is_the_difference_of_upgrades_between_the_arms(account: Account) -> None:
    upgraded = {
        row["customer_id"]
        for row in account.of_heard("ad_events", "at")
        if row["action"] == "upgraded"
    }
    arms = grouped(account.of_heard("targets", "decided_at"), "channel")
    held = arms.pop("holdout", [])
    offered = [row for rows in arms.values() for row in rows]
    rows = rows_of(account, "effect")
    if not (offered or held):
        assert rows == []
        return
    row, *bands = rows
    assert row["band"] is None
    for arm, name in ((offered, "offered"), (held, "holdout")):
        tenths = Counter(min(int(target["score"] * 10), 9) for target in arm)
        assert {band["band"]: band[name] for band in bands if band[name]} == dict(tenths)
    assert (row["offered"], row["holdout"]) == (len(offered), len(held))
    assert row["rate_offered"] == share(offered, lambda r: r["customer_id"] in upgraded)
    assert row["rate_held"] == share(held, lambda r: r["customer_id"] in upgraded)
    if offered and held:
        assert row["low"] <= row["uplift"] <= row["high"]


def test_cards_say_when_a_filter_cannot_reach_them(account: Account) -> None:
    reach = {name: card.get("reach") for name, card in account.page["charts"].items()}
    narrowed = account.view.narrowed
    assert reach["plays"] is None
    assert reach["interested"] == ("heard" if narrowed else None)
    assert reach["health"] == ("all" if narrowed else None)
