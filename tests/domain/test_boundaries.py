"""The boundaries of every rule, by name: exactly at the limit, and a millisecond beyond."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest

from beam_pipeline.domain.decode import decode
from tests.domain.cases import play, stored, total
from tests.domain.harness import block_of
from tests.oracle import DEDUP_HORIZON, Message
from tests.oracle_lines import CLOCK_SKEW, DAY, HOUR, MINUTE, SECOND, TOO_LATE, TOO_OLD
from tests.strategies import NOON, Sent

HALF_HOUR = 30 * MINUTE


def test_three_plays_exactly_thirty_minutes_apart_are_an_interest() -> None:
    held = stored([play("a", NOON), play("b", NOON + MINUTE), play("c", NOON + HALF_HOUR)])
    assert held.interests == {(1, 10): (NOON + HALF_HOUR, NOON + HALF_HOUR, 3)}


def test_three_plays_thirty_minutes_and_a_millisecond_apart_are_none() -> None:
    held = stored([play("a", NOON), play("b", NOON + MINUTE), play("c", NOON + HALF_HOUR + 1)])
    assert held.interests == {}


def test_exactly_thirty_minutes_apart_is_an_interest_in_batches_of_one_in_any_order() -> None:
    plays = [play("a", NOON), play("b", NOON + HALF_HOUR), play("c", NOON + HALF_HOUR)]
    for order in permutations(plays):
        held = stored(*([event] for event in order))
        assert held.interests == {(1, 10): (NOON + HALF_HOUR, NOON + HALF_HOUR, 3)}


def test_equal_timestamps_count_each() -> None:
    held = stored([play("a", NOON), play("b", NOON), play("c", NOON)])
    assert held.interests == {(1, 10): (NOON, NOON, 3)}
    assert held.listening[(NOON, NOON + 5 * MINUTE, "all", "all")] == (3, 1)


def test_two_plays_are_no_interest_however_often_they_are_sent() -> None:
    held = stored([play("a", NOON), play("b", NOON)] * 5, [play("a", NOON)])
    assert held.interests == {}
    assert total(held, "duplicate") == 9


def test_a_late_third_play_completes_a_triple_in_the_past() -> None:
    plays = [play("a", NOON), play("b", NOON + 20 * MINUTE), play("x", NOON + 3 * HOUR)]
    third = play("c", NOON + 10 * MINUTE, published_ms=NOON + 10 * MINUTE + TOO_LATE)
    held = stored(plays, [third])
    assert held.interests == {(1, 10): (NOON + 20 * MINUTE, NOON + 20 * MINUTE, 3)}


def test_a_late_first_play_moves_since_back_and_peak_up() -> None:
    minutes = [10, 20, 30, 31]
    plays = [play(f"p{minute}", NOON + minute * MINUTE) for minute in minutes]
    held = stored(plays, [play("first", NOON, published_ms=NOON + TOO_LATE)])
    assert held.interests == {(1, 10): (NOON + 20 * MINUTE, NOON + 31 * MINUTE, 4)}


def test_an_old_play_that_arrives_between_does_not_hide_the_plays_before_it() -> None:
    minutes = {"a": 0, "b": 10, "old": -90, "older": -120, "c": 30}
    plays = [play(name, NOON + minute * MINUTE) for name, minute in minutes.items()]
    held = stored(*([event] for event in plays))
    assert held.interests == {(1, 10): (NOON + HALF_HOUR, NOON + HALF_HOUR, 3)}


def test_peak_is_the_largest_count_and_latest_the_last_that_qualifies() -> None:
    minutes = [0, 1, 2, 3, 30, 59, 60]
    held = stored([play(f"p{minute}", NOON + minute * MINUTE) for minute in minutes])
    assert held.interests == {(1, 10): (NOON + 2 * MINUTE, NOON + 60 * MINUTE, 5)}


def test_another_track_or_another_customer_is_another_interest() -> None:
    plays = [play("a", NOON), play("b", NOON), play("c", NOON, track_id=11)]
    plays += [play("d", NOON, customer_id=2), play("e", NOON, customer_id=3)]
    assert stored(plays, shards=2).interests == {}


def test_an_event_id_repeated_with_other_contents_is_a_copy_and_the_first_stands() -> None:
    first, other = play("a", NOON), play("a", NOON + MINUTE, track_id=11, zip="94103")
    held = stored([first], [other])
    assert held.plays[(1, "a")]["track_id"] == 10
    assert len(held.plays) == 1
    assert total(held, "duplicate") == 1
    assert not any(key == "11" for _, _, dimension, key in held.listening if dimension == "track")


def test_in_one_batch_too_the_first_of_two_contents_stands() -> None:
    held = stored([play("a", NOON, track_id=11), play("b", NOON), play("a", NOON, track_id=10)])
    assert held.plays[(1, "a")]["track_id"] == 11


def test_the_same_event_id_of_two_customers_is_two_events() -> None:
    held = stored([play("a", NOON), play("a", NOON, customer_id=2)], shards=2)
    assert set(held.plays) == {(1, "a"), (2, "a")}
    assert total(held, "duplicate") == 0


def test_the_same_event_id_of_a_play_and_an_ad_event_is_two_events() -> None:
    ad = Sent("ad", "a", 1, NOON, NOON)
    held = stored([play("a", NOON), ad, ad])
    assert set(held.plays) == set(held.ad_events) == {(1, "a")}
    assert (total(held, "accepted"), total(held, "duplicate")) == (2, 1)


def test_event_ids_that_only_begin_alike_are_different_events() -> None:
    ids = [
        "a",
        "a\0",
        "a\0\0",
        "a ",
        "A",
        "a" * 8,
        "a" * 9,
        "a" * 63,
        "a" * 64,
        "\u00e4",
        "a\u0308",
    ]
    held = stored([play(event_id, NOON) for event_id in ids])
    assert len(held.plays) == len(ids)


def test_a_copy_exactly_at_the_dedup_horizon_is_a_duplicate() -> None:
    event = play("a", NOON)
    held = stored([event], [replace(event, published_ms=NOON + DEDUP_HORIZON)])
    assert (total(held, "accepted"), total(held, "duplicate")) == (1, 1)


def test_a_copy_a_millisecond_beyond_the_horizon_is_accepted_and_the_store_holds_one_row() -> None:
    event = play("a", NOON)
    held = stored([event], [replace(event, published_ms=NOON + DEDUP_HORIZON + 1)])
    assert (total(held, "accepted"), total(held, "duplicate")) == (2, 0)
    assert held.plays[(1, "a")]["published_at"] == NOON
    assert held.listening[(NOON, NOON + 5 * MINUTE, "all", "all")] == (1, 1)


def test_the_horizon_reaches_as_far_back_as_forward() -> None:
    event = play("a", NOON)
    for distance, accepted in ((DEDUP_HORIZON, 1), (DEDUP_HORIZON + 1, 2)):
        earlier = replace(event, at=NOON - distance, published_ms=NOON - distance)
        for batches in ([[event], [earlier]], [[event, earlier]]):
            assert total(stored(*batches), "accepted") == accepted


def test_the_horizon_is_measured_from_the_copy_that_was_accepted_not_from_a_duplicate() -> None:
    event = play("a", NOON)
    copies = [replace(event, published_ms=NOON + hours * HOUR) for hours in (0, 4, 8)]
    for batches in ([copies], [[copy] for copy in copies]):
        held = stored(*batches)
        assert (total(held, "accepted"), total(held, "duplicate")) == (2, 1)


def test_copies_beyond_the_horizon_in_one_batch_are_taken_one_after_the_other() -> None:
    event = play("a", NOON)
    hours = (0, 3, 7, 7, 10, 13, 14, 25)
    copies = [replace(event, published_ms=NOON + hour * HOUR) for hour in hours]
    one, many = stored(copies), stored(*([copy] for copy in copies))
    assert one == many
    assert total(one, "accepted") == 4


def test_an_event_id_used_again_beyond_the_horizon_for_another_play_counts_as_that_play() -> None:
    later = NOON + DEDUP_HORIZON + 1
    held = stored([play("a", NOON)], [play("a", later, track_id=11)])
    assert held.plays[(1, "a")]["track_id"] == 10
    assert (
        sum(
            plays
            for (start, end, dimension, _), (plays, _) in held.listening.items()
            if dimension == "all" and end - start == 5 * MINUTE
        )
        == 2
    )


def test_of_copies_the_one_processed_first_gives_the_row_its_publication() -> None:
    event = play("a", NOON)
    later = replace(event, published_ms=NOON + HOUR)
    assert stored([later], [event]).plays[(1, "a")]["published_at"] == NOON + HOUR


@pytest.mark.parametrize(
    ("played_at", "hour"),
    [
        ("2026-03-01T23:59:59.999-08:00", 23),
        ("2026-03-02T00:00:00-08:00", 0),
        ("2026-03-01T23:59:59+09:00", 23),
        ("2026-03-02T00:00:00+09:00", 0),
        ("2026-03-01T00:00:00Z", 0),
        ("2026-03-01T05:29:59+05:30", 5),
        ("2026-03-01T05:30:00+05:45", 5),
        ("2026-03-08T01:59:59.999-05:00", 1),
        ("2026-03-08T03:00:00-04:00", 3),
        ("2026-11-01T01:59:59-04:00", 1),
        ("2026-11-01T01:00:00-05:00", 1),
        ("2026-03-01T13:00:00+23:59", 13),
        ("2026-03-01T13:00:00-23:59", 13),
    ],
)
def test_the_local_hour_is_that_of_the_listeners_clock(played_at: str, hour: int) -> None:
    line = f'{{"event_id":"a","customer_id":1,"track_id":1,"played_at":"{played_at}"'
    line += ',"is_mobile":true,"zip":"10001"}'
    decoded = decode([block_of(Message("play", 0, line.encode(), own_times=True), "m")])
    assert decoded.plays["local_hour"].to_list() == [hour]


def test_across_a_dst_change_an_hour_of_the_clock_is_an_hour_of_listening() -> None:
    """New York, 2026-03-08: 01:59:59 -05:00 is a second before 03:00:00 -04:00."""
    change = NOON - 12 * HOUR + 7 * DAY + 7 * HOUR
    plays = [play("a", change - SECOND, offset=-300), play("b", change, offset=-240)]
    held = stored([*plays, play("c", change + MINUTE, offset=-240)])
    assert [held.plays[(1, name)]["local_hour"] for name in "abc"] == [1, 3, 3]
    assert held.interests == {(1, 10): (change + MINUTE, change + MINUTE, 3)}


def test_exactly_two_hours_late_is_in_time() -> None:
    held = stored([play("a", NOON, published_ms=NOON + TOO_LATE)])
    assert not held.plays[(1, "a")]["is_late"]
    assert total(held, "late") == 0
    assert (NOON, NOON + 5 * MINUTE, "all", "all") in held.listening


def test_two_hours_and_a_millisecond_late_is_stored_and_shown_and_left_out_of_the_windows() -> None:
    late = [play(name, NOON, published_ms=NOON + TOO_LATE + 1) for name in "abc"]
    held = stored(late)
    assert all(held.plays[(1, name)]["is_late"] for name in "abc")
    assert held.listening == {}
    assert held.interests == {}
    assert (total(held, "accepted"), total(held, "late")) == (3, 3)


def test_too_late_plays_do_not_complete_a_triple() -> None:
    plays = [play("a", NOON), play("b", NOON), play("d", NOON + 3 * HOUR)]
    held = stored(plays, [play("c", NOON, published_ms=NOON + TOO_LATE + 1)])
    assert held.interests == {}


def test_too_late_ad_events_are_stored_and_counted_late() -> None:
    times = {"a": TOO_LATE, "b": TOO_LATE + 1}
    held = stored([Sent("ad", name, 1, NOON, NOON + late) for name, late in times.items()])
    assert [held.ad_events[(1, name)]["is_late"] for name in "ab"] == [False, True]
    assert total(held, "late") == 1


def test_clock_skew_exactly_at_the_limit_is_accepted_and_a_millisecond_more_is_refused() -> None:
    held = stored([play("a", NOON, published_ms=NOON - CLOCK_SKEW)])
    assert set(held.plays) == {(1, "a")}
    held = stored([play("a", NOON, published_ms=NOON - CLOCK_SKEW - 1)])
    assert held.plays == {}
    assert held.dead_letters == {"clock_skew": 1}


def test_thirty_days_old_is_accepted_and_a_millisecond_more_is_refused() -> None:
    held = stored([play("a", NOON, published_ms=NOON + TOO_OLD)])
    assert held.plays[(1, "a")]["is_late"]
    held = stored([play("a", NOON, published_ms=NOON + TOO_OLD + 1)])
    assert held.dead_letters == {"too_old": 1}
    assert (total(held, "received"), total(held, "rejected")) == (1, 1)
