"""What stands in Redis reads as it was written, and what is no entry is refused."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.domain.offers import (
    MAX_ID,
    OFFERS,
    Offer,
    OutboxEntry,
    Target,
    may_upgrade,
    offer_id,
    read_entry,
)

FIELDS = {"message_id": "gold-1day:7", "customer_id": "7", "offer": "gold-1day", "until": "5"}


@given(st.integers(0, MAX_ID), st.integers(0, 2**53))
def test_an_entry_reads_as_it_was_written(customer_id: int, until: int) -> None:
    message_id = offer_id("gold-1day", customer_id)
    entry = OutboxEntry(message_id, customer_id, "gold-1day", until)
    assert read_entry(entry.fields()) == entry


@pytest.mark.parametrize(
    "change",
    [
        {"message_id": "gold-1day:8"},
        {"message_id": None},
        {"customer_id": "x"},
        {"customer_id": "-1", "message_id": "gold-1day:-1"},
        {"customer_id": str(2**63), "message_id": f"gold-1day:{2**63}"},
        {"until": "-1"},
        {"customer_id": None},
        {"until": "tomorrow"},
        {"until": None},
        {"offer": "other"},
    ],
)
def test_fields_that_are_no_entry_are_refused(change: dict[str, str | None]) -> None:
    fields = {name: value for name, value in (FIELDS | change).items() if value is not None}
    with pytest.raises(ValueError, match=r"message_id|customer_id|until|Expected"):
        read_entry(fields)


def test_a_target_may_hold_more_than_is_read() -> None:
    text = b'{"until": 5, "channel": "screen", "score": 0.5}'
    assert msgspec.json.decode(text, type=Target) == Target(until=5, channel="screen")


@pytest.mark.parametrize("offer", OFFERS.values())
def test_an_offer_is_worded_in_both_languages_with_room_for_the_code(offer: Offer) -> None:
    assert set(offer.words) == {"en", "ko"}
    for each in offer.words.values():
        assert "{code}" in each.sms
        assert "STOP" in each.sms


def test_who_can_still_be_upgraded() -> None:
    fine = [(status, level) for status in (None, 0, 1) for level in (None, -1, 0, 1, 2, 3)]
    assert [pair for pair in fine if may_upgrade(*pair)] == [(1, 0), (1, 1)]
