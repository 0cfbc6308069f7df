"""What an app is told at login: one offer that holds, or nothing."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from beam_pipeline.domain.offers import HOLDOUT, OFFERS
from infra.local.stack import Stack
from tests.functions.conftest import offer_environ
from tests.functions.process import KEYS, Function, running, signature, signed
from tests.functions.proxy import silent_port, wire

DAY = timedelta(days=1)
GOLD_DAY = OFFERS["gold-1day"]
_customers = itertools.count(50_000)


@dataclass
class Listener:
    """Somebody with a target, and what the door says to them."""

    store: redis.Redis
    door: Function
    id: int = field(default_factory=lambda: next(_customers))
    now: datetime = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def known(self, **traits: Any) -> Listener:
        """Put the customer's traits in Redis."""
        every = {"gender": 1, "age": 30, "zip": "94107", "level": 0, "status": 1, "campaign": 0}
        self.store.set(f"customer:{self.id}", json.dumps(every | traits))
        return self

    def targeted(
        self, until: datetime, channel: str = "screen", name: str = "gold-1day"
    ) -> Listener:
        """Make the customer a target."""
        value = json.dumps({"until": int(until.timestamp() * 1000), "channel": channel, "more": []})
        self.store.hset(f"target:{self.id}", name, value)
        return self

    def ask(self) -> httpx.Response:
        """What the door says at a login now."""
        return self.door.get_signed(f"/v1/offers/{self.id}", {"Encore-Now": self.now.isoformat()})


@pytest.fixture
def listener(stack: Stack, offer: Function) -> Listener:
    return Listener(redis.Redis.from_url(stack.redis), offer)


def test_a_target_is_told_the_offer_in_both_languages(listener: Listener) -> None:
    listener.known().targeted(listener.now + DAY)
    answer = listener.ask()
    assert answer.status_code == 200
    assert answer.json() == {
        "offer_id": f"gold-1day:{listener.id}",
        "offer": "gold-1day",
        "ad": "ADV_REDUCED_1DAY",
        "title": {"en": GOLD_DAY.words["en"].title, "ko": GOLD_DAY.words["ko"].title},
        "text": {"en": GOLD_DAY.words["en"].text, "ko": GOLD_DAY.words["ko"].text},
        "until": "2026-03-02T12:00:00.000Z",
    }
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "traits",
    [{"level": 2}, {"level": 3}, {"level": None}, {"status": 0}, {"status": None}],
)
def test_only_an_active_customer_below_gold_is_offered_anything(
    listener: Listener, traits: dict[str, Any]
) -> None:
    listener.known(**traits).targeted(listener.now + DAY)
    assert listener.ask().status_code == 204
    listener.known(level=1)
    assert listener.ask().status_code == 200


def test_who_is_unknown_or_no_target_is_offered_nothing(listener: Listener) -> None:
    assert listener.ask().status_code == 204
    listener.known()
    answer = listener.ask()
    assert (answer.status_code, answer.content) == (204, b"")
    listener.targeted(listener.now + DAY)
    assert listener.ask().status_code == 200


def test_an_offer_ends_at_its_until_by_the_clock_handed_in(listener: Listener) -> None:
    listener.known().targeted(listener.now + DAY)
    listener.now += DAY - timedelta(milliseconds=1)
    assert listener.ask().status_code == 200
    listener.now += timedelta(milliseconds=1)
    assert listener.ask().status_code == 204


def test_the_hold_out_is_never_offered_anything(listener: Listener) -> None:
    listener.known().targeted(listener.now + DAY, channel=HOLDOUT)
    assert listener.ask().status_code == 204


def test_it_is_shown_so_often_a_day_and_again_the_next_day(listener: Listener) -> None:
    listener.known().targeted(listener.now + 2 * DAY)
    shows = [listener.ask().status_code for _ in range(GOLD_DAY.shows_a_day + 2)]
    assert shows == [200] * GOLD_DAY.shows_a_day + [204, 204]
    listener.now += timedelta(hours=11, minutes=59)
    assert listener.ask().status_code == 204
    listener.now += timedelta(minutes=1)
    assert listener.ask().status_code == 200


def test_an_offer_that_is_not_in_the_registry_is_not_shown(listener: Listener) -> None:
    listener.known().targeted(listener.now + DAY, name="gold-for-ever")
    assert listener.ask().status_code == 204


@pytest.mark.parametrize(
    "value",
    ["", "null", "[]", "{", '{"until": "soon", "channel": "screen"}', '{"until": 1e300}', '"x"'],
)
def test_what_is_no_target_is_no_offer(listener: Listener, value: str) -> None:
    listener.known()
    listener.store.hset(f"target:{listener.id}", "gold-1day", value)
    assert listener.ask().status_code == 204


def test_keys_of_another_type_are_no_offer_and_do_not_stop_others(listener: Listener) -> None:
    listener.known()
    listener.store.set(f"target:{listener.id}", "a string")
    assert listener.ask().status_code == 204
    other = Listener(listener.store, listener.door)
    other.known().targeted(other.now + DAY)
    assert other.ask().status_code == 200


def test_nobody_can_ask_without_a_key_or_for_another_customer(listener: Listener) -> None:
    listener.known().targeted(listener.now + DAY)
    path = f"/v1/offers/{listener.id}"
    assert listener.door.get(path).status_code == 401
    for_another = signed(f"GET /v1/offers/{listener.id + 1}".encode())
    assert listener.door.get(path, for_another).status_code == 401
    assert listener.door.get(path + "?more=1", signed(b"GET " + path.encode())).status_code == 401
    stale = signed(b"GET " + path.encode(), at=time.time() - 310)
    assert listener.door.get(path, stale).status_code == 401


