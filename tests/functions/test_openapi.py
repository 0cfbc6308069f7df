"""The description of the doors against the doors themselves, and against odd requests."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import hypothesis
import redis
import requests
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from requests.auth import AuthBase
from schemathesis import Case

from functions.sms.door import EMPTY_REPLY
from infra.local.stack import Stack
from simulator.carrier import signature
from tests.functions.desk import TOKEN, Desk
from tests.functions.events import play
from tests.functions.process import Function, signed

DESCRIPTION = Path(__file__).resolve().parents[2] / "functions" / "openapi.yaml"

NOT_HELD = [
    # Signer signs everything, also what was to go out unsigned.
    schemathesis.checks.ignored_auth,
    schemathesis.checks.missing_required_header,
    # Whether a time is good depends on the clock, and one good event of many is enough.
    schemathesis.checks.positive_data_acceptance,
    schemathesis.checks.negative_data_rejection,
]


@schemathesis.serializer("application/x-ndjson")
def ndjson_text(ctx: schemathesis.SerializationContext, value: Any) -> bytes:
    """Any generated text, as it is."""
    return str(value).encode(errors="surrogatepass")


doors = schemathesis.openapi.from_path(str(DESCRIPTION))
bounded = hypothesis.settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None
)


class Signer(AuthBase):
    """Signs whatever is about to be sent."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        body = request.body or b""
        assert isinstance(body, str | bytes)
        payload = body.encode() if isinstance(body, str) else body
        if request.method == "GET":
            payload = b"GET " + request.path_url.encode()
        request.headers.update(signed(payload))
        return request


def hold(case: Case, door: Function) -> None:
    """Send one generated request and hold the answer against the description."""
    response = case.call(base_url=door.url, auth=Signer())
    case.validate_response(response, excluded_checks=NOT_HELD)


@doors.include(tag=["ingest", "health"]).parametrize()
@bounded
def test_ingest_is_what_its_description_says(case: Case, ingest: Function) -> None:
    hold(case, ingest)


@doors.include(tag=["offer", "health"]).parametrize()
@bounded
def test_offer_is_what_its_description_says(case: Case, offer: Function) -> None:
    hold(case, offer)


@doors.include(tag=["sms", "health"]).parametrize()
@bounded
def test_sms_is_what_its_description_says(case: Case, sms: Function) -> None:
    hold(case, sms)


def test_a_run_is_as_described(desk: Desk, sms: Function) -> None:
    for faults in (["", "busy"], ["lost"]):
        for fault in faults:
            desk.put(desk.person())
            desk.carrier.planned.append(fault)
        case = doors["/v1/send"]["POST"].Case(headers={"Encore-Now": desk.now.isoformat()})
        response = case.call(base_url=sms.url, auth=Signer())
        assert response.json()["counts"]
        case.validate_response(response, excluded_checks=NOT_HELD)


def test_a_reply_is_answered_as_described(desk: Desk, sms: Function) -> None:
    hook = f"{sms.url}/v1/inbound"
    form: Any = {"From": "+14155550113", "Body": "STOP"}
    case = doors["/v1/inbound"]["POST"].Case(
        body=form,
        media_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": signature(TOKEN, hook, form)},
    )
    response = case.call(base_url=sms.url)
    assert (response.status_code, response.text) == (200, EMPTY_REPLY)
    assert response.headers["content-type"][0].startswith("text/xml")


def test_an_offer_made_is_as_described(stack: Stack, offer: Function) -> None:
    store = redis.Redis.from_url(stack.redis)
    store.set("customer:77", '{"level": 0, "status": 1}')
    store.hset("target:77", "gold-1day", '{"until": 200000000000000, "channel": "screen"}')
    case = doors["/v1/offers/{customer_id}"]["GET"].Case(path_parameters={"customer_id": 77})
    response = case.call(base_url=offer.url, auth=Signer())
    assert response.status_code == 200
    case.validate_response(response, excluded_checks=NOT_HELD)


lines = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=100).map(lambda text: text.encode(errors="surrogatepass")),
    st.builds(
        lambda changes: json.dumps(play() | changes).encode(),
        st.dictionaries(
            st.sampled_from(["event_id", "customer_id", "played_at", "zip", "other"]),
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
            max_size=2,
        ),
    ),
    st.sampled_from([b"[" * 100_000, b'{"a":' * 50_000, b"1" * 70_000, b'{"event_id":"\\ud800"}']),
)


@hypothesis.settings(bounded, max_examples=200)
@given(
    path=st.sampled_from(["/v1/plays", "/v1/ad-events"]),
    parts=st.lists(lines, max_size=5),
    array=st.booleans(),
    packed=st.booleans(),
    content_type=st.sampled_from(["application/json", "application/x-ndjson", "text/plain", ";;"]),
    encoding=st.sampled_from(["gzip", "identity", "", "deflate", "\x80"]),
    length=st.integers(-1, 2),
)
def test_no_body_makes_ingest_fail(
    ingest: Function,
    path: str,
    parts: list[bytes],
    array: bool,
    packed: bool,
    content_type: str,
    encoding: str,
    length: int,
) -> None:
    body = b"[" + b",".join(parts) + b"]" if array else b"\n".join(parts)
    body = gzip.compress(body)[: length if length > 0 else None] if packed else body
    headers = signed(body) | {"Content-Type": content_type}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"Content-Encoding", encoding.encode("latin-1")))
    answer = ingest.client.post(ingest.url + path, content=body, headers=raw)
    assert answer.status_code in (202, 400, 413, 415)
    assert answer.headers["Content-Type"] == "application/json"
