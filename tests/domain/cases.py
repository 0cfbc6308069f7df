"""Plays, and what the stores hold after them, in few words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.domain.harness import Domain, Held
from tests.oracle import account
from tests.strategies import REFERENCE, Sent, messages_of


def play(event_id: str, at: int, **fields: Any) -> Sent:
    """A play of customer 1 and track 10, published when it begins unless said otherwise."""
    return replace(Sent("play", event_id, 1, at, at), **fields)


def stored(*batches: Sequence[Sent], shards: int = 1) -> Held:
    """What the stores hold after these batches; the oracle agrees."""
    domain = Domain(REFERENCE, shards)
    for batch in batches:
        domain.feed(messages_of(batch))
    held = domain.finish()
    stores = account(messages_of([event for batch in batches for event in batch]), REFERENCE)
    assert held.plays == stores.plays
    assert held.ad_events == stores.ad_events
    assert held.interests == stores.interests()
    assert held.listening == stores.listening()
    return held


def total(held: Held, counter: str) -> int:
    """A counter of health over all minutes."""
    return sum(row[counter] for row in held.health.values())