def test_a_signature_is_good_once_and_a_second_one_needs_another_timestamp(
    listener: Listener,
) -> None:
    listener.known().targeted(listener.now + DAY)
    headers = signed(f"GET /v1/offers/{listener.id}".encode())
    path = f"/v1/offers/{listener.id}"
    assert listener.door.get(path, headers).status_code in (200, 204)
    answer = listener.door.get(path, headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "replayed")


def test_a_replay_does_not_use_up_a_show(listener: Listener) -> None:
    listener.known().targeted(listener.now + DAY)
    path = f"/v1/offers/{listener.id}"
    at = {"Encore-Now": listener.now.isoformat()}
    headers = signed(b"GET " + path.encode()) | at
    first, *others = [listener.door.get(path, headers).status_code for _ in range(5)]
    assert (first, set(others)) == (200, {403})
    assert listener.ask().status_code == 200


def test_over_its_rate_a_key_gets_429(stack: Stack, logs: Path) -> None:
    slow = {"ENCORE_RATE_REQUESTS": "0.01", "ENCORE_RATE_BURST": "2"}
    keys = {"ENCORE_KEYS": json.dumps({"offer-slow": KEYS["key-one"]})}
    with running("offer", offer_environ(stack) | slow | keys, logs) as offer:

        def ask(customer: int) -> httpx.Response:
            path = f"/v1/offers/{customer}"
            headers = signed(b"GET " + path.encode()) | {"Encore-Key-Id": "offer-slow"}
            return offer.get(path, headers)

        assert [ask(number).status_code for number in range(3)] == [204, 204, 429]
        assert int(ask(5).headers["Retry-After"]) > 1


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1/offers",
        "/v1/offers/",
        "/v1/offers/x",
        "/v1/offers/-1",
        "/v1/offers/007",
        "/v1/offers/9223372036854775808",
        "/v1/offers/٣",
        "/v1/offers/1/2",
    ],
)
def test_other_paths_are_404(offer: Function, path: str) -> None:
    assert offer.get_signed(path).status_code == 404


def test_another_method_is_405(offer: Function) -> None:
    answer = offer.post("/v1/offers/1", b"")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")


def test_a_time_that_is_none_is_400(offer: Function) -> None:
    answer = offer.get_signed("/v1/offers/1", {"Encore-Now": "tomorrow"})
    assert (answer.status_code, answer.json()["error"]) == (400, "bad_now")


def test_in_real_time_the_header_is_not_heard(stack: Stack, logs: Path) -> None:
    environ = offer_environ(stack) | {"ENCORE_SIMULATED_TIME": "0"}
    with running("offer", environ, logs) as offer:
        listener = Listener(redis.Redis.from_url(stack.redis), offer)
        listener.known().targeted(listener.now + DAY)
        assert datetime.now(UTC) - DAY > listener.now
        assert listener.ask().status_code == 204
        listener.targeted(datetime.now(UTC) + DAY)
        assert listener.ask().status_code == 200


@pytest.mark.parametrize("silent", [False, True], ids=["refused", "silent"])
def test_without_redis_there_is_no_offer_and_a_line_that_says_so(
    stack: Stack, logs: Path, silent: bool
) -> None:
    listener, port = silent_port()
    if not silent:
        listener.close()
    environ = offer_environ(stack) | {"REDIS_URL": f"redis://127.0.0.1:{port}/0"}
    with running("offer", environ, logs) as offer:
        for number in range(20):
            assert offer.get_signed(f"/v1/offers/{number}").status_code == 204
        written = offer.log.read_text()
    assert written.count('"metric":"redis_down"') == 1
    assert written.count('"metric":"offer_without_redis"') == 1
    listener.close()


def test_when_redis_stops_and_comes_back_offers_stop_and_come_back(
    stack: Stack, logs: Path
) -> None:
    with wire(stack.redis.removeprefix("redis://").removesuffix("/0")) as line:
        environ = offer_environ(stack) | {"REDIS_URL": f"redis://{line.address}/0"}
        with running("offer", environ, logs) as offer:
            listener = Listener(redis.Redis.from_url(stack.redis), offer)
            listener.known().targeted(datetime(9999, 1, 1, tzinfo=UTC))
            assert listener.ask().status_code == 200
            line.hold()
            assert listener.ask().status_code == 204
            line.release()
            deadline = time.monotonic() + 15
            while listener.ask().status_code != 200:
                listener.now += timedelta(hours=1)
                assert time.monotonic() < deadline


@pytest.mark.parametrize("missing", [{"ENCORE_KEYS": ""}, {"REDIS_URL": ""}])
def test_without_what_it_needs_the_door_stays_shut(
    stack: Stack, logs: Path, missing: dict[str, str]
) -> None:
    with running("offer", offer_environ(stack) | missing, logs) as offer:
        assert offer.get_signed("/v1/offers/1").status_code == 503
        assert offer.get("/healthz").status_code == 503


def test_healthz_says_ok(offer: Function) -> None:
    assert offer.get("/healthz").json() == {"status": "ok"}


def test_a_signed_get_is_signed_over_its_method_and_path(offer: Function) -> None:
    timestamp = f"{time.time():.9f}"
    headers = {
        "Encore-Key-Id": "key-two",
        "Encore-Timestamp": timestamp,
        "Encore-Signature": signature(KEYS["key-two"], timestamp, b"GET /v1/offers/12?lang=ko"),
    }
    assert offer.get("/v1/offers/12?lang=ko", headers).status_code == 204
