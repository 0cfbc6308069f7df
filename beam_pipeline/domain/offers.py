"""What can be offered, to whom, and how an offer and its messages stand in Redis.

Only msgspec and the standard library: the functions `offer` and `sms` import this module, the
pipeline's targeting writes what they read. Clocks are handed in everywhere; `ms` is
milliseconds since 1970-01-01T00:00:00Z.

    decision:{offer}:{customer_id}
                            a Decision as JSON, kept for ever: nobody is decided on twice
    target:{customer_id}    hash; field: the offer's id, value: a Target as JSON
    sms:outbox              stream; an entry's fields are those of an OutboxEntry, as text
    shows:{customer_id}:{YYYY-MM-DD}
                            hash; field: the offer's id, value: how often it was handed out
                            on that UTC day (written by `offer`, gone after two days)

A customer of the hold-out gets a decision and nothing else. An entry of `sms:outbox` is put
there at most once per offer and customer, ever; its message_id is the offer_id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

Language = Literal["en", "ko"]
HOLDOUT = "holdout"
"""The channel of a target who is shown nothing, so that there is something to compare with."""
SCREEN, SMS = "screen", "sms"
"""The channels of the others: on screen at login; there, and by text message."""

ACTIVE = 1
GOLD = 2
MAX_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Words:
    """An offer in one language."""

    title: str
    text: str
    """On screen."""
    sms: str
    """As a text message; `{code}` stands where the message's short code goes."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that can be offered."""

    id: str
    ad: str
    """The `ad` of the ad events that report what became of it."""
    words: Mapping[Language, Words]
    lasts: timedelta
    """How long after the decision it may be taken."""
    shows_a_day: int
    """How often a customer is handed it in a UTC day, at most."""
    holdout: float
    """Share of those chosen who are shown nothing, in [0, 1)."""
    by_sms: bool = True
    """Whether a text message goes out as well, to those who have consented to any."""


_GOLD_DAY = Offer(
    id="gold-1day",
    ad="ADV_REDUCED_1DAY",
    words={
        "en": Words(
            title="A day of Gold",
            text="Every track, no ads, at a reduced price for one day. Shall we?",
            sms="Encore: a day of Gold at a reduced price awaits you in the app. "
            "Ref {code}. Reply STOP to end.",
        ),
        "ko": Words(
            title="하루 동안 골드",
            text="광고 없이 모든 곡을, 하루 동안 할인된 가격으로 들어 보세요.",
            sms="앙코르: 앱에서 하루 골드를 할인된 가격으로 만나 보세요. "
            "확인번호 {code}. 수신거부는 STOP 답장.",
        ),
    },
    lasts=timedelta(days=3),
    shows_a_day=3,
    holdout=0.1,
)

OFFERS: Mapping[str, Offer] = {offer.id: offer for offer in (_GOLD_DAY,)}
"""All offers by id; of several that a customer may have, the first here goes first."""


class Decision(Struct, frozen=True, omit_defaults=True):
    """What was decided about an offer and a customer, once and for ever."""

    decided_at: int
    """ms; the published_at of the play that decided."""
    channel: str
    explore: bool
    """Chosen by chance rather than by score."""
    score: float | None = None
    model_version: str | None = None
    """The model that gave the score, None without one."""


class Target(Struct, frozen=True):
    """What `target:{customer_id}` holds of one offer; unknown fields are left alone."""

    until: int
    """ms; the offer is good before this moment."""
    channel: str


class OutboxEntry(Struct, frozen=True):
    """A text message to be sent; how it is worded is the offer's affair."""

    message_id: str
    """The offer_id."""
    customer_id: Annotated[int, Meta(ge=0, le=MAX_ID)]
    offer: str
    until: Annotated[int, Meta(ge=0, le=MAX_ID)]
    """ms; not sent from this moment on."""

    def fields(self) -> dict[str, str]:
        """The entry's fields in the stream."""
        return {name: str(value) for name, value in msgspec.structs.asdict(self).items()}


def read_entry(fields: Mapping[str, str]) -> OutboxEntry:
    """The entry that these fields are.

    Raises:
        ValueError: when they are none, or its message_id is not that of its offer and customer.
    """
    entry = msgspec.convert(dict(fields), OutboxEntry, strict=False)
    if entry.message_id != offer_id(entry.offer, entry.customer_id):
        raise ValueError("message_id is not that of the offer and the customer")
    return entry


def offer_id(offer: str, customer_id: int) -> str:
    """The identity of an offer made to a customer: what ad events carry back."""
    return f"{offer}:{customer_id}"


def until_ms(offer: Offer, decided_at: int) -> int:
    """When an offer ends that was decided at `decided_at`; both in ms."""
    return decided_at + offer.lasts // timedelta(milliseconds=1)


def may_upgrade(status: int | None, level: int | None) -> bool:
    """Whether a customer can still be upgraded: active, and below Gold."""
    return status == ACTIVE and level is not None and 0 <= level < GOLD
