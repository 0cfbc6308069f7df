"""Profiles: a customer's day of publication, by the parts of the listener's own day."""

from __future__ import annotations

import pyroaring
from hypothesis import given

from beam_pipeline.domain.decode import decode
from beam_pipeline.domain.profiles import profiles
from beam_pipeline.domain.shard import Shard
from tests.domain.harness import KnownReferences, block_of, places_of
from tests.oracle import account
from tests.oracle_lines import DAY, HOUR
from tests.strategies import NOON, REFERENCE, Sent, long_streams, messages_of


def profiled(events: list[Sent]) -> dict[tuple[int, int], dict[str, object]]:
    """The profiles of the accepted plays among these events, in the oracle's terms."""
    blocks = [block_of(message, str(n)) for n, message in enumerate(messages_of(events))]
    decoded = decode(blocks)
    shard = Shard(KnownReferences(REFERENCE), places_of(REFERENCE))
    found = {}
    for row in profiles(shard.process(decoded.plays, decoded.ad_events).plays).to_dicts():
        tracks = set(pyroaring.BitMap64.deserialize(row.pop("tracks")))
        assert row.pop("distinct_tracks") == len(tracks)
        day = row.pop("day").toordinal() - 719_163
        key = (row.pop("customer_id"), day)
        found[key] = row | {"tracks": tracks}
    return found


@given(long_streams())
def test_profiles_are_those_of_the_oracle(events: list[Sent]) -> None:
    assert profiled(events) == account(messages_of(events), REFERENCE).profiles()


def test_each_part_of_the_day_begins_with_its_hour() -> None:
    midnight = NOON - 12 * HOUR
    events = [
        Sent("play", f"{hour}", 1, midnight + hour * HOUR, midnight + hour * HOUR)
        for hour in range(24)
    ]
    parts = ("morning", "afternoon", "evening", "night")
    (row,) = profiled(events).values()
    assert [row[part] for part in parts] == [7, 5, 5, 7]
    for hour, part in ((4, 3), (5, 0), (11, 0), (12, 1), (16, 1), (17, 2), (21, 2), (22, 3)):
        (row,) = profiled([events[hour]]).values()
        assert [row[name] for name in parts] == [int(n == part) for n in range(4)]


def test_the_day_is_that_of_publication_and_the_hour_the_listeners() -> None:
    at = NOON + 12 * HOUR - 1
    event = Sent("play", "a", 1, at, at + 1, offset=540)
    assert list(profiled([event])) == [(1, (at + 1) // DAY)]
    assert profiled([event])[(1, (at + 1) // DAY)]["morning"] == 1
