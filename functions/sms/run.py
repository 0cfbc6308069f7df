"""One run through the outbox: who may get a message gets it, once, and everyone hears of it."""

from __future__ import annotations

import base64
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
import redis

from beam_pipeline.domain.offers import OFFERS, Language, OutboxEntry, read_entry
from functions.shared.logs import log
from functions.shared.publish import Message, Publisher
from functions.sms import ledger, quiet
from functions.sms.carrier import NOT_DELIVERED, UNSUBSCRIBED, NotTaken, Refused, Twilio, Unclear
from functions.sms.ledger import Ledger, Record
from functions.sms.outbox import TRIES, Entry, Outbox
from functions.sms.people import Nobody, People, Person

LOOK_UP = timedelta(minutes=10)
"""For how long an attempt without an outcome is looked up."""
OUT_OF_REACH = timedelta(hours=24)
"""For how long it is when the carrier cannot be asked."""
AGAIN = timedelta(minutes=1)
"""When a message is taken up again that the carrier has not taken, or not shown."""

_MILLISECOND = timedelta(milliseconds=1)
_METRICS = {
    ledger.FAILED: "sms_failed",
    ledger.UNKNOWN: "sms_unknown",
    ledger.ASIDE: "sms_poison",
}


class Waits(Exception):
    """A message that must wait until `due_ms`."""

    def __init__(self, due_ms: int) -> None:
        super().__init__(due_ms)
        self.due_ms = due_ms


