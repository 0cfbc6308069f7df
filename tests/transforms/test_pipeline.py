"""The whole pipeline on the DirectRunner, between a TestStream and a store in memory."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from beam_pipeline.domain import schemas
from beam_pipeline.domain.history import PRUNE_EVERY, RETENTION
from beam_pipeline.domain.shard import Outcome
from beam_pipeline.transforms import count, history, order
from beam_pipeline.transforms.count import Pace
from tests.domain.harness import rows_of
from tests.e2e.traffic import Post, reference, traffic
from tests.oracle import Message, Stores, account
from tests.strategies import NOON, Sent
from tests.strategies import messages_of as messages_of_events
from tests.transforms.collect import Shelf, run_bounded, run_stream

REFERENCE = reference()
HOUR = 3_600_000


def messages_of(posts: Sequence[Post]) -> list[Message]:
    return [post.message() for post in posts]


def in_bundles(messages: Sequence[Message], size: int) -> list[list[Message]]:
    return [list(messages[at : at + size]) for at in range(0, len(messages), size)]


def largest(rows: list[dict[str, Any]], key: Sequence[str], by: str) -> dict[Any, dict[str, Any]]:
    """What a store keeps that takes a row only where its version is higher."""
    held: dict[Any, dict[str, Any]] = {}
    for row in rows:
        identity = tuple(row[name] for name in key)
        if identity not in held or row[by] > held[identity][by]:
            held[identity] = row
    return held


def held(shelf: Shelf) -> dict[str, Any]:
    """The shelf's rows as the stores would hold them, in the oracle's terms."""
    interests: dict[tuple[int, int], tuple[int, int, int]] = {}
    for row in rows_of(shelf.rows("interests")):
        key, new = (row["customer_id"], row["track_id"]), (row["since"], row["latest"], row["peak"])
        old = interests.get(key, new)
        interests[key] = (min(old[0], new[0]), max(old[1], new[1]), max(old[2], new[2]))
    window = ("window_start", "window_end", "dimension", "key")
    return {
        "plays": {(row["customer_id"], row["event_id"]) for row in rows_of(shelf.rows("plays"))},
        "ad_events": {
            (row["customer_id"], row["event_id"]) for row in rows_of(shelf.rows("ad_events"))
        },
        "interests": interests,
        "listening": {
            key: (row["plays"], row["listeners"])
            for key, row in largest(rows_of(shelf.rows("listening")), window, "plays").items()
        },
        "health": {
            minute: tuple(row[name] for name in schemas.HEALTH if name != "minute")
            for (minute,), row in largest(
                rows_of(shelf.rows("health")), ["minute"], "received"
            ).items()
        },
        "dead_letters": dict(shelf.rows("dead_letters").group_by("reason").len().iter_rows()),
    }


def expected(stores: Stores) -> dict[str, Any]:
    """The same of the oracle."""
    return {
        "plays": set(stores.plays),
        "ad_events": set(stores.ad_events),
        "interests": stores.interests(),
        "listening": stores.listening(),
        "health": {
            minute: tuple(getattr(row, name) for name in schemas.HEALTH if name != "minute")
            for minute, row in stores.health.items()
        },
        "dead_letters": stores.dead_letters,
    }


@pytest.mark.parametrize("shards", [1, 3])
def test_a_stream_gives_the_stores_of_the_oracle(shards: int) -> None:
    messages = messages_of(traffic(seed=11, requests=30))
    shelf = run_stream(in_bundles(messages, 4), REFERENCE, shards=shards)
    assert held(shelf) == expected(account(messages, REFERENCE))


def test_a_bounded_run_gives_what_the_stream_gives() -> None:
    messages = messages_of(traffic(seed=12, requests=30))
    whole = run_bounded(messages, REFERENCE, shards=2)
    assert held(whole) == held(run_stream(in_bundles(messages, 7), REFERENCE))


def test_profiles_count_a_play_once_that_is_sent_again_beyond_the_horizon() -> None:
    """Few events of many hours are taken in steps; ad events stand between the plays of two."""
    later = NOON + 13 * HOUR
    sent = [
        Sent("play", "a", 1, NOON, NOON),
        Sent("play", "b", 1, NOON, NOON + 1),
        *(Sent("ad", f"ad {number}", 1, NOON, NOON + 2) for number in range(3)),
        *(Sent("play", event, 1, NOON, later, track_id=10) for event in "ab"),
        *(Sent("play", event, 1, later, later, track_id=11) for event in "cd"),
    ]
    messages = messages_of_events(sent)
    profiles = run_bounded(messages, REFERENCE).rows("profiles")
    told = {
        (row["customer_id"], (row["day"] - date(1970, 1, 1)).days): (
            row["plays"],
            row["distinct_tracks"],
        )
        for row in profiles.to_dicts()
    }
    stores = account(messages, REFERENCE)
    assert told == {
        key: (row["plays"], len(row["tracks"])) for key, row in stores.profiles().items()
    }


@pytest.mark.parametrize("summed", [1, 500])
def test_a_bounded_run_adds_changes_up_before_the_shuffle(
    monkeypatch: pytest.MonkeyPatch, summed: int
) -> None:
    """Whether a bundle's sum is passed on with nearly every batch or is kept small."""
    messages = messages_of(traffic(seed=12, requests=30))
    monkeypatch.setattr(count, "_SUMMED", summed)
    monkeypatch.setattr(order, "SLICE", 50)
    assert held(run_bounded(messages, REFERENCE)) == expected(account(messages, REFERENCE))


