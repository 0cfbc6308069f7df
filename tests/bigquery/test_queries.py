"""Each saved query gives the answer that was worked out by hand for a small world."""

from datetime import date, datetime, timedelta
from math import sqrt
from pathlib import Path

import pytest
from google.api_core.exceptions import BadRequest

from beam_pipeline.edges.loads import load_parquet
from beam_pipeline.edges.tables import folder
from tests.bigquery.conftest import DATASET, Warehouse
from tests.bigquery.world import SINCE, UNTIL, WORLD
from tests.edges.rows import NOON

SINCE_UNTIL: dict[str, object] = {"since": SINCE, "until": UNTIL}
RANGE: dict[str, object] = {"range_start": SINCE, "range_end": UNTIL}


@pytest.fixture(scope="module")
def world(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    """The warehouse with the small world in it."""
    parts: Path = tmp_path_factory.mktemp("world")
    for table, rows in WORLD.items():
        path = parts / f"{table}.parquet"
        rows().write_parquet(path)
        name = f"{warehouse.config.project}.{DATASET}.{table}"
        load_parquet(warehouse.client, path, name)
    return warehouse


def at(minutes: float) -> datetime:
    """A moment after noon."""
    return NOON + timedelta(minutes=minutes)


def half(treated: float, count: int, held: float, held_count: int) -> float:
    """Half a 95 % interval of the difference of two rates."""
    variance = treated * (1 - treated) / count + held * (1 - held) / held_count
    return round(1.96 * sqrt(variance), 4)


Rows = list[tuple[object, ...]]
ANSWERS: dict[str, tuple[dict[str, object], Rows]] = {
    "usage_by_hour": (
        SINCE_UNTIL,
        [(8, 3, 2, 0.6667, 0.6667, 25.0), (20, 4, 3, 0.75, 0.0, 35.3)],
    ),
    "usage_by_gender_and_age": (
        SINCE_UNTIL,
        [
            ("female", "18-24", 2, 1, 0.5),
            ("male", "25-34", 3, 1, 0.6667),
            ("male", "45-54", 1, 1, 1.0),
            ("unknown", "unknown", 1, 1, 1.0),
        ],
    ),
    "regions": (
        SINCE_UNTIL,
        [
            ("AR", 3, 2, 0.6667, "달빛"),
            ("TX", 3, 1, 0.6667, "달빛"),
            ("unknown", 1, 1, 1.0, None),
        ],
    ),
    "top_tracks_by_trait": (
        {**SINCE_UNTIL, "trait": "device", "tracks": 2},
        [
            ("mobile", 1, 10, "Moon Over Mill", "Quilt & Comet", 2, 2),
            ("mobile", 2, 11, "Fern", "달빛", 2, 2),
            ("pc", 1, 11, "Fern", "달빛", 2, 2),
        ],
    ),
    "top_tracks_of_men_in_their_twenties": (
        SINCE_UNTIL,
        [(11, "Fern", "달빛", 2, 1), (10, "Moon Over Mill", "Quilt & Comet", 1, 1)],
    ),
    "listening_by_window": (
        SINCE_UNTIL,
        [(at(5), at(10), "all", 5, 4), (at(0), at(5), "all", 3, 2)],
    ),
    "interest_lists": (
        RANGE,
        [
            (1, 11, "Fern", "Band of Fern", at(1), at(20), 3),
            (1, 10, "Moon", "Band of Moon", at(-5), at(10), 4),
            (2, 10, "Moon", "Band of Moon", at(0), at(2), 3),
        ],
    ),
    "interests_by_track": (
        {"range_start": SINCE},
        [(10, "Moon", "Band of Moon", 3, 2, 7), (11, "Fern", "Band of Fern", 1, 1, 3)],
    ),
    "offer_funnel": (SINCE_UNTIL, [("gold-day", 13, 4, 2, 5, 2, 2, 0.5556, 0.4, 1.0)]),
    "offer_uplift": (
        SINCE_UNTIL,
        [("gold-day", 8, 4, 0.125, 0.25, -0.125, half(1 / 8, 8, 1 / 4, 4))],
    ),
    "offer_uplift_by_score": (
        SINCE_UNTIL,
        [
            ("gold-day", -1, 2, 0, 0.0, None, None, None),
            ("gold-day", 8, 6, 4, 0.1667, 0.25, -0.0833, half(1 / 6, 6, 1 / 4, 4)),
        ],
    ),
    "sms_outcomes": (
        SINCE_UNTIL,
        [("gold-day", "refused", "no consent", 1, 0), ("gold-day", "sent", "", 1, 2)],
    ),
    "data_health": (
        SINCE_UNTIL,
        [
            (date(2026, 9, 21), 20, 16, 2, 2, 1, 1, 1, 0.1, 0.1, 0.0625, True),
            (date(2026, 9, 22), 4, 4, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0, True),
        ],
    ),
    "rejected_by_reason": (
        SINCE_UNTIL,
        [
            ("ingest", "not_json", 2, at(60), "an end"),
            ("ingest", "not_utf8", 1, at(0), "byte 3"),
        ],
    ),
    "model_quality": (
        SINCE_UNTIL,
        [("v1", date(2026, 9, 21), 4, 2, 0.5, 0.8, 0.5, 0.34, -0.36, 1.6)],
    ),
    "where_is_my_event": (
        {**SINCE_UNTIL, "sought": "a1"},
        [("plays", 1, at(-240), at(-240) + timedelta(seconds=1), 2, "joined 2 of 2")],
    ),
    "listener_days": (
        {**SINCE_UNTIL, "customer": 1},
        [
            (date(2026, 9, 21), 4, 1, 2, 1, 0, 0.75, 2),
            (date(2026, 9, 22), 2, 0, 0, 0, 2, 0.0, 1),
        ],
    ),
}


def test_every_saved_query_has_an_answer_here() -> None:
    assert {path.stem for path in (folder() / "queries").glob("*.sql")} == set(ANSWERS)


@pytest.mark.parametrize("question", sorted(ANSWERS))
def test_a_saved_query_answers_its_question(world: Warehouse, question: str) -> None:
    values, answer = ANSWERS[question]
    assert world.ask(question, **values) == answer


@pytest.mark.parametrize(
    ("trait", "values"),
    [
        ("gender", {"female", "male", "unknown"}),
        ("age_band", {"18-24", "25-34", "45-54", "unknown"}),
        ("level", {"free", "gold", "silver", "unknown"}),
        ("campaign", {"NONE"}),
        ("state", {"AR", "TX", "unknown"}),
    ],
)
def test_top_tracks_can_be_had_by_any_trait(world: Warehouse, trait: str, values: set[str]) -> None:
    found = world.ask("top_tracks_by_trait", **SINCE_UNTIL, trait=trait)
    assert {row[0] for row in found} == values
    assert sum(int(str(row[5])) for row in found) == 7


def test_a_trait_that_there_is_not_is_said(world: Warehouse) -> None:
    with pytest.raises(BadRequest, match="trait is device, gender"):
        world.ask("top_tracks_by_trait", **SINCE_UNTIL, trait="shoe_size")


def test_an_event_is_found_wherever_it_is(world: Warehouse) -> None:
    def find(event: str) -> Rows:
        return world.ask("where_is_my_event", **SINCE_UNTIL, sought=event)

    assert find("z9") == [("dead_letters", None, None, at(0), 1, "not_json: expected a brace")]
    assert find("upgraded-101") == [("ad_events", 101, at(120), at(120), 2, "upgraded")]
    assert find("b3")[0][5] == "joined 2 of 2, late"
    assert find("nobody") == []


def test_a_range_of_time_leaves_out_what_lies_outside(world: Warehouse) -> None:
    month = world.ask("usage_by_hour", since=SINCE - timedelta(days=40), until=UNTIL)
    assert sum(int(str(row[1])) for row in month) == 8
    assert world.ask("usage_by_hour", since=UNTIL, until=UNTIL) == []


def test_a_view_without_a_range_holds_one_row_an_identity(world: Warehouse) -> None:
    counts = {
        "plays": 8,
        "listening": 4,
        "interests": 4,
        "ad_events": 10,
        "targets": 13,
        "messages": 2,
        "dead_letters": 3,
        "health": 3,
    }
    for name, count in counts.items():
        assert world.rows(f"SELECT COUNT(*) FROM encore.{name}_current") == [(count,)], name


def test_the_play_that_knew_most_is_the_one_that_counts(world: Warehouse) -> None:
    sql = "SELECT joined, track_id FROM encore.plays_current WHERE event_id = 'c1'"
    assert world.rows(sql) == [(2, 11)]
