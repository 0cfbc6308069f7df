"""Who gets a message, who does not and why, and what is heard of it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulator.carrier import INVALID_NUMBER, signature
from tests.functions.desk import OFFER, SENDER, TOKEN, Desk
from tests.functions.process import Function, signed

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def test_a_message_is_sent_once_and_its_outcome_published(desk: Desk, sms: Function) -> None:
    customer = desk.person()
    desk.put(customer)
    assert desk.counts(sms) == {"sent": 1}
    assert desk.counts(sms) == {}
    (text,) = desk.arrived(customer)
    assert re.search(r"Ref [A-Z2-7]{8}\.", text)
    assert desk.carrier.messages[0].sender == SENDER
    assert desk.outcomes(customer) == [
        {
            "message_id": f"{OFFER}:{customer}",
            "customer_id": customer,
            "offer": OFFER,
            "status": "sent",
            "reason": None,
            "attempts": 1,
            "at": "2026-03-02T18:00:00.000Z",
        }
    ]
    message = desk.inbox.messages[-1]
    assert dict(message.attributes) == {
        "kind": "message",
        "schema": "1",
        "source": "sms",
        "count": "1",
    }
    assert desk.pending() == 0


def test_the_same_message_put_twice_is_sent_once(desk: Desk, sms: Function) -> None:
    customer = desk.person()
    desk.put(customer)
    desk.put(customer)
    desk.run(sms)
    desk.put(customer)
    desk.run(sms)
    assert len(desk.arrived(customer)) == 1
    assert desk.pending() == 0


def test_more_messages_than_a_batch_are_all_sent_in_one_run(desk: Desk, sms: Function) -> None:
    customers = [desk.person() for _ in range(35)]
    for customer in customers:
        desk.put(customer)
    assert desk.counts(sms) == {"sent": 35}
    assert all(len(desk.arrived(customer)) == 1 for customer in customers)


@pytest.mark.parametrize(
    ("traits", "reason"),
    [
        ({"consent": False}, "no_consent"),
        ({"phone": None}, "no_phone"),
        ({"phone": "nothing"}, "no_phone"),
        ({"level": 2}, "not_eligible"),
        ({"status": 0}, "not_eligible"),
        ({"level": None}, "not_eligible"),
    ],
)
def test_who_may_not_be_written_to_is_refused_with_a_reason(
    desk: Desk, sms: Function, traits: dict[str, Any], reason: str
) -> None:
    customer = desk.person(**traits)
    desk.put(customer)
    assert desk.counts(sms) == {"refused": 1}
    (outcome,) = desk.outcomes(customer)
    assert (outcome["status"], outcome["reason"], outcome["attempts"]) == ("refused", reason, 0)
    assert desk.carrier.messages == []


def test_a_customer_who_is_not_known_is_refused(desk: Desk, sms: Function) -> None:
    customer = desk.person()
    desk.store.delete(f"customer:{customer}")
    desk.put(customer)
    desk.run(sms)
    assert desk.outcomes(customer)[0]["reason"] == "unknown_customer"


def test_a_number_as_people_write_it_is_understood(desk: Desk, sms: Function) -> None:
    customer = desk.person()
    number = desk.number(customer)
    written = f"({number[2:5]}) {number[5:8]}-{number[8:]}"
    desk.store.set(f"contact:{customer}", json.dumps({"phone": written, "consent": 1}))
    desk.put(customer)
    desk.run(sms)
    assert len(desk.arrived(customer)) == 1


def test_what_is_read_at_sending_time_counts(desk: Desk, sms: Function) -> None:
    customer = desk.person()
    desk.put(customer)
    desk.store.set(f"customer:{customer}", json.dumps({"level": 2, "status": 1, "zip": "94107"}))
    desk.run(sms)
    assert desk.outcomes(customer)[0]["reason"] == "not_eligible"


def test_an_offer_that_is_over_is_not_sent(desk: Desk, sms: Function) -> None:
    customer = desk.person()
    desk.put(customer, lasts=HOUR)
    assert desk.counts(sms, after=HOUR) == {"expired": 1}
    assert desk.outcomes(customer)[0]["status"] == "expired"
    assert desk.arrived(customer) == []


@pytest.mark.parametrize(
    ("zip_code", "night", "morning"),
    [
        ("94107", "2026-03-03T05:00:00Z", "2026-03-03T16:00:00Z"),
        ("94107", "2026-03-03T15:59:59Z", "2026-03-03T16:00:00Z"),
        ("10001", "2026-03-03T02:00:00Z", "2026-03-03T13:00:00Z"),
        ("10001", "2026-03-08T06:30:00Z", "2026-03-08T12:00:00Z"),
        ("00000", "2026-03-03T17:59:00Z", "2026-03-03T18:00:00Z"),
    ],
    ids=["evening", "before eight", "new york", "clocks change", "nowhere"],
)
def test_at_night_a_message_waits_until_it_is_day_where_the_listener_lives(
    desk: Desk, sms: Function, zip_code: str, night: str, morning: str
) -> None:
    customer = desk.person(zip=zip_code)
    desk.now = datetime.fromisoformat(night)
    desk.put(customer)
    assert desk.counts(sms) == {"later": 1}
    ((_, due),) = desk.store.zrange("sms:later", 0, -1, withscores=True)
    assert datetime.fromtimestamp(due / 1000, UTC) == datetime.fromisoformat(morning)
    desk.now = datetime.fromisoformat(morning) - timedelta(milliseconds=1)
    assert desk.counts(sms) == {}
    assert desk.counts(sms, after=timedelta(milliseconds=1)) == {"sent": 1}
    assert desk.store.zcard("sms:later") == 0


def test_until_nine_in_the_evening_a_message_goes_out(desk: Desk, sms: Function) -> None:
    desk.now = datetime.fromisoformat("2026-03-03T04:59:59Z")
    desk.put(desk.person())
    assert desk.counts(sms) == {"sent": 1}


def test_a_customer_gets_no_more_than_the_cap_in_a_month(desk: Desk, sms: Function) -> None:
    customer = desk.person()
    month = f"sms:sent:{customer}:2026-03"
    desk.store.set(month, 1)
    desk.put(customer)
    assert desk.counts(sms) == {"sent": 1}
    assert desk.store.get(month) == b"2"
    full = desk.person()
    desk.store.set(f"sms:sent:{full}:2026-03", 2)
    desk.put(full)
    desk.run(sms)
    assert desk.outcomes(full)[0]["reason"] == "cap"
    april = desk.person()
    desk.store.set(f"sms:sent:{april}:2026-03", 2)
    desk.now = datetime(2026, 4, 1, 18, tzinfo=UTC)
    desk.put(april)
    assert desk.counts(sms) == {"sent": 1}


def test_a_message_that_the_carrier_refuses_has_failed_and_does_not_count_to_the_cap(
    desk: Desk, sms: Function
) -> None:
    customer = desk.person(phone=INVALID_NUMBER)
    desk.put(customer)
    assert desk.counts(sms) == {"failed": 1}
    (outcome,) = desk.outcomes(customer)
    assert (outcome["reason"], outcome["attempts"]) == ("carrier_21211", 1)
    assert desk.store.get(f"sms:sent:{customer}:2026-03") == b"0"


def test_when_the_carrier_is_busy_everything_waits_a_minute(desk: Desk, sms: Function) -> None:
    customers = [desk.person() for _ in range(15)]
    for customer in customers:
        desk.put(customer)
    desk.carrier.planned.append("busy")
    answer = desk.run(sms).json()
    assert answer == {"counts": {"later": 10}, "stopped": "status 429"}
    assert desk.carrier.messages == []
    assert desk.counts(sms, after=MINUTE) == {"sent": 15}
    assert desk.outcomes(customers[0])[0]["attempts"] == 2


def test_what_failed_at_the_carrier_may_have_arrived_and_is_looked_up(
    desk: Desk, sms: Function
) -> None:
    lost, broken = desk.person(), desk.person()
    for customer in (lost, broken):
        desk.put(customer)
    desk.carrier.planned.extend(["lost", "broken"])
    assert desk.counts(sms) == {"later": 2}
    assert desk.counts(sms, after=MINUTE) == {"sent": 1, "later": 1}
    for _ in range(8):
        assert desk.counts(sms, after=MINUTE) == {"later": 1}
    assert desk.counts(sms, after=MINUTE) == {"unknown": 1}
    assert desk.counts(sms, after=HOUR) == {}
    assert len(desk.arrived(lost)) == 1
    assert desk.arrived(broken) == []
    assert desk.outcomes(lost)[0]["status"] == "sent"
    assert desk.outcomes(broken)[0]["status"] == "unknown"
    assert desk.outcomes(broken)[0]["attempts"] == 1
    assert desk.store.get(f"sms:sent:{broken}:2026-03") == b"1"


def test_a_carrier_that_never_answers_after_taking_is_not_asked_to_take_again(
    desk: Desk, sms: Function
) -> None:
    customer = desk.person()
    desk.put(customer)
    desk.carrier.planned.append("silent")
    assert desk.counts(sms) == {"later": 1}
    assert desk.record(customer)["status"] == "attempting"
    assert desk.counts(sms, after=MINUTE) == {"sent": 1}
    assert len(desk.arrived(customer)) == 1
    assert "to" not in desk.record(customer)


def test_another_message_to_the_same_number_is_not_taken_for_the_one_looked_up(
    desk: Desk, sms: Function
) -> None:
    one, other = desk.person(), desk.person()
    desk.store.set(f"contact:{other}", desk.store.get(f"contact:{one}") or b"")
    desk.put(one)
    desk.put(other)
    desk.carrier.planned.append("broken")
    assert desk.counts(sms) == {"later": 1, "sent": 1}
    assert desk.counts(sms, after=MINUTE) == {"later": 1}


@pytest.mark.parametrize("word", ["STOP", " stop. ", "Unsubscribe", "CANCEL"])
def test_who_replies_stop_gets_no_more(desk: Desk, sms: Function, word: str) -> None:
    customer = desk.person()
    hook = f"{sms.url}/v1/inbound"
    assert desk.carrier.reply(hook, desk.number(customer), SENDER, word) == 200
    desk.carrier.stopped.clear()
    desk.put(customer)
    assert desk.counts(sms) == {"refused": 1}
    assert desk.outcomes(customer)[0]["reason"] == "no_consent"
    assert desk.arrived(customer) == []


def test_who_replies_start_has_consented(desk: Desk, sms: Function) -> None:
    customer = desk.person(consent=False)
    hook = f"{sms.url}/v1/inbound"
    for word in ("STOP", "what is this", "Start"):
        assert desk.carrier.reply(hook, desk.number(customer), SENDER, word) == 200
    desk.put(customer)
    assert desk.counts(sms) == {"sent": 1}


def test_a_stop_that_only_the_carrier_has_heard_is_learned_from_it(
    desk: Desk, sms: Function
) -> None:
    customer = desk.person()
    desk.carrier.stopped.add(desk.number(customer))
    desk.put(customer)
    desk.run(sms)
    assert desk.outcomes(customer)[0]["reason"] == "carrier_21610"
    assert b"stop" in [desk.store.get(key) for key in desk.store.keys("sms:consent:*")]


def test_stop_arrives_in_time_even_when_the_message_waits_for_the_day(
    desk: Desk, sms: Function
) -> None:
    customer = desk.person()
    desk.now = datetime(2026, 3, 3, 6, tzinfo=UTC)
    desk.put(customer)
    desk.run(sms)
    desk.carrier.reply(f"{sms.url}/v1/inbound", desk.number(customer), SENDER, "STOP")
    assert desk.counts(sms, after=12 * HOUR) == {"refused": 1}


def test_a_reply_that_the_carrier_has_not_signed_is_403(desk: Desk, sms: Function) -> None:
    hook = f"{sms.url}/v1/inbound"
    form = {"From": "+14155550111", "Body": "STOP"}
    for token in ("another token", ""):
        headers = {"X-Twilio-Signature": signature(token, hook, form)}
        assert sms.client.post(hook, data=form, headers=headers).status_code == 403
    right = {"X-Twilio-Signature": signature(TOKEN, hook, form)}
    assert sms.client.post(hook, data=form | {"Body": "START"}, headers=right).status_code == 403
    assert desk.store.keys("sms:consent:*") == []
    assert sms.client.post(hook, data=form, headers=right).status_code == 200


def test_behind_a_proxy_the_address_is_the_one_that_the_carrier_knows(
    desk: Desk, sms: Function
) -> None:
    form = {"From": "+14155550112", "Body": "STOP"}
    headers = {
        "Host": "doors.example",
        "X-Forwarded-Proto": "https",
        "X-Twilio-Signature": signature(TOKEN, "https://doors.example/v1/inbound?a=b", form),
    }
    answer = sms.client.post(f"{sms.url}/v1/inbound?a=b", data=form, headers=headers)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "change",
    [{"customer_id": "x"}, {"message_id": "other"}, {"until": ""}, {"offer": "gone"}],
)
def test_an_entry_that_cannot_be_read_is_put_aside_after_five_tries_and_stops_nobody(
    desk: Desk, sms: Function, change: dict[str, str]
) -> None:
    customer = desk.person()
    fields = {"message_id": f"{OFFER}:7", "customer_id": "7", "offer": OFFER, "until": "9" * 13}
    desk.add(fields | change)
    desk.put(customer)
    assert desk.counts(sms) == {"waiting": 1, "sent": 1}
    for _ in range(3):
        assert desk.counts(sms) == {"waiting": 1}
    assert desk.counts(sms) == {"aside": 1}
    assert desk.counts(sms) == {}
    ((_, aside),) = desk.store.xrange("sms:aside")
    assert {name.decode() for name in aside} == {"why", *fields}
    assert '"metric":"sms_poison"' in sms.log.read_text()


def test_a_customer_of_whom_nothing_can_be_read_is_put_aside(desk: Desk, sms: Function) -> None:
    for value in ("{", '{"level": "high"}', "[]"):
        customer = desk.person()
        desk.store.set(f"customer:{customer}", value)
        desk.put(customer)
    other = desk.person()
    desk.store.set(f"sms:message:{OFFER}:{other}", "not a record")
    desk.put(other)
    for _ in range(4):
        assert desk.counts(sms) == {"waiting": 4}
    assert desk.counts(sms) == {"aside": 4}
    assert desk.pending() == 0


names = st.sampled_from(["message_id", "customer_id", "offer", "until", "other", "", "é"])
values = st.one_of(
    st.text(max_size=20).filter(lambda text: text.isprintable()),
    st.integers().map(str),
    st.sampled_from([OFFER, f"{OFFER}:7", f"{OFFER}:0", "7", "1e400", "nan", "9" * 400]),
)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.dictionaries(names, values, min_size=1), max_size=40))
def test_no_entry_stops_a_run(desk: Desk, sms: Function, entries: list[dict[str, str]]) -> None:
    desk.store.flushdb()
    for fields in entries:
        desk.add(fields)
    for _ in range(6):
        desk.counts(sms)
    assert desk.pending() == 0


def test_only_a_signed_request_starts_a_run(desk: Desk, sms: Function) -> None:
    desk.put(desk.person())
    assert sms.post("/v1/send", b"{}", sign=False).status_code == 401
    assert sms.post("/v1/send", b"{}", headers=signed(b"other")).status_code == 401
    assert desk.carrier.messages == []


def test_other_paths_are_404_and_other_methods_405(sms: Function) -> None:
    assert sms.get("/").status_code == 404
    assert sms.get("/v1/send").status_code == 405
    assert sms.get("/v1/inbound").status_code == 405
    assert sms.get("/healthz").json() == {"status": "ok"}


def test_no_number_name_or_token_is_ever_logged(desk: Desk, sms: Function) -> None:
    for fault in ("", "invalid", "broken", "lost", "busy", "silent"):
        customer = desk.person()
        desk.put(customer)
        desk.carrier.planned.append(fault)
        desk.run(sms, after=MINUTE)
    desk.carrier.reply(f"{sms.url}/v1/inbound", desk.number(customer), SENDER, "STOP")
    written = sms.log.read_text()
    assert "Nobody" not in written
    assert TOKEN not in written
    assert "415555" not in written
    assert '"metric":"sms_unclear"' in written
