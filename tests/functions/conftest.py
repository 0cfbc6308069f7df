"""Fixtures of the doors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from infra.local.stack import Stack
from simulator.carrier import Carrier
from simulator.carrier_http import serving
from tests.functions.desk import ACCOUNT, TOKEN, Desk, database, sms_environ
from tests.functions.inbox import Inbox
from tests.functions.process import KEYS, Function, running


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the functions of this session write."""
    return tmp_path_factory.mktemp("functions")


@pytest.fixture
def inbox(stack: Stack) -> Inbox:
    """A topic of this test's own."""
    return Inbox.new(stack)


@pytest.fixture(scope="session")
def ingest_inbox(stack: Stack) -> Inbox:
    """The topic of the shared ingest function; only for what a test posts itself."""
    return Inbox.new(stack)


def ingest_environ(stack: Stack, inbox: Inbox) -> dict[str, str]:
    """The settings that ingest runs with, on real services, with two live keys."""
    return {
        "PUBSUB_EMULATOR_HOST": inbox.address,
        "ENCORE_PROJECT": inbox.project,
        "ENCORE_TOPIC": inbox.topic,
        "ENCORE_KEYS": json.dumps(KEYS),
        "REDIS_URL": stack.redis,
    }


@pytest.fixture(scope="session")
def ingest(stack: Stack, ingest_inbox: Inbox, logs: Path) -> Iterator[Function]:
    """Ingest as a process, for tests that only ask and look at the answer."""
    with running("ingest", ingest_environ(stack, ingest_inbox), logs) as function:
        yield function


def offer_environ(stack: Stack) -> dict[str, str]:
    """The settings that offer runs with: two live keys, and time as the test tells it."""
    return {
        "REDIS_URL": stack.redis,
        "ENCORE_KEYS": json.dumps(KEYS),
        "ENCORE_SIMULATED_TIME": "1",
    }


@pytest.fixture(scope="session")
def offer(stack: Stack, logs: Path) -> Iterator[Function]:
    """Offer as a process, in simulated time."""
    with running("offer", offer_environ(stack), logs) as function:
        yield function


@pytest.fixture(scope="session")
def carrier() -> Carrier:
    """The carrier of the shared sms function."""
    return Carrier(ACCOUNT, TOKEN, silence_s=120)


@pytest.fixture(scope="session")
def sms_inbox(stack: Stack) -> Inbox:
    """The topic of the shared sms function."""
    return Inbox.new(stack)


@pytest.fixture(scope="session")
def sms(stack: Stack, sms_inbox: Inbox, carrier: Carrier, logs: Path) -> Iterator[Function]:
    """Sms as a process, in simulated time."""
    with (
        serving(carrier) as url,
        running("sms", sms_environ(stack, sms_inbox, url), logs) as function,
    ):
        yield function


@pytest.fixture
def desk(stack: Stack, sms_inbox: Inbox, carrier: Carrier) -> Desk:
    """What is around the shared sms function, empty."""
    store = redis.Redis.from_url(database(stack))
    store.flushdb()
    carrier.planned.clear()
    carrier.stopped.clear()
    carrier.messages.clear()
    return Desk(store, carrier, sms_inbox)
