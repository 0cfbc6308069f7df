"""Kill -9 at every step of a run: never two messages, and none forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import redis

from infra.local.stack import Stack
from simulator.carrier import Carrier
from simulator.carrier_http import serving
from tests.functions.desk import ACCOUNT, TOKEN, Desk, database, sms_environ
from tests.functions.inbox import Inbox
from tests.functions.process import Function, eventually, running
from tests.functions.tripwire import Tripwire, tripwires

MINUTE = timedelta(minutes=1)
ENOUGH = 200
"""More steps than a run has."""


@pytest.fixture
def desk(stack: Stack, inbox: Inbox) -> Desk:
    return Desk(redis.Redis.from_url(database(stack)), Carrier(ACCOUNT, TOKEN), inbox)


@contextmanager
def wired(stack: Stack, desk: Desk, trip: Tripwire, logs: Path) -> Iterator[Function]:
    """Sms, with every wire to its neighbours tripped."""
    with serving(desk.carrier) as url:
        targets = {
            "redis": stack.redis.removeprefix("redis://").removesuffix("/0"),
            "carrier": url.removeprefix("http://"),
            "pubsub": desk.inbox.address,
        }
        with tripwires(trip, targets) as at:
            environ = sms_environ(stack, desk.inbox, f"http://{at['carrier']}") | {
                "REDIS_URL": f"redis://{at['redis']}/9",
                "PUBSUB_EMULATOR_HOST": at["pubsub"],
            }
            with running("sms", environ, logs) as sms:
                yield sms


def worker(sms: Function) -> int:
    """The process that answers; the one that started it makes another when it is killed."""
    pid = sms.process.pid

    def only_child() -> int | None:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if len(children) == 1 else None

    found: int = eventually(only_child)
    return found


def run_until_killed(desk: Desk, sms: Function, trip: Tripwire, fatal: int) -> bool:
    """One run, killed at a step; whether it was."""
    alive = worker(sms)
    trip.arm(alive, fatal)
    try:
        answer = desk.run(sms)
    except httpx.TransportError:
        assert trip.killed
    else:
        assert answer.status_code == 200
    trip.disarm()
    if trip.killed:
        eventually(lambda: worker(sms) != alive)
    return trip.killed


def settle(desk: Desk, sms: Function) -> None:
    """Runs for as long as an attempt is looked up, and a little longer."""
    for _ in range(12):
        eventually(lambda: answered(desk, sms))
        if not desk.pending() and not desk.store.zcard("sms:later"):
            return
        desk.now += MINUTE


def answered(desk: Desk, sms: Function) -> bool:
    try:
        return desk.run(sms).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
def test_killed_at_any_step_a_message_is_sent_once_or_known_to_be_unknown(
    stack: Stack, desk: Desk, logs: Path
) -> None:
    trip = Tripwire()
    ends: Counter[str] = Counter()
    fatal_steps: list[str] = []
    unharmed = 0
    with wired(stack, desk, trip, logs) as sms:
        for fatal in range(1, ENOUGH):
            desk.store.flushdb()
            desk.carrier.messages.clear()
            customer = desk.person(zip=None)
            desk.put(customer)
            if run_until_killed(desk, sms, trip, fatal):
                fatal_steps.append(trip.steps[-1])
            else:
                unharmed += 1
            settle(desk, sms)
            status = desk.record(customer)["status"]
            arrived = len(desk.arrived(customer))
            at = f"step {fatal}, {trip.steps[-1]}"
            assert (status, arrived) in (("sent", 1), ("unknown", 0)), at
            assert desk.pending() == 0, at
            assert {each["status"] for each in desk.outcomes(customer)} == {status}, at
            ends[status] += trip.killed
            if unharmed == 3:
                break
    assert unharmed == 3, f"a run has more than {ENOUGH} steps"
    assert {"to redis", "from redis", "to carrier", "from carrier"} <= set(fatal_steps)
    assert {"to pubsub", "from pubsub"} & set(fatal_steps)
    assert ends["unknown"] >= 1
    assert ends["sent"] > ends["unknown"]


@pytest.mark.slow
def test_killed_while_it_looks_an_attempt_up_nothing_is_sent_again(
    stack: Stack, desk: Desk, logs: Path
) -> None:
    trip = Tripwire()
    with wired(stack, desk, trip, logs) as sms:
        for fatal in range(1, ENOUGH):
            desk.store.flushdb()
            desk.carrier.messages.clear()
            lost, broken = desk.person(zip=None), desk.person(zip=None)
            desk.put(lost)
            desk.put(broken)
            desk.carrier.planned.extend(["lost", "broken"])
            assert desk.counts(sms) == {"later": 2}
            desk.now += MINUTE
            killed = run_until_killed(desk, sms, trip, fatal)
            settle(desk, sms)
            assert [len(desk.arrived(customer)) for customer in (lost, broken)] == [1, 0]
            assert desk.record(lost)["status"] == "sent"
            assert desk.record(broken)["status"] == "unknown"
            assert {each["status"] for each in desk.outcomes(broken)} == {"unknown"}
            if not killed:
                return
    raise AssertionError(f"a run has more than {ENOUGH} steps")


def test_killed_again_and_again_at_one_message_the_others_are_sent(
    stack: Stack, desk: Desk, logs: Path
) -> None:
    trip = Tripwire()
    desk.store.flushdb()
    with wired(stack, desk, trip, logs) as sms:
        doomed, other = desk.person(zip=None), desk.person(zip=None)
        desk.put(doomed)
        desk.put(other)
        for _ in range(5):
            alive = worker(sms)
            trip.arm(alive, 0, when=f"contact:{doomed}".encode())
            with pytest.raises(httpx.TransportError):
                desk.run(sms)
            trip.disarm()
            eventually(lambda alive=alive: worker(sms) != alive)
        settle(desk, sms)
    assert desk.record(doomed)["status"] == "aside"
    assert desk.record(other)["status"] == "sent"
    assert desk.outcomes(doomed)[0]["reason"] == "tries"
    assert desk.store.xlen("sms:aside") == 1
