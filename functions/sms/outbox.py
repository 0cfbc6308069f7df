"""The outbox: a stream with a consumer group, what waits beside it, and what was put aside.

sms:outbox   stream, group `sms`: an entry stays pending until its outcome is published
sms:later    sorted set: entries that wait, as JSON, by the moment (ms) they are due
sms:aside    stream: entries that came to nothing after TRIES tries, with a `why`
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import redis
from redis.exceptions import ResponseError

STREAM = "sms:outbox"
LATER = "sms:later"
ASIDE = "sms:aside"
GROUP = CONSUMER = "sms"
TRIES = 5
BATCH = 10

_WAKE = """
-- Moves what is due back into the stream. KEYS later, stream  ARGV now in ms, how many at most
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, text in ipairs(due) do
  local fields = {}
  for name, value in pairs(cjson.decode(text)) do
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
  redis.call('XADD', KEYS[2], '*', unpack(fields))
  redis.call('ZREM', KEYS[1], text)
end
return #due
"""

_PUT_OFF = """
-- Takes an entry out of the stream until it is due. KEYS stream, later  ARGV group, id, due, text
redis.call('ZADD', KEYS[2], ARGV[3], ARGV[4])
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
"""

_PUT_ASIDE = """
-- Takes an entry out of the stream for good. KEYS stream, aside  ARGV group, id, why, fields…
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 100000, '*', 'why', unpack(ARGV, 3))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that this run has taken."""

    id: str
    fields: Mapping[str, str]
    tries: int
    """How often it has been taken, this time included."""


class Outbox:
    """Takes entries for one run at a time; runs may overlap. Every method may raise RedisError."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._wake = client.register_script(_WAKE)
        self._put_off = client.register_script(_PUT_OFF)
        self._put_aside = client.register_script(_PUT_ASIDE)

    def prepare(self) -> None:
        """Make the stream and its group where they are missing."""
        try:
            self._client.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    def wake(self, ms: int) -> None:
        """Put what is due by `ms` back into the stream."""
        while self._wake(keys=[LATER, STREAM], args=[ms, 100]):
            pass

    def take_over(self, idle_s: float) -> Iterator[list[Entry]]:
        """What other runs have begun and left, each entry once and by itself.

        By itself, so that one on which a run dies costs those behind it none of their tries.
        """
        cursor = "0-0"
        while True:
            cursor, found, *_ = self._client.xautoclaim(
                STREAM, GROUP, CONSUMER, int(idle_s * 1000), cursor, count=1
            )
            if found:
                yield self._entries(found)
            if cursor in (b"0-0", "0-0"):
                return

    def take(self) -> list[Entry]:
        """New entries, BATCH at most."""
        found: Any = self._client.xreadgroup(GROUP, CONSUMER, {STREAM: ">"}, count=BATCH)
        if not found:
            return []
        return self._entries(found[0][1])

    def done(self, entry: Entry) -> None:
        """Take an entry out of the stream: its outcome is published."""
        with self._client.pipeline(transaction=True) as both:
            both.xack(STREAM, GROUP, entry.id)
            both.xdel(STREAM, entry.id)
            both.execute()

    def put_off(self, entry: Entry, due_ms: int) -> None:
        """Keep an entry until it is due."""
        text = msgspec.json.encode(dict(sorted(entry.fields.items())))
        self._put_off(keys=[STREAM, LATER], args=[GROUP, entry.id, due_ms, text])

    def put_aside(self, entry: Entry, why: str) -> None:
        """Keep an entry where people see it, and try it no more."""
        fields = [part for pair in entry.fields.items() for part in pair]
        self._put_aside(keys=[STREAM, ASIDE], args=[GROUP, entry.id, why, *fields])

    def _entries(self, found: list[tuple[bytes, Mapping[bytes, bytes]]]) -> list[Entry]:
        first, last = found[0][0], found[-1][0]
        pending: Any = self._client.xpending_range(STREAM, GROUP, first, last, 10_000)
        tries = {each["message_id"]: each["times_delivered"] for each in pending}
        return [
            Entry(
                entry_id.decode(),
                {_text(name): _text(value) for name, value in fields.items()},
                tries.get(entry_id, 1),
            )
            for entry_id, fields in found
        ]


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
