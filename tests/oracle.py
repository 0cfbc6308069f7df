"""What every store should hold, worked out one event at a time in plain Python.

An independent account of DESIGN sections 3 and 4: standard library only, no frames, nothing of
the code under test, and nothing clever. Times are integer milliseconds since the epoch (UTC).

Two readings that the design leaves open are fixed here:

- The dedup horizon is measured from the copy that was accepted last. A copy beyond it is accepted
  again; the store keeps its one row (the better joined, else the earlier). An equal copy that far
  away is always too late, because a play is published at most 5 minutes before it begins, so
  windows and interests never see it; one with other contents counts as the play it says it is.
- `unknown_customer` and `unknown_track` count accepted plays; ad events are not joined.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.oracle_lines import DAY, HOUR, LINE_LIMIT, MINUTE, REQUIRED, Refused, event_of

DEDUP_HORIZON = 6 * HOUR
REPEAT_WINDOW = 30 * MINUTE
REPEATS = 3
BUCKET = 5 * MINUTE
SLIDING = 30 * MINUTE

UNCOUNTED = ("message", "heartbeat")
"""Kinds of message that are no events: never counted, never refused."""


class Customer(NamedTuple):
    """What is known of a customer; any of it may be unknown."""

    gender: str | None = None
    age: int | None = None
    level: str | None = None
    campaign: str | None = None


class Track(NamedTuple):
    """What is known of a track."""

    title: str | None = None
    artist: str | None = None
    length_s: int | None = None


class Place(NamedTuple):
    """Where a zip code lies."""

    state: str
    location: str


@dataclass(frozen=True)
class Reference:
    """The reference data, by id and by zip code."""

    customers: Mapping[int, Customer] = field(default_factory=dict)
    tracks: Mapping[int, Track] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)


@dataclass(frozen=True)
class Message:
    """One message of the topic: lines of one kind, published at one time."""

    kind: str
    published_ms: int
    payload: bytes
    schema: str = "1"
    own_times: bool = False
    """A piece of a file: its lines say themselves when they were published."""


@dataclass
class Health:
    """What became of the events of one minute of published_at."""

    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    late: int = 0
    unknown_customer: int = 0
    unknown_track: int = 0


@dataclass(frozen=True)
class Stores:
    """What every store should hold. `accepted` are the plays in the order they were taken."""

    plays: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)
    ad_events: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)
    health: dict[int, Health] = field(default_factory=dict)
    dead_letters: dict[str, int] = field(default_factory=dict)
    accepted: list[dict[str, Any]] = field(default_factory=list)

    def interests(self) -> dict[tuple[int, int], tuple[int, int, int]]:
        """(customer, track) → (since, latest, peak)."""
        times: dict[tuple[int, int], list[int]] = {}
        for play in self.accepted:
            if not play["is_late"]:
                key = (play["customer_id"], play["track_id"])
                times.setdefault(key, []).append(play["played_at"])
        found = {}
        for key, played in times.items():
            played.sort()
            counts = {
                t: bisect_right(played, t) - bisect_left(played, t - REPEAT_WINDOW) for t in played
            }
            qualifying = [t for t in played if counts[t] >= REPEATS]
            if qualifying:
                peak = max(counts[t] for t in qualifying)
                found[key] = (min(qualifying), max(qualifying), peak)
        return found

    def listening(self) -> dict[tuple[int, int, str, str], tuple[int, int]]:
        """(start, end, dimension, key) → (plays, distinct listeners)."""
        plays: dict[tuple[int, int, str, str], list[int]] = {}
        for play in self.accepted:
            if not play["is_late"]:
                for start, end in windows(play["played_at"]):
                    for dimension, key in dimensions(play):
                        row = plays.setdefault((start, end, dimension, key), [])
                        row.append(play["customer_id"])
        return {row: (len(listeners), len(set(listeners))) for row, listeners in plays.items()}

    def profiles(self) -> dict[tuple[int, int], dict[str, Any]]:
        """(customer, UTC day of published_at since the epoch) → that day's profile."""
        found: dict[tuple[int, int], dict[str, Any]] = {}
        for play in self.plays.values():
            key = (play["customer_id"], play["published_at"] // DAY)
            row = found.setdefault(
                key,
                {"plays": 0, "morning": 0, "afternoon": 0, "evening": 0, "night": 0}
                | {"mobile": 0, "tracks": set()},
            )
            row["plays"] += 1
            row[part_of_day(play["local_hour"])] += 1
            row["mobile"] += play["is_mobile"]
            row["tracks"].add(play["track_id"])
        return found


def account(messages: Iterable[Message], reference: Reference) -> Stores:
    """What the stores hold after these messages, taken in this order."""
    stores = Stores()
    last_accepted: dict[tuple[str, int, str], int] = {}
    for message in messages:
        if message.kind in UNCOUNTED:
            continue
        for line in lines_of(message.payload):
            try:
                event = read_line(message, line)
            except Refused as refused:
                refuse(stores, refused.reason, message.published_ms)
            else:
                take(stores, last_accepted, message.kind, event, reference)
    return stores


def refuse(stores: Stores, reason: str, published_ms: int) -> None:
    """Count a line that is no event."""
    health = stores.health.setdefault(published_ms // MINUTE * MINUTE, Health())
    health.received += 1
    health.rejected += 1
    stores.dead_letters[reason] = stores.dead_letters.get(reason, 0) + 1


def take(
    stores: Stores,
    last_accepted: dict[tuple[str, int, str], int],
    kind: str,
    event: dict[str, Any],
    reference: Reference,
) -> None:
    """Count an event, and store it unless it is a copy."""
    health = stores.health.setdefault(event["published_at"] // MINUTE * MINUTE, Health())
    health.received += 1
    key = (event["customer_id"], event["event_id"])
    before = last_accepted.get((kind, *key))
    if before is not None and abs(event["published_at"] - before) <= DEDUP_HORIZON:
        health.duplicate += 1
        return
    last_accepted[(kind, *key)] = event["published_at"]
    health.accepted += 1
    health.late += event["is_late"]
    if kind == "ad":
        stores.ad_events.setdefault(key, event)
        return
    play = join(event, reference)
    health.unknown_customer += play["customer_id"] not in reference.customers
    health.unknown_track += play["track_id"] not in reference.tracks
    stores.accepted.append(play)
    row = stores.plays.get(key)
    if row is None or play["joined"] > row["joined"]:
        stores.plays[key] = play


def lines_of(payload: bytes) -> list[bytes]:
    """What stands between newlines; a final newline ends the last line."""
    return payload.removesuffix(b"\n").split(b"\n")


def read_line(message: Message, line: bytes) -> dict[str, Any]:
    """The event in a line of a message, or Refused."""
    if message.kind == "rejected":
        raise Refused(json.loads(line)["reason"])
    if len(line) > LINE_LIMIT:
        raise Refused("too_large")
    if message.kind not in REQUIRED:
        raise Refused("unknown_kind")
    if message.schema != "1":
        raise Refused("unknown_schema")
    return event_of(message.kind, line, None if message.own_times else message.published_ms)


def join(event: Mapping[str, Any], reference: Reference) -> dict[str, Any]:
    """The event with what is known of its customer, its track and its zip code."""
    customer = reference.customers.get(event["customer_id"])
    track = reference.tracks.get(event["track_id"])
    place = reference.places.get(event["zip"])
    return {
        **event,
        **(customer or Customer())._asdict(),
        **(track or Track())._asdict(),
        "age_band": age_band(customer.age if customer else None),
        "state": place.state if place else None,
        "location": place.location if place else None,
        "joined": (customer is not None) + (track is not None),
    }


def age_band(age: int | None) -> str | None:
    """The name of the band that an age falls in."""
    if age is None:
        return None
    for upper, name in ((17, "0-17"), (24, "18-24"), (34, "25-34"), (44, "35-44")):
        if age <= upper:
            return name
    return "45-54" if age <= 54 else "55-64" if age <= 64 else "65+"


def part_of_day(hour: int) -> str:
    """The part of the listener's day that an hour belongs to."""
    if 5 <= hour < 12:
        return "morning"
    if 12 <= hour < 17:
        return "afternoon"
    return "evening" if 17 <= hour < 22 else "night"


def windows(played_at: int) -> Iterator[tuple[int, int]]:
    """The windows [start, end) that hold a moment: one of 5 minutes, six of 30."""
    bucket = played_at // BUCKET * BUCKET
    yield bucket, bucket + BUCKET
    for back in range(0, SLIDING, BUCKET):
        yield bucket - back, bucket - back + SLIDING


def dimensions(play: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every (dimension, key) that a play counts under."""
    yield "all", "all"
    yield "device", "mobile" if play["is_mobile"] else "pc"
    yield "track", str(play["track_id"])
    for name in ("gender", "age_band", "level", "state", "artist"):
        yield name, play[name] if play[name] is not None else "unknown"
