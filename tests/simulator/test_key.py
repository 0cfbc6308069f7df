"""The answer key equals a recount of the written lines, one at a time."""

import csv
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
import zipcodes

from tests.simulator.conftest import Made
from tests.simulator.recount import Play, Recount, recounted

GENDERS = {"0": "male", "1": "female"}
LEVELS = {"0": "free", "1": "silver", "2": "gold"}
BANDS = ((18, "0-17"), (25, "18-24"), (35, "25-34"), (45, "35-44"), (55, "45-54"), (65, "55-64"))

Rows = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def people(customers: Path) -> Rows:
    with customers.open(encoding="utf-8") as file:
        return {row["CustID"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def songs(tracks: Path) -> Rows:
    with tracks.open(encoding="utf-8") as file:
        return {row["TrackId"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def states() -> dict[str, str]:
    listed: list[dict[str, str]] = zipcodes.list_all()  # type: ignore[no-untyped-call]
    return {row["zip_code"]: row["state"] for row in listed}


@pytest.fixture(scope="module")
def recount(faulty_day: Made) -> Recount:
    return recounted(faulty_day.lines("play"), "play")


@pytest.fixture(scope="module")
def ad_recount(faulty_day: Made) -> Recount:
    return recounted(faulty_day.lines("ad"), "ad")


def test_every_count_of_the_summary_is_that_of_the_lines(
    faulty_day: Made, recount: Recount, ad_recount: Recount
) -> None:
    rejects, summary = faulty_day.key("rejects"), faulty_day.summary
    assert summary["received"] == len(faulty_day.lines("play")) + len(faulty_day.lines("ad"))
    assert summary["received"] == sum(summary[n] for n in ("accepted", "duplicate", "rejected"))
    assert summary["rejected"] == rejects.height == sum(summary["rejected_by_reason"].values())
    for name in ("accepted", "duplicate", "rejected", "late", "again"):
        assert summary[name] == getattr(recount, name) + getattr(ad_recount, name), name
    assert summary["plays"] == len(recount.plays) == faulty_day.key("plays").height
    assert summary["ad_events"] == len(ad_recount.plays) == faulty_day.key("ad_events").height
    assert min(recount.duplicate, recount.late, recount.again, ad_recount.duplicate) > 0


def test_plays_are_the_first_copies_joined_with_the_reference_data(
    faulty_day: Made, recount: Recount, people: Rows, songs: Rows, states: dict[str, str]
) -> None:
    for row in faulty_day.key("plays").iter_rows(named=True):
        play = recount.plays[row["customer_id"], row["event_id"]]
        person, song = people.get(str(play.customer_id)), songs.get(str(play.track_id))
        assert row["played_at"] == play.played_at
        assert row["published_at"] == play.published_at
        assert row["local_hour"] == play.local_hour
        assert (row["track_id"], row["is_mobile"]) == (play.track_id, play.is_mobile)
        assert (row["zip"], row["state"]) == (play.zip, states.get(play.zip))
        assert row["is_late"] == play.late
        assert row["joined"] == (person is not None) + (song is not None)
        assert row["title"] == (song["Title"] if song else None)
        assert row["artist"] == (song["Artist"] if song else None)
        assert row["length_s"] == (int(song["Length"]) if song else None)
        assert row["level"] == (LEVELS[person["Level"]] if person else None)
        assert row["gender"] == (GENDERS[person["Gender"]] if person else None)
        assert row["age"] == (int(person["Age"]) if person and person["Age"] else None)


def test_interests_are_those_of_the_closed_half_hour(faulty_day: Made, recount: Recount) -> None:
    key = faulty_day.key("interests")
    found = {
        (row["customer_id"], row["track_id"]): (row["since"], row["latest"], row["peak"])
        for row in key.iter_rows(named=True)
    }
    assert found == recount.interests()
    assert faulty_day.summary["interests"] == key.height > 50


def test_windows_count_plays_and_distinct_listeners(
    faulty_day: Made, recount: Recount, people: Rows, songs: Rows, states: dict[str, str]
) -> None:
    def traits(play: Play) -> dict[str, str]:
        person, song = people.get(str(play.customer_id)), songs.get(str(play.track_id))
        return {
            "all": "all",
            "device": "mobile" if play.is_mobile else "pc",
            "gender": GENDERS[person["Gender"]] if person else "unknown",
            "level": LEVELS[person["Level"]] if person else "unknown",
            "age_band": band(person["Age"]) if person else "unknown",
            "state": states.get(play.zip, "unknown"),
            "track": str(play.track_id),
            "artist": song["Artist"] if song else "unknown",
        }

    key = faulty_day.key("listening")
    names = ("window_start", "window_end", "dimension", "key")
    windows = {
        tuple(row[name] for name in names): (row["plays"], row["listeners"])
        for row in key.iter_rows(named=True)
    }
    assert len(windows) == key.height, "a window is counted once"
    assert windows == recount.listening(traits)


def band(age: str) -> str:
    if not age:
        return "unknown"
    return next((name for below, name in BANDS if int(age) < below), "65+")


def test_profiles_are_by_day_of_publication_and_the_listeners_own_hour(
    faulty_day: Made, recount: Recount
) -> None:
    names = ("plays", "morning", "afternoon", "evening", "night", "mobile", "distinct_tracks")
    key = {
        (row["customer_id"], row["day"]): {n: row[n] for n in names if row[n] or n == "mobile"}
        for row in faulty_day.key("profiles").iter_rows(named=True)
    }
    assert key == recount.profiles()


def test_every_minute_of_health_adds_up_and_is_that_of_the_lines(
    faulty_day: Made, recount: Recount, ad_recount: Recount
) -> None:
    health = faulty_day.key("health")
    assert health["minute"].is_unique().all()
    split = health["accepted"] + health["duplicate"] + health["rejected"]
    assert (health["received"] == split).all()
    for name in health.columns[1:]:
        assert health[name].sum() == faulty_day.summary[name]
    minutes = recount.minutes + ad_recount.minutes
    for row in health.iter_rows(named=True):
        for name in ("accepted", "duplicate", "late"):
            assert row[name] == minutes[row["minute"], name]


def test_duplicates_name_their_first_copy(faulty_day: Made, recount: Recount) -> None:
    for row in faulty_day.key("duplicates").filter(kind="play").iter_rows(named=True):
        first = recount.plays[row["customer_id"], row["event_id"]]
        assert row["first_published_at"] == first.published_at
        assert timedelta(0) <= row["published_at"] - first.published_at <= timedelta(hours=6)


def test_the_columns_are_those_of_the_data_dictionary(faulty_day: Made) -> None:
    schemas = pytest.importorskip("beam_pipeline.domain.schemas")
    for dataset in ("plays", "interests", "listening", "ad_events", "health"):
        key: pl.DataFrame = faulty_day.key(dataset)
        assert dict(key.schema) == dict(schemas.DATASETS[dataset]), dataset
    profiles = {n: t for n, t in schemas.PROFILES.items() if n != "tracks"}
    assert dict(faulty_day.key("profiles").schema) == profiles
