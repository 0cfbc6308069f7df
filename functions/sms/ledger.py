"""What has become of each message: the record that makes two of one impossible.

    sms:message:{message_id}   hash, kept for ever: `status` and `at` (ms), `attempts`, and
        where there is one a `reason`; during an attempt also `since` (ms, by the clock handed
        in), `began` (ms, by our own clock, which is the carrier's) and `to`, the number
    sms:sent:{customer_id}:{YYYY-MM}   attempts in a month that may have arrived
    sms:consent:{hash of a number}     `stop` or `start`: what its owner has replied last

A record is `attempting` before the carrier is asked, and only `waiting` or no record at all
lets an attempt begin. So whoever finds `attempting` knows that a message may be on its way.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import redis

WAITING = "waiting"
ATTEMPTING = "attempting"
SENT, FAILED, REFUSED, EXPIRED, UNKNOWN, ASIDE = FINAL = (
    *("sent", "failed", "refused", "expired", "unknown", "aside"),
)

_BEGIN = """
-- KEYS record, consent, sent in the month
-- ARGV now in ms, our own now in ms, number, consent on file (0 or 1), cap
local status = redis.call('HGET', KEYS[1], 'status')
if status and status ~= 'waiting' then return status end
local word = redis.call('GET', KEYS[2])
if word == 'stop' or (not word and ARGV[4] ~= '1') then return 'no_consent' end
if (tonumber(redis.call('GET', KEYS[3])) or 0) >= tonumber(ARGV[5]) then return 'cap' end
redis.call('INCR', KEYS[3])
redis.call('EXPIRE', KEYS[3], 3456000)
redis.call('HINCRBY', KEYS[1], 'attempts', 1)
redis.call('HSET', KEYS[1], 'status', 'attempting', 'at', ARGV[1], 'since', ARGV[1],
  'began', ARGV[2], 'to', ARGV[3], 'month', KEYS[3])
return 'go'
"""

_END = """
-- KEYS record  ARGV status, reason, now in ms, whether it certainly was not sent (0 or 1)
-- The first end stands, except that `unknown` gives way to `sent`.
local status = redis.call('HGET', KEYS[1], 'status')
local open = not status or status == 'waiting' or status == 'attempting'
if not open and not (status == 'unknown' and ARGV[1] == 'sent') then return 0 end
local month = redis.call('HGET', KEYS[1], 'month')
if month and ARGV[4] == '1' then redis.call('DECR', month) end
redis.call('HDEL', KEYS[1], 'since', 'began', 'to', 'month', 'reason')
redis.call('HSET', KEYS[1], 'status', ARGV[1], 'at', ARGV[3])
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'reason', ARGV[2]) end
return 1
"""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a message."""

    status: str
    reason: str | None
    attempts: int
    at: int
    """ms: when it came to this status."""
    since: int
    """ms: when the attempt without an outcome began, by the clock handed in."""
    began: datetime
    """The same, by our own clock."""
    to: str

    @property
    def is_final(self) -> bool:
        """Whether nothing more will become of it."""
        return self.status in FINAL


class Ledger:
    """The records. Every method may raise redis.RedisError, and may then have been done."""

    def __init__(self, client: redis.Redis, cap: int) -> None:
        self._client = client
        self._cap = cap
        self._begin = client.register_script(_BEGIN)
        self._end = client.register_script(_END)

    def read(self, message_id: str) -> Record:
        """The record of a message; one that there is none of is `waiting`."""
        found: Any = self._client.hgetall(_record(message_id))
        held = {name.decode(): value.decode() for name, value in found.items()}
        began_s = int(held.get("began", "0")) / 1000
        return Record(
            status=held.get("status", WAITING),
            reason=held.get("reason"),
            attempts=int(held.get("attempts", "0")),
            at=int(held.get("at", "0")),
            since=int(held.get("since", "0")),
            began=datetime.fromtimestamp(began_s, UTC),
            to=held.get("to", ""),
        )

    def begin(
        self, message_id: str, customer_id: int, to: str, consented: bool, ms: int, own_ms: int
    ) -> str:
        """Record an attempt before it is made.

        `go` when it may be made now, and by the caller alone; `no_consent` or `cap` when it may
        not be made; else the status that the record has.
        """
        keys = [_record(message_id), _consent(to), _month(customer_id, ms)]
        verdict: bytes = self._begin(keys=keys, args=[ms, own_ms, to, int(consented), self._cap])
        return verdict.decode()

    def end(
        self,
        message_id: str,
        status: str,
        reason: str | None,
        ms: int,
        *,
        certainly_unsent: bool = False,
    ) -> Record:
        """Record what a message has come to; the record as it stands then."""
        arguments: list[Any] = [status, reason or "", ms, int(certainly_unsent)]
        self._end(keys=[_record(message_id)], args=arguments)
        return self.read(message_id)

    def hear(self, number: str, word: str) -> None:
        """Keep what the owner of a number has said: `stop` or `start`."""
        self._client.set(_consent(number), word)


def _record(message_id: str) -> str:
    return f"sms:message:{message_id}"


def _month(customer_id: int, ms: int) -> str:
    return f"sms:sent:{customer_id}:{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m}"


def _consent(number: str) -> str:
    return f"sms:consent:{hashlib.sha256(number.encode()).hexdigest()}"
