"""Everything around sms that a test looks at: outbox, carrier, clock and what was published."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from beam_pipeline.domain.offers import OutboxEntry, offer_id
from infra.local.stack import Stack
from simulator.carrier import Carrier
from tests.functions.inbox import Inbox
from tests.functions.process import KEYS, Function, signed

DAYTIME = datetime(2026, 3, 2, 18, tzinfo=UTC)
"""10 in the morning in San Francisco, and day everywhere in the United States."""
SENDER = "+14155550199"
ACCOUNT, TOKEN = "ACencore", "a token of the carrier"
OFFER = "gold-1day"

_customers = itertools.count(70_000)


def database(stack: Stack) -> str:
    """The URL of a Redis database that the other doors' tests leave alone."""
    return stack.redis.removesuffix("/0") + "/9"


def sms_environ(stack: Stack, inbox: Inbox, carrier_url: str) -> dict[str, str]:
    """The settings that sms runs with: time as the test tells it, nothing waited for.

    As in the cloud, gunicorn does not know the proxy in front and believes nothing it says.
    """
    return {
        "FORWARDED_ALLOW_IPS": "192.0.2.1",
        "PUBSUB_EMULATOR_HOST": inbox.address,
        "ENCORE_PROJECT": inbox.project,
        "ENCORE_TOPIC": inbox.topic,
        "ENCORE_KEYS": json.dumps(KEYS),
        "ENCORE_SIMULATED_TIME": "1",
        "ENCORE_SMS_IDLE_S": "0",
        "ENCORE_SMS_CAP": "2",
        "REDIS_URL": database(stack),
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_FROM": SENDER,
        "TWILIO_API_URL": carrier_url,
        "TWILIO_TIMEOUT_S": "1",
    }


@dataclass
class Desk:
    """A test's view."""

    store: Any
    """A redis.Redis."""
    carrier: Carrier
    inbox: Inbox
    now: datetime = DAYTIME
    people: list[int] = field(default_factory=list)

    def person(self, consent: bool = True, phone: str | None = "", **traits: Any) -> int:
        """A new customer who may be written to, unless told otherwise."""
        customer = next(_customers)
        self.people.append(customer)
        every = {"gender": 1, "age": 30, "zip": "94107", "level": 0, "status": 1, "campaign": 0}
        self.store.set(f"customer:{customer}", json.dumps(every | traits))
        number = self.number(customer) if phone == "" else phone
        contact = {"name": "Ada Nobody", "phone": number, "consent": consent}
        self.store.set(f"contact:{customer}", json.dumps(contact))
        return customer

    def number(self, customer: int) -> str:
        """The number of a customer, one that nobody has."""
        return f"+1415555{customer % 10_000:04d}"

    def put(self, customer: int, offer: str = OFFER, lasts: timedelta = timedelta(days=3)) -> None:
        """Put a message into the outbox, as the pipeline would."""
        until = int((self.now + lasts).timestamp() * 1000)
        entry = OutboxEntry(offer_id(offer, customer), customer, offer, until)
        self.add(entry.fields())

    def add(self, fields: Mapping[str, str]) -> None:
        """Put any fields into the outbox."""
        self.store.xadd("sms:outbox", dict(fields))

    def run(self, door: Function, after: timedelta = timedelta(0)) -> httpx.Response:
        """Let time pass, then say that it is time to send."""
        self.now += after
        headers = signed(b"{}") | {"Encore-Now": self.now.isoformat()}
        return door.post("/v1/send", b"{}", "application/json", headers)

    def counts(self, door: Function, after: timedelta = timedelta(0)) -> dict[str, int]:
        """What a run says that it has done."""
        answer = self.run(door, after)
        assert answer.status_code == 200, answer.text
        counts: dict[str, int] = answer.json()["counts"]
        return counts

    def arrived(self, customer: int) -> list[str]:
        """The texts that a customer has got."""
        number = self.number(customer)
        return [message.body for message in self.carrier.messages if message.to == number]

    def outcomes(self, customer: int, count: int = 1) -> list[dict[str, Any]]:
        """What was published about a customer's message, once there are `count` events."""
        for _ in range(20):
            found = [e for e in self.inbox.lines("message") if e["customer_id"] == customer]
            if len(found) >= count:
                return found
            self.inbox.wait(len(self.inbox.messages) + 1, 5)
        raise AssertionError(f"{count} outcomes of {customer} were not published")

    def record(self, customer: int) -> dict[str, str]:
        """What is recorded of a customer's message."""
        found = self.store.hgetall(f"sms:message:{OFFER}:{customer}")
        return {name.decode(): value.decode() for name, value in found.items()}

    def pending(self) -> int:
        """Entries that are in the outbox still."""
        return int(self.store.xlen("sms:outbox"))
