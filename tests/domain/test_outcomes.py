"""Outcomes of messages: rows of their own, never counted as events."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from beam_pipeline.domain.decode import Decoded, decode
from beam_pipeline.domain.offers import OutboxEntry
from functions.sms.ledger import FINAL, Record
from functions.sms.run import outcome
from tests.domain.harness import block_of, rows_of
from tests.oracle import Message

NOON = 1_790_000_000_000
SENT: dict[str, Any] = {
    "message_id": "gold-day:7",
    "customer_id": 7,
    "offer": "gold-day",
    "status": "sent",
    "reason": None,
    "attempts": 1,
    "at": "2026-09-21T13:33:20.123Z",
}


def decoded(*lines: bytes, schema: str = "1") -> Decoded:
    return decode([block_of(Message("message", NOON, b"\n".join(lines), schema), "m1")])


def line(**changes: object) -> bytes:
    return json.dumps({**SENT, **changes}).encode()


def test_an_outcome_is_a_row_and_no_event() -> None:
    found = decoded(line(), line(message_id="gold-day:8", status="failed", reason="carrier_30006"))
    rows = rows_of(found.messages)
    assert [(row["message_id"], row["status"], row["reason"]) for row in rows] == [
        ("gold-day:7", "sent", None),
        ("gold-day:8", "failed", "carrier_30006"),
    ]
    assert found.messages["at"].dt.to_string("%F %T%.3f")[0] == "2026-09-21 13:33:20.123"
    assert found.dead_letters.is_empty()
    assert found.health.is_empty()


@pytest.mark.parametrize("status", FINAL)
def test_whatever_sms_publishes_is_read(status: str) -> None:
    record = Record(status, "why", 3, NOON, 0, datetime(2026, 1, 1, tzinfo=UTC), "")
    message = OutboxEntry(message_id="m", customer_id=1, offer="o", until=NOON)
    found = decoded(json.dumps(outcome(message, record)).encode())
    assert found.messages.row(0) == ("m", 1, "o", status, "why", 3, found.messages["at"][0])
    assert found.messages["at"].to_physical()[0] == NOON


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b'{"reason":' + b"[" * 5000, "wrong_type"),
        (b"\xff", "not_utf8"),
        (b" " * 70_000, "too_large"),
        (b"[]", "wrong_type"),
        (b"{}", "wrong_type"),
        (line(status="lost"), "wrong_type"),
        (line(customer_id=-1), "wrong_type"),
        (line(attempts=True), "wrong_type"),
        (line(at="yesterday"), "wrong_type"),
        (line(at="2026-13-01T00:00:00Z"), "out_of_range"),
    ],
)
def test_a_line_that_is_no_outcome_is_a_dead_letter_and_costs_no_neighbour(
    bad: bytes, reason: str
) -> None:
    found = decoded(line(), bad, line(message_id="gold-day:9"))
    assert found.messages["message_id"].to_list() == ["gold-day:7", "gold-day:9"]
    assert found.dead_letters["reason"].to_list() == [reason]
    assert found.dead_letters["id"].to_list() == ["m1:1"]
    assert found.health.is_empty()


def test_an_unknown_version_waits_among_the_dead_letters() -> None:
    found = decoded(line(), schema="2")
    assert found.messages.is_empty()
    assert found.dead_letters["reason"].to_list() == ["unknown_schema"]
