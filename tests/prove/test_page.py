"""The report card as a page: complete in itself, and honest about what differs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl

from beam_pipeline.domain.schemas import HEALTH
from tests.prove.grade import Difference, Grade
from tests.prove.page import page
from tests.prove.record import record
from tests.prove.report import Report

START = datetime(2026, 3, 8, tzinfo=UTC)
GOOD = Grade("window counts", "Elasticsearch", 9, 9, 9)
DIFFERS = Grade(
    "window counts",
    "BigQuery",
    9,
    9,
    8,
    (Difference({"dimension": "artist", "key": "<Aria>"}, {"plays": 4}, {"plays": 3}),),
)


def minutes(wrong: int | None = None) -> pl.DataFrame:
    """An hour with one play a minute, and another a day later; `wrong` is a minute of it."""
    moments = [START + timedelta(minutes=m) for m in (*range(60), 24 * 60)]
    counters = {name: [1] * 61 for name in ("received", "accepted")}
    rest = {name: [0] * 61 for name in HEALTH if name not in counters and name != "minute"}
    right = [number != wrong for number in range(61)]
    return pl.DataFrame({"minute": moments, **counters, **rest, "right": right}).cast(
        {name: kind for name, kind in HEALTH.items() if name != "right"}
    )


def report(*grades: Grade) -> Report:
    return Report(
        run={"seed": 3, "events": 1000, "start": START.isoformat(), "hours": 1.0,
             "customers": 5, "tracks": 4, "faults": {"far_duplicates": 0.1}},
        summary={"received": 61},
        grades=grades,
        reasons={"not_json": (5, 4)},
        minutes=minutes(),
        struck={"sent again": 7},
        seconds={"posting": 2.0},
    )  # fmt: skip


def test_a_page_asks_nothing_of_anyone_and_says_how_to_run_it_again() -> None:
    text = page(report(GOOD))
    assert "Exact." in text
    assert "make prove ARGS=&quot;--events 1000 --seed 3&quot;" in text
    for asking in ("http:", "https:", "src=", "href=", "url(", "<script", "@import"):
        assert asking not in text


def test_what_differs_stands_side_by_side_and_nothing_is_called_exact() -> None:
    text = page(report(GOOD, DIFFERS))
    assert "1 differ." in text
    assert "Exact." not in text
    assert "window counts in BigQuery: 1 expected and not there, 1 there and not expected" in text
    assert '<td class="expected">4</td><td class="held">3</td>' in text
    assert "&lt;Aria&gt;" in text
    assert "<Aria>" not in text
    assert "0.8888 / 0.8888" in text
    assert "4 held" in text


def test_a_minute_that_is_wrong_is_a_scratch_on_the_record() -> None:
    hour = timedelta(hours=1)
    whole = record(minutes(), START, hour, "1.0")
    assert "scratch" not in whole
    assert whole.count("groove") == 5
    scratched = record(minutes(wrong=7), START, hour, "0.99")
    assert scratched.count('class="scratch"') == 1


def test_the_card_for_programs_says_the_same() -> None:
    card = report(GOOD, DIFFERS).as_json()
    assert card["verdict"] == "not exact"
    assert (card["precision"], card["recall"]) == (8 / 9, 8 / 9)
    assert card["rejected_by_reason"] == {"not_json": {"expected": 5, "held": 4}}
    [shown] = [one for grade in card["grades"] for one in grade["differences"]]
    assert shown["expected"] == {"plays": 4}
    assert report(GOOD).as_json()["verdict"] == "exact"
