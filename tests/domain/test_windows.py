"""What windows hold, what is unknown, and what is counted in health."""

from __future__ import annotations

import pytest

from beam_pipeline.domain.decode import decode
from tests.domain.cases import play, stored, total
from tests.domain.harness import Domain, rows_of
from tests.oracle import Message
from tests.oracle_lines import HOUR, MINUTE, TOO_LATE
from tests.strategies import NOON, REFERENCE, messages_of

HALF_HOUR = 30 * MINUTE


def test_a_window_holds_its_start_and_not_its_end() -> None:
    held = stored([play("a", NOON), play("b", NOON + 5 * MINUTE - 1), play("c", NOON + 5 * MINUTE)])
    assert held.listening[(NOON, NOON + 5 * MINUTE, "all", "all")] == (2, 1)
    assert held.listening[(NOON + 5 * MINUTE, NOON + 10 * MINUTE, "all", "all")] == (1, 1)
    assert held.listening[(NOON - 25 * MINUTE, NOON + 5 * MINUTE, "all", "all")] == (2, 1)
    assert held.listening[(NOON + 5 * MINUTE, NOON + 35 * MINUTE, "all", "all")] == (1, 1)
    starts = {start for start, end, *_ in held.listening if end - start == HALF_HOUR}
    assert starts == {NOON + n * 5 * MINUTE for n in range(-5, 2)}


@pytest.mark.parametrize("hours", [1, 5, 8])
def test_a_customer_heard_in_every_window_for_hours_is_one_listener_in_each(hours: int) -> None:
    moments = [NOON - 3 * HOUR + n * 5 * MINUTE for n in range(hours * 12)]
    scattered = moments[::7] + moments[3::7] + moments[1::7] + moments[2::7] + moments[::-1]
    published = max(moments)
    events = [
        play(f"e{n}", at, published_ms=min(published, at + TOO_LATE))
        for n, at in enumerate(scattered)
    ]
    held = stored(*(events[n : n + 11] for n in range(0, len(events), 11)))
    assert {listeners for _, listeners in held.listening.values()} == {1}


def test_a_frame_that_spans_days_counts_every_play() -> None:
    events = [play(f"e{n}", NOON + n * 7 * HOUR, customer_id=1) for n in range(20)]
    held = stored(events)
    assert (
        sum(
            plays
            for (start, end, dimension, _), (plays, _) in held.listening.items()
            if dimension == "all" and end - start == 5 * MINUTE
        )
        == 20
    )


def test_what_is_unknown_is_null_in_the_row_unknown_as_a_key_and_counted() -> None:
    held = stored([play("a", NOON, customer_id=99, track_id=77, zip="00000")])
    row = held.plays[(99, "a")]
    known = [name for name, value in row.items() if value is not None]
    unknown = {"state", "location", "title", "artist", "length_s"}
    unknown |= {"gender", "age", "age_band", "level", "campaign"}
    assert set(row) - set(known) == unknown
    assert row["joined"] == 0
    keys = {dimension: key for _, _, dimension, key in held.listening}
    assert keys == {"all": "all", "device": "mobile", "track": "77"} | dict.fromkeys(
        ("gender", "age_band", "level", "state", "artist"), "unknown"
    )
    assert (total(held, "unknown_customer"), total(held, "unknown_track")) == (1, 1)


def test_a_customer_of_whom_nothing_is_known_but_the_id_is_a_known_customer() -> None:
    held = stored([play("a", NOON, customer_id=4, track_id=12)])
    assert held.plays[(4, "a")]["joined"] == 2
    assert (total(held, "unknown_customer"), total(held, "unknown_track")) == (0, 0)


def test_a_duplicate_is_not_counted_late_or_unknown_again() -> None:
    event = play("a", NOON, customer_id=99, track_id=77, published_ms=NOON + TOO_LATE + 1)
    held = stored([event, event], [event])
    row = held.health[(NOON + TOO_LATE) // MINUTE * MINUTE]
    assert row == {"received": 3, "accepted": 1, "duplicate": 2, "rejected": 0} | {
        "late": 1,
        "unknown_customer": 1,
        "unknown_track": 1,
    }


def test_health_goes_by_the_minute_of_publication() -> None:
    held = stored([play("a", NOON + MINUTE - 1), play("b", NOON + MINUTE)], [])
    assert [held.health[minute]["received"] for minute in (NOON, NOON + MINUTE)] == [1, 1]


def test_lines_that_ingest_refused_are_dead_letters_by_its_reason_and_counted() -> None:
    refusal = b'{"reason":"too_large","detail":"70000 bytes","payload_b64":"aGVsbG8=",'
    refusal += b'"kind":"play","index":3,"cut":true}'
    domain = Domain(REFERENCE)
    domain.feed([Message("rejected", NOON, refusal + b"\n" + refusal)])
    held = domain.finish()
    assert held.dead_letters == {"too_large": 2}
    assert [letter["payload"] for letter in held.letters] == [b"hello"] * 2
    assert (total(held, "received"), total(held, "rejected")) == (2, 2)


def test_ids_at_both_ends_of_int64_are_ids_like_others() -> None:
    highest = 2**63 - 1
    events = [play(f"e{n}", NOON, customer_id=highest, track_id=highest) for n in range(3)]
    held = stored([*events, play("z", NOON, customer_id=0, track_id=0)], shards=2)
    assert held.interests == {(highest, highest): (NOON, NOON, 3)}
    assert rows_of(decode([]).plays) == []


def test_a_message_that_says_it_is_of_the_year_9999_makes_no_minute_of_today_forgotten() -> None:
    far_ms = 253_402_300_740_000
    domain = Domain(REFERENCE)
    for message in (
        *messages_of([play("a", NOON)]),
        Message("play", far_ms, b"{"),
        *messages_of([play("b", NOON)]),
    ):
        domain.feed([message])
        domain.write_ledger()
    held = domain.finish()
    assert held.health[NOON]["received"] == 2
    assert held.health[far_ms]["rejected"] == 1
