"""The record that makes two of one message impossible, whoever races whom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from functions.sms.ledger import (
    ASIDE,
    ATTEMPTING,
    EXPIRED,
    FAILED,
    REFUSED,
    SENT,
    UNKNOWN,
    WAITING,
    Ledger,
)
from infra.local.stack import Stack
from tests.functions.desk import database

MESSAGE, CUSTOMER, PHONE = "gold-1day:5", 5, "+14155550105"
MS = 1_772_474_400_000


@pytest.fixture
def ledger(stack: Stack) -> Ledger:
    client = redis.Redis.from_url(database(stack))
    client.flushdb()
    return Ledger(client, cap=9)


def begin(ledger: Ledger) -> str:
    return ledger.begin(MESSAGE, CUSTOMER, PHONE, True, MS, MS + 7)


def test_of_many_at_once_one_may_make_the_attempt(ledger: Ledger) -> None:
    with ThreadPoolExecutor(16) as pool:
        verdicts = list(pool.map(lambda _: begin(ledger), range(64)))
    assert sorted(verdicts) == [ATTEMPTING] * 63 + ["go"]
    assert ledger.read(MESSAGE).attempts == 1


def test_after_any_end_there_is_no_other_attempt(ledger: Ledger) -> None:
    for status in (SENT, FAILED, REFUSED, EXPIRED, UNKNOWN, ASIDE):
        ledger._client.flushdb()
        assert begin(ledger) == "go"
        assert ledger.end(MESSAGE, status, None, MS).is_final
        assert begin(ledger) == status


def test_what_was_certainly_not_taken_may_be_tried_again_and_is_counted_once(
    ledger: Ledger,
) -> None:
    for attempt in (1, 2, 3):
        assert begin(ledger) == "go"
        record = ledger.end(MESSAGE, WAITING, None, MS, certainly_unsent=True)
        assert (record.status, record.attempts) == (WAITING, attempt)
    assert ledger._client.get("sms:sent:5:2026-03") == b"0"
    assert begin(ledger) == "go"
    ledger.end(MESSAGE, SENT, None, MS)
    assert ledger._client.get("sms:sent:5:2026-03") == b"1"


def test_the_first_end_stands_except_that_unknown_gives_way_to_sent(ledger: Ledger) -> None:
    begin(ledger)
    assert ledger.end(MESSAGE, UNKNOWN, "not_found", MS).status == UNKNOWN
    assert ledger.end(MESSAGE, FAILED, None, MS + 1).status == UNKNOWN
    assert ledger.end(MESSAGE, WAITING, None, MS + 1).status == UNKNOWN
    sent = ledger.end(MESSAGE, SENT, None, MS + 2)
    assert (sent.status, sent.reason, sent.at) == (SENT, None, MS + 2)
    assert ledger.end(MESSAGE, UNKNOWN, "late", MS + 3) == sent


def test_the_number_is_kept_for_the_time_of_an_attempt_alone(ledger: Ledger) -> None:
    begin(ledger)
    during = ledger.read(MESSAGE)
    assert (during.to, during.since, int(during.began.timestamp() * 1000)) == (PHONE, MS, MS + 7)
    assert ledger.end(MESSAGE, SENT, None, MS).to == ""
    kept = ledger._client.hgetall(f"sms:message:{MESSAGE}")
    assert PHONE not in str(kept)


def test_stop_counts_up_to_the_moment_at_which_the_attempt_begins(ledger: Ledger) -> None:
    ledger.hear(PHONE, "stop")
    assert begin(ledger) == "no_consent"
    assert ledger.read(MESSAGE).status == WAITING
    ledger.hear(PHONE, "start")
    assert begin(ledger) == "go"
