"""Any order, any duplication, any split into batches and shards: the stores of the oracle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.harness import Domain, Held
from tests.oracle import Message, account
from tests.oracle_lines import DAY, MINUTE
from tests.strategies import (
    NOON,
    REFERENCE,
    Sent,
    batches_of,
    long_streams,
    messages_of,
    sets_of_events,
)


def a_share(share: float) -> settings:
    """A part of the examples that the profile allows."""
    return settings(max_examples=round(share * settings().max_examples))


def apart_from_publication(rows: Mapping[Any, dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    """The rows but for when the copy that is the event was published."""
    return {key: row | {"published_at": None} for key, row in rows.items()}


def totals(health: Mapping[int, dict[str, int]]) -> dict[str, int]:
    """Health summed over all minutes, and what each minute received."""
    found = {str(minute): row["received"] for minute, row in health.items()}
    for row in health.values():
        for counter, count in row.items():
            found[counter] = found.get(counter, 0) + count
    return found


def assert_same(held: Held, other: Held) -> None:
    """The same stores, but for plays.published_at and the health minute that it selects."""
    assert apart_from_publication(held.plays) == apart_from_publication(other.plays)
    assert apart_from_publication(held.ad_events) == apart_from_publication(other.ad_events)
    assert held.interests == other.interests
    assert held.listening == other.listening
    assert held.ledger == held.listening
    assert totals(held.health) == totals(other.health)
    assert held.dead_letters == other.dead_letters
    for row in held.health.values():
        assert row["received"] == row["accepted"] + row["duplicate"] + row["rejected"]


def expected(events: Sequence[Sent]) -> Held:
    """What the oracle says that the stores hold."""
    stores = account(messages_of(events), REFERENCE)
    return Held(
        plays=stores.plays,
        ad_events=stores.ad_events,
        interests=stores.interests(),
        listening=stores.listening(),
        health={minute: asdict(row) for minute, row in stores.health.items()},
        dead_letters=stores.dead_letters,
    )


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[Sent], list[list[Message]]]:
    """Events published within the dedup horizon, and how they arrive."""
    events = draw(sets_of_events())
    return events, draw(batches_of(messages_of(events)))


@given(arrivals(), st.integers(1, 3), st.booleans())
def test_any_order_any_copies_and_any_split_give_the_stores_of_the_oracle(
    arrival: tuple[list[Sent], list[list[Message]]], shards: int, prune_always: bool
) -> None:
    events, batches = arrival
    domain = Domain(REFERENCE, shards, prune_always=prune_always)
    for batch in batches:
        domain.feed(batch)
    held, stores = domain.finish(), expected(events)
    assert_same(held, stores)
    assert held.plays == stores.plays
    assert held.ad_events == stores.ad_events
    assert held.health == stores.health


@a_share(0.6)
@given(sets_of_events(), st.data())
def test_two_orders_of_the_same_events_give_the_same_stores(
    events: list[Sent], data: st.DataObject
) -> None:
    held = []
    for order in (events, data.draw(st.permutations(events))):
        domain = Domain(REFERENCE, data.draw(st.integers(1, 2)))
        for batch in data.draw(batches_of(messages_of(order))):
            domain.feed(batch)
        held.append(domain.finish())
    assert_same(*held)


@a_share(0.5)
@given(sets_of_events(max_size=20), st.integers(1, 2))
def test_a_replay_of_everything_adds_nothing(events: list[Sent], shards: int) -> None:
    once, again = Domain(REFERENCE, shards), Domain(REFERENCE, shards)
    for domain in (once, again):
        domain.feed(messages_of(events))
    again.feed(messages_of(reversed(events)))
    stored, held = once.finish(), again.finish()
    assert held.plays == stored.plays
    assert held.ad_events == stored.ad_events
    assert held.interests == stored.interests
    assert held.listening == stored.listening == expected(events).listening
    assert totals(held.health).get("accepted", 0) == len({event.identity for event in events})


@given(long_streams(), st.data(), st.integers(1, 3), st.booleans())
def test_a_stream_of_days_that_is_half_an_hour_out_of_order_gives_the_stores_of_the_oracle(
    events: list[Sent], data: st.DataObject, shards: int, prune_always: bool
) -> None:
    domain = Domain(REFERENCE, shards, prune_always=prune_always)
    for batch in data.draw(batches_of(messages_of(events))):
        domain.feed(batch)
    assert_same(domain.finish(), expected(events))


@a_share(0.7)
@given(long_streams(), st.data(), st.integers(1, 2))
def test_a_stream_that_loses_its_indexes_and_sums_again_and_again_gives_the_same_stores(
    events: list[Sent], data: st.DataObject, shards: int
) -> None:
    domain = Domain(REFERENCE, shards)
    for batch in data.draw(batches_of(messages_of(events))):
        domain.feed(batch)
        if data.draw(st.booleans()):
            domain.rebuild()
        if data.draw(st.booleans()):
            domain.write_ledger()
            domain.restore_counts()
    assert_same(domain.finish(), expected(events))


@a_share(0.6)
@given(long_streams(), st.data())
def test_shards_that_are_days_out_of_step_give_the_stores_of_the_oracle(
    events: list[Sent], data: st.DataObject
) -> None:
    by_shard = [[event for event in events if event.customer_id % 2 == n] for n in (1, 0)]
    domain = Domain(REFERENCE, 2)
    for shard in by_shard:
        for batch in data.draw(batches_of(messages_of(shard))):
            domain.feed(batch)
            if data.draw(st.booleans()):
                domain.write_ledger()
                domain.restore_counts()
    assert_same(domain.finish(), expected(by_shard[0] + by_shard[1]))


@given(long_streams(), st.integers(1, 3), st.sampled_from([1, 3, 1000]))
def test_a_bounded_run_gives_the_stores_of_the_stream_in_order_of_publication(
    events: list[Sent], shards: int, rows: int
) -> None:
    whole = Domain(REFERENCE, shards)
    whole.feed_whole(messages_of(events), rows)
    in_order = sorted(events, key=lambda event: event.published_ms)
    assert_same(whole.finish(), expected(in_order))


@a_share(0.6)
@given(
    st.lists(st.integers(-18, 18).map(lambda n: n * 10 * MINUTE), min_size=3, max_size=20),
    st.lists(st.integers(1, 9), min_size=20, max_size=20),
)
def test_one_listener_of_one_track_in_any_order_gives_the_interest_of_the_oracle(
    moments: list[int], sizes: list[int]
) -> None:
    events = [
        Sent("play", str(number), 1, NOON + moment, NOON + moment)
        for number, moment in enumerate(moments)
    ]
    domain, left = Domain(REFERENCE), events
    for size in sizes:
        domain.feed(messages_of(left[:size]))
        left = left[size:]
    assert domain.finish().interests == account(messages_of(events), REFERENCE).interests()


@a_share(0.2)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_hundreds_of_plays_in_any_order_give_the_stores_of_the_oracle(
    minutes: Sequence[int], random: Any
) -> None:
    start = NOON + 20 * DAY
    events = []
    for customer in range(1, 6):
        for number in range(60):
            at = start + random.choice(minutes) * MINUTE + random.randrange(-2, 3)
            event = Sent("play", f"{number}", customer, at, at + random.randrange(3) * MINUTE)
            event = Sent(**asdict(event) | {"track_id": 10 + number % 3})
            events += [event] * random.choice((1, 1, 2))
    random.shuffle(events)
    messages = messages_of(events)
    domain = Domain(REFERENCE, 2)
    for start_at in range(0, len(messages), 97):
        domain.feed(messages[start_at : start_at + 97])
    assert_same(domain.finish(), expected(events))
