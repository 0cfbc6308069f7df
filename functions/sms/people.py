"""Who a message is for: what is on file of a customer, read when it is about to be sent."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import msgspec
import redis

from beam_pipeline.domain.offers import may_upgrade

_PHONE = re.compile(r"\+[1-9]\d{7,14}", re.ASCII)
_BETWEEN = re.compile(r"[\s().-]+")


class _Customer(msgspec.Struct):
    level: int | None = None
    status: int | None = None
    zip: str | None = None


class _Contact(msgspec.Struct):
    phone: str | None = None
    consent: bool | int | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can be written to."""

    phone: str = field(repr=False)
    """E.164; goes to the carrier and nowhere else."""
    consents: bool
    zip: str | None


class Nobody(Exception):
    """A customer who is not written to; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class People:
    """Reads `customer:{id}` and `contact:{id}`."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def find(self, customer_id: int) -> Person:
        """The person to write to.

        Raises:
            Nobody: unknown_customer, not_eligible or no_phone.
            ValueError: when what is on file cannot be read.
            redis.RedisError: when it cannot be had.
        """
        traits, contact = self._client.mget(f"customer:{customer_id}", f"contact:{customer_id}")
        if traits is None:
            raise Nobody("unknown_customer")
        customer = msgspec.json.decode(traits, type=_Customer)
        if not may_upgrade(customer.status, customer.level):
            raise Nobody("not_eligible")
        found = _Contact() if contact is None else msgspec.json.decode(contact, type=_Contact)
        phone = e164(found.phone or "")
        if phone is None:
            raise Nobody("no_phone")
        return Person(phone, bool(found.consent), customer.zip)


def e164(phone: str) -> str | None:
    """A number as the carrier takes it; ten digits are one of the United States."""
    bare = _BETWEEN.sub("", phone)
    if bare.isascii() and bare.isdigit() and len(bare) == 10:
        bare = f"+1{bare}"
    return bare if _PHONE.fullmatch(bare) else None