def test_changed_counts_are_given_again_and_only_grow() -> None:
    messages = messages_of(traffic(seed=13, requests=12))
    shelf = run_stream(in_bundles(messages, 2), REFERENCE, pace=Pace(now=float))
    assert shelf.writes("listening") > 3
    rows = shelf.rows("listening").filter(pl.col("dimension") == "all")
    for _, window in rows.group_by("window_start", "window_end", maintain_order=True):
        assert window["plays"].is_sorted()


def test_plays_that_come_too_late_are_counted_as_late_and_kept_out_of_windows() -> None:
    posts = traffic(seed=14, requests=12)
    stores = account(messages_of(posts), REFERENCE)
    late = sum(row.late for row in stores.health.values())
    assert late > 0
    shelf = run_stream([messages_of(posts)], REFERENCE)
    assert shelf.rows("plays")["is_late"].sum() == late
    every = largest(rows_of(shelf.rows("health")), ["minute"], "received")
    assert sum(row["late"] for row in every.values()) == late
    assert held(shelf)["listening"] == stores.listening()


def test_outcomes_of_messages_reach_the_stores_and_no_count() -> None:
    at = datetime.fromtimestamp(NOON / 1000, UTC).isoformat()
    outcome = {"message_id": "o:1", "customer_id": 1, "offer": "o", "status": "sent"}
    payload = json.dumps({**outcome, "attempts": 1, "at": at}).encode()
    shelf = run_stream([[Message("message", NOON, payload)]], REFERENCE)
    assert rows_of(shelf.rows("messages")) == [
        {**outcome, "reason": None, "attempts": 1, "at": NOON}
    ]
    assert all(shelf.rows(name).is_empty() for name in ("health", "dead_letters", "plays"))


def test_bundles_that_fail_and_are_tried_again_change_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The history is processed and indexed, then the bundle is lost: three of every four times."""
    tries = 0
    elements, rows = history._elements, count._RunningSumFn._put

    def lost(outcome: Outcome) -> Any:
        nonlocal tries
        tries += 1
        if tries % 4:
            raise ConnectionError("the worker is gone")
        return elements(outcome)

    def lost_after_the_sum(self: Any, mark: Any, counts: Any, state: Any) -> None:
        nonlocal tries
        rows(self, mark, counts, state)
        tries += 1
        if tries % 3 == 0:
            raise ConnectionError("the worker is gone")

    monkeypatch.setattr(history, "_elements", lost)
    monkeypatch.setattr(count._RunningSumFn, "_put", lost_after_the_sum)
    messages = messages_of(traffic(seed=15, requests=12))
    shelf = run_stream(in_bundles(messages, 3), REFERENCE)
    assert tries > 8
    assert held(shelf) == expected(account(messages, REFERENCE))


def test_state_does_not_grow_with_the_length_of_the_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three simulated days: never more is kept than the retention and what comes until pruning."""
    sizes: list[int] = []
    put = history._BeamStorage.read

    def measured(self: Any) -> pl.DataFrame:
        frame = put(self)
        sizes.append(frame.height)
        return frame

    monkeypatch.setattr(history._BeamStorage, "read", measured)
    every = timedelta(minutes=30)
    posts = traffic(seed=16, requests=144, minutes=every / timedelta(minutes=1))
    run_stream(in_bundles(messages_of(posts), 2), REFERENCE)
    most_requests = (RETENTION + PRUNE_EVERY) // every + 2
    assert len(sizes) > 10
    assert max(sizes) <= most_requests * 60


def test_the_sums_that_are_kept_do_not_grow_with_the_length_of_the_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three simulated days: the bag of changes is cut down to the sums, and these have a budget."""
    sizes: list[int] = []
    sums: list[int] = []
    put = count._RunningSumFn._put

    def measured(self: Any, mark: Any, counts: Any, state: Any) -> None:
        sizes.append(mark.rows)
        if mark.compacted and mark.compacted not in sums[-1:]:
            sums.append(mark.compacted)
        put(self, mark, counts, state)

    monkeypatch.setattr(count._RunningSumFn, "_put", measured)
    monkeypatch.setattr(count, "_COMPACT_AFTER", 2_000)
    monkeypatch.setattr("beam_pipeline.domain.settled.MOST_ROWS", 4_000)
    messages = messages_of(traffic(seed=17, requests=144, minutes=30))
    shelf = run_stream(in_bundles(messages, 2), REFERENCE)
    first_day, *later = sums[1:]
    assert later
    assert max(later) <= 1.1 * first_day
    largest_change = 600
    assert max(sizes) <= 2 * max(sums) + largest_change
    assert held(shelf) == expected(account(messages, REFERENCE))