@dataclass(slots=True)
class Run:
    """The outbox from its oldest entry on, until it is empty or the time is up."""

    outbox: Outbox
    ledger: Ledger
    people: People
    carrier: Twilio
    publisher: Publisher
    language: Language
    now_ms: int
    """This moment, by which offers end and it is night."""
    clock: Callable[[], float]
    """The clock on the wall, which is the carrier's."""
    idle_s: float
    budget_s: float
    counts: Counter[str] = field(default_factory=Counter)
    stopped: str | None = None
    """Why the carrier takes nothing more now, if so."""

    def go(self) -> None:
        """Go through the outbox once.

        Raises:
            redis.RedisError, NotPublished: what is unfinished is taken up by a later run.
        """
        ends = time.monotonic() + self.budget_s
        self.outbox.prepare()
        self.outbox.wake(self.now_ms)
        for entries in self.outbox.take_over(self.idle_s):
            self._batch(entries)
            if self.stopped or time.monotonic() > ends:
                return
        while entries := self.outbox.take():
            self._batch(entries)
            if self.stopped or time.monotonic() > ends:
                return

    def _batch(self, entries: Sequence[Entry]) -> None:
        """Handle entries one by one; then publish what they have come to, then let them go."""
        ended: list[tuple[Entry, OutboxEntry, Record]] = []
        for entry in entries:
            try:
                message = read_entry(entry.fields)
                record = self._handle(message, entry.tries)
            except Waits as wait:
                self.outbox.put_off(entry, wait.due_ms)
                self.counts["later"] += 1
            except (ValueError, redis.ResponseError) as error:
                self._failed_try(entry, error)
            else:
                ended.append((entry, message, record))
        if ended:
            self._publish([(message, record) for _, message, record in ended])
        for entry, message, record in ended:
            self.counts[record.status] += 1
            if record.status in _METRICS:
                metric = _METRICS[record.status]
                log("WARNING", "not sent", metric=metric, id=message.message_id, why=record.reason)
            if record.status == ledger.ASIDE:
                self.outbox.put_aside(entry, record.reason or "")
            else:
                self.outbox.done(entry)

    def _failed_try(self, entry: Entry, error: Exception) -> None:
        """An entry that cannot be worked on stays for a later run, and is put aside at last."""
        if entry.tries < TRIES:
            self.counts["waiting"] += 1
            return
        self.outbox.put_aside(entry, type(error).__name__)
        self.counts[ledger.ASIDE] += 1
        log("WARNING", "not sent", metric=_METRICS[ledger.ASIDE], id=entry.id, why="unreadable")

    def _handle(self, message: OutboxEntry, tries: int) -> Record:
        """What a message has come to; Waits where that is still open."""
        record = self.ledger.read(message.message_id)
        if record.is_final:
            return record
        if record.status == ledger.ATTEMPTING:
            if tries > TRIES:
                return self._end(message, ledger.UNKNOWN, "tries")
            return self._look_up(message, record)
        if tries > TRIES:
            return self._end(message, ledger.ASIDE, "tries")
        if self.stopped:
            raise self._again()
        if message.offer not in OFFERS:
            raise ValueError(f"no offer {message.offer}")
        if message.until <= self.now_ms:
            return self._end(message, ledger.EXPIRED, None)
        try:
            person = self.people.find(message.customer_id)
        except Nobody as why:
            return self._end(message, ledger.REFUSED, why.reason)
        self._wait_for_day(person)
        return self._attempt(message, person)

    def _attempt(self, message: OutboxEntry, person: Person) -> Record:
        verdict = self.ledger.begin(
            message.message_id,
            message.customer_id,
            person.phone,
            person.consents,
            self.now_ms,
            int(self.clock() * 1000),
        )
        if verdict in ("no_consent", "cap"):
            return self._end(message, ledger.REFUSED, verdict)
        if verdict != "go":
            raise self._again()
        return self._send(message, person.phone)

    def _send(self, message: OutboxEntry, phone: str) -> Record:
        words = OFFERS[message.offer].words[self.language]
        try:
            self.carrier.send(phone, words.sms.format(code=code_of(message.message_id)))
        except Refused as refusal:
            if refusal.code == UNSUBSCRIBED:
                self.ledger.hear(phone, "stop")
            reason = f"carrier_{refusal.code}"
            return self._end(message, ledger.FAILED, reason, certainly_unsent=True)
        except NotTaken as why:
            self._end(message, ledger.WAITING, None, certainly_unsent=True)
            self.stopped = str(why)
            log("ERROR", "the carrier takes nothing", metric="sms_failed", why=self.stopped)
            raise self._again() from None
        except Unclear as why:
            log(
                "WARNING", "nobody knows", metric="sms_unclear", id=message.message_id, why=str(why)
            )
            raise self._again() from None
        return self._end(message, ledger.SENT, None)

    def _look_up(self, message: OutboxEntry, record: Record) -> Record:
        """Find out about an attempt whose outcome nobody has recorded."""
        patience = LOOK_UP
        state = None
        try:
            state = self.carrier.find(record.to, code_of(message.message_id), record.began)
        except NotTaken:
            patience = OUT_OF_REACH
        if state in NOT_DELIVERED:
            return self._end(message, ledger.FAILED, f"carrier_{state}")
        if state is not None:
            return self._end(message, ledger.SENT, None)
        if (self.now_ms - record.since) * _MILLISECOND >= patience:
            return self._end(message, ledger.UNKNOWN, "not_found")
        raise self._again()

    def _wait_for_day(self, person: Person) -> None:
        now = datetime.fromtimestamp(self.now_ms / 1000, UTC)
        opens = quiet.next_open(now, quiet.zones_of(person.zip))
        if opens > now:
            raise Waits(int(opens.timestamp() * 1000))

    def _again(self) -> Waits:
        return Waits(self.now_ms + AGAIN // _MILLISECOND)

    def _end(
        self,
        message: OutboxEntry,
        status: str,
        reason: str | None,
        *,
        certainly_unsent: bool = False,
    ) -> Record:
        return self.ledger.end(
            message.message_id, status, reason, self.now_ms, certainly_unsent=certainly_unsent
        )

    def _publish(self, ended: Sequence[tuple[OutboxEntry, Record]]) -> None:
        lines = [msgspec.json.encode(outcome(message, record)) for message, record in ended]
        attributes = {"kind": "message", "schema": "1", "source": "sms", "count": str(len(lines))}
        self.publisher.publish([Message(b"\n".join(lines), attributes)])


def outcome(message: OutboxEntry, record: Record) -> dict[str, str | int | None]:
    """What everyone hears of a message: an event of kind=message."""
    at = datetime.fromtimestamp(record.at / 1000, UTC).isoformat(timespec="milliseconds")
    return {
        "message_id": message.message_id,
        "customer_id": message.customer_id,
        "offer": message.offer,
        "status": record.status,
        "reason": record.reason,
        "attempts": record.attempts,
        "at": at.replace("+00:00", "Z"),
    }


def code_of(message_id: str) -> str:
    """The short code of a message, 8 characters, by which it is found again at the carrier."""
    return base64.b32encode(hashlib.sha256(message_id.encode()).digest()[:5]).decode()
