"""The simulated carrier, asked by Twilio's own client, and the faults it can have."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from twilio.base.exceptions import TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from simulator.carrier import INVALID_NUMBER, Carrier, signature
from simulator.carrier_http import serving

ROOT = Path(__file__).resolve().parents[2]
TO, FROM = "+14155550101", "+14155550199"


@pytest.fixture
def carrier() -> Carrier:
    return Carrier("ACtest", "a token", silence_s=20)


@pytest.fixture
def client(carrier: Carrier) -> Iterator[Client]:
    with serving(carrier) as url:
        yield client_of(url, "a token")


def client_of(url: str, token: str) -> Client:
    client = Client("ACtest", token, http_client=TwilioHttpClient(timeout=1))
    client.api.base_url = url
    return client


def test_a_message_sent_is_shown_and_listed(client: Client, carrier: Carrier) -> None:
    sent = client.messages.create(to=TO, from_=FROM, body="first")
    assert (sent.status, sent.to, sent.body) == ("queued", TO, "first")
    client.messages.create(to=TO, from_=FROM, body="second")
    client.messages.create(to="+14155550102", from_=FROM, body="third")
    assert client.messages(sent.sid).fetch().status == "sent"
    assert [each.body for each in client.messages.list(to=TO)] == ["second", "first"]
    assert [each.body for each in client.messages.list(limit=1)] == ["third"]
    assert [each.body for each in client.messages.list(page_size=1)] == ["third", "second", "first"]
    assert len(carrier.messages) == 3


def test_the_same_message_sent_twice_is_two_messages(client: Client, carrier: Carrier) -> None:
    for _ in range(2):
        client.messages.create(to=TO, from_=FROM, body="again")
    assert len(carrier.messages) == 2


@pytest.mark.parametrize(
    ("fault", "status", "code", "taken"),
    [
        ("busy", 429, 20429, 0),
        ("broken", 500, 20500, 0),
        ("invalid", 400, 21211, 0),
        ("lost", 500, 20500, 1),
    ],
)
def test_a_fault_is_answered_as_twilio_does_and_befalls_one_message(
    client: Client, carrier: Carrier, fault: str, status: int, code: int, taken: int
) -> None:
    carrier.planned.append(fault)
    with pytest.raises(TwilioRestException) as error:
        client.messages.create(to=TO, from_=FROM, body="x")
    assert (error.value.status, error.value.code) == (status, code)
    assert len(carrier.messages) == taken
    client.messages.create(to=TO, from_=FROM, body="y")
    assert carrier.messages[-1].body == "y"


def test_a_silent_carrier_has_taken_the_message(client: Client, carrier: Carrier) -> None:
    carrier.planned.append("silent")
    with pytest.raises(requests.exceptions.ReadTimeout):
        client.messages.create(to=TO, from_=FROM, body="x")
    assert len(carrier.messages) == 1


@pytest.mark.parametrize("number", [INVALID_NUMBER, "4155550101", "+1", ""])
def test_what_is_no_number_is_refused(client: Client, number: str) -> None:
    with pytest.raises(TwilioRestException) as error:
        client.messages.create(to=number, from_=FROM, body="x")
    assert (error.value.status, error.value.code) == (400, 21211)


def test_a_number_that_has_replied_stop_is_refused_until_it_replies_start(
    client: Client, carrier: Carrier
) -> None:
    with serving(Carrier("ACother", "x")) as nobody:
        carrier.reply(f"{nobody}/inbound", TO, FROM, "Stop")
        with pytest.raises(TwilioRestException) as error:
            client.messages.create(to=TO, from_=FROM, body="x")
        assert error.value.code == 21610
        carrier.reply(f"{nobody}/inbound", TO, FROM, "start")
    client.messages.create(to=TO, from_=FROM, body="x")


def test_another_token_is_not_let_in(carrier: Carrier) -> None:
    with serving(carrier) as url, pytest.raises(TwilioRestException) as error:
        client_of(url, "another token").messages.create(to=TO, from_=FROM, body="x")
    assert error.value.status == 401


def test_replies_are_signed_as_twilio_signs_them() -> None:
    form = {"From": TO, "To": FROM, "Body": "STOP ünd mehr"}
    url = "https://door.example/v1/inbound?x=1"
    assert RequestValidator("t").compute_signature(url, form) == signature("t", url, form)


def test_the_shares_of_faults_are_drawn_the_same_for_the_same_seed() -> None:
    shares = {"busy": 0.2, "lost": 0.1}
    one, same = (Carrier("AC", "t", shares, seed=5) for _ in range(2))
    drawn = [one.fault() for _ in range(2000)]
    assert drawn == [same.fault() for _ in range(2000)]
    assert 300 < drawn.count("busy") < 500
    assert 120 < drawn.count("lost") < 280
    assert set(drawn) == {"", "busy", "lost"}


def test_what_arrives_is_recorded(tmp_path: Path) -> None:
    carrier = Carrier("ACtest", "a token", record=tmp_path / "arrived.ndjson")
    carrier.accept(TO, FROM, "hello")
    (line,) = (tmp_path / "arrived.ndjson").read_text().splitlines()
    assert json.loads(line)["body"] == "hello"


@pytest.mark.parametrize("arguments", [["--busy", "2"], ["--port", "x"], ["--nothing"]])
def test_a_flag_that_cannot_be_used_is_told_and_2(arguments: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "simulator.carrier", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert arguments[0] in ended.stderr
