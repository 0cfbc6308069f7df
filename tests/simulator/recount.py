"""The day again, one line at a time in plain Python: what every store must hold."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

LATE = timedelta(hours=2)
HORIZON = timedelta(hours=6)
HALF_HOUR = timedelta(minutes=30)
FIVE = timedelta(minutes=5)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Play:
    """A play, or an ad event with the fields that it has."""

    event_id: str
    customer_id: int
    track_id: int
    played_at: datetime
    local_hour: int
    is_mobile: bool
    zip: str
    published_at: datetime

    @property
    def late(self) -> bool:
        return self.published_at - self.played_at > LATE


@dataclass
class Recount:
    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0
    late: int = 0
    again: int = 0
    plays: dict[tuple[int, str], Play] = field(default_factory=dict)
    minutes: Counter[tuple[datetime, str]] = field(default_factory=Counter)

    def take(self, play: Play) -> None:
        minute = play.published_at.replace(second=0, microsecond=0)
        self.received += 1
        identity = (play.customer_id, play.event_id)
        first = self.plays.get(identity)
        if first is not None and play.published_at - first.published_at <= HORIZON:
            self.duplicate += 1
            self.minutes[minute, "duplicate"] += 1
            return
        self.accepted += 1
        self.late += play.late
        self.minutes[minute, "accepted"] += 1
        self.minutes[minute, "late"] += play.late
        self.again += first is not None
        self.plays.setdefault(identity, play)

    def refuse(self) -> None:
        self.received += 1
        self.rejected += 1

    def in_time(self) -> list[Play]:
        return [play for play in self.plays.values() if not play.late]

    def interests(self) -> dict[tuple[int, int], tuple[datetime, datetime, int]]:
        heard = defaultdict(list)
        for play in self.in_time():
            heard[play.customer_id, play.track_id].append(play.played_at)
        found = {}
        for pair, times in heard.items():
            counts = {t: sum(t - HALF_HOUR <= other <= t for other in times) for t in times}
            good = [t for t, count in counts.items() if count >= 3]
            if good:
                found[pair] = (min(good), max(good), max(counts[t] for t in good))
        return found

    def listening(
        self, traits: Callable[[Play], dict[str, str]]
    ) -> dict[tuple[datetime, datetime, str, str], tuple[int, int]]:
        plays: Counter[Any] = Counter()
        listeners = defaultdict(set)
        for play in self.in_time():
            bucket = EPOCH + (play.played_at - EPOCH) // FIVE * FIVE
            windows = [(bucket, bucket + FIVE)]
            for step in range(6):
                end = bucket + FIVE + step * FIVE
                windows.append((end - HALF_HOUR, end))
            for window in windows:
                for dimension, key in traits(play).items():
                    plays[*window, dimension, key] += 1
                    listeners[*window, dimension, key].add(play.customer_id)
        return {window: (count, len(listeners[window])) for window, count in plays.items()}

    def profiles(self) -> dict[tuple[int, Any], dict[str, int]]:
        rows: dict[tuple[int, Any], Counter[str]] = defaultdict(Counter)
        tracks = defaultdict(set)
        for play in self.plays.values():
            one = (play.customer_id, play.published_at.date())
            rows[one]["plays"] += 1
            rows[one][part_of_day(play.local_hour)] += 1
            rows[one]["mobile"] += play.is_mobile
            tracks[one].add(play.track_id)
        return {one: {**row, "distinct_tracks": len(tracks[one])} for one, row in rows.items()}


def part_of_day(hour: int) -> str:
    if 5 <= hour < 12:
        return "morning"
    if 12 <= hour < 17:
        return "afternoon"
    return "evening" if 17 <= hour < 22 else "night"


def recounted(lines: list[bytes], kind: str) -> Recount:
    """The account of lines in the order of their publication."""
    count = Recount()
    for line in lines:
        event = read(line, "played_at" if kind == "play" else "at")
        if event is None:
            count.refuse()
        else:
            count.take(event)
    return count


def read(line: bytes, time: str) -> Play | None:
    """The event of a line, None where there is anything wrong with it."""
    try:
        fields = json.loads(
            line.decode(), parse_constant=refuse_constant, object_pairs_hook=each_key_once
        )
        at = datetime.fromisoformat(fields[time])
        play = Play(
            fields["event_id"],
            fields["customer_id"],
            fields["track_id"] if time == "played_at" else 0,
            cut(at),
            at.hour,
            fields["is_mobile"] if time == "played_at" else False,
            fields["zip"] if time == "played_at" else "00000",
            cut(datetime.fromisoformat(fields.get("published_at", fields[time]))),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    age = play.published_at - play.played_at
    fits = (
        len(line) <= 64 * 1024
        and at.tzinfo is not None
        and isinstance(play.event_id, str)
        and 1 <= len(play.event_id) <= 64
        and all(type(i) is int and 0 <= i < 2**63 for i in (play.customer_id, play.track_id))
        and isinstance(play.is_mobile, bool)
        and isinstance(play.zip, str)
        and re.fullmatch("[0-9]{5}", play.zip) is not None
        and timedelta(minutes=-5) <= age <= timedelta(days=30)
        and (time == "played_at" or ad_fits(fields))
    )
    return play if fits else None


def ad_fits(fields: dict[str, Any]) -> bool:
    offer = fields.get("offer_id")
    return (
        isinstance(fields.get("ad"), str)
        and 1 <= len(fields["ad"]) <= 64
        and fields.get("action") in {"shown", "clicked", "upgraded"}
        and (offer is None or isinstance(offer, str))
    )


def cut(at: datetime) -> datetime:
    """To the millisecond, in UTC."""
    return at.astimezone(UTC).replace(microsecond=at.microsecond // 1000 * 1000)


def each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a key twice")
    return fields


def refuse_constant(name: str) -> None:
    raise ValueError(name)
