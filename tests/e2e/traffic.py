"""Seeded requests to the doors, with faults, and the reference data they are about."""

from __future__ import annotations

import csv
import json
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import zipcodes

from beam_pipeline.domain.schemas import CAMPAIGNS, GENDERS, LEVELS
from tests.oracle import Customer, Message, Place, Reference, Track

START = datetime(2026, 3, 1, 22, 30, tzinfo=UTC)
CUSTOMERS, TRACKS = 40, 12
ZIPS = ("72132", "17307", "90210", "10001", "60601", "00000")

HEADER = (
    "CustID,Name,Gender,Address,zip,SignDate,Status,Level,Campaign,LinkedWithApps,"
    "Age,Phone,SmsConsent"
)

_BAD = (
    b"",
    b"{",
    b"[]",
    b"\xff\xfe",
    b'{"event_id": "x"}',
    b'{"event_id":"x","customer_id":"7","track_id":1,"played_at":"","is_mobile":true,"zip":"1"}',
)


@dataclass(frozen=True)
class Post:
    """One request: its kind, its time, its lines, and how many of them are good."""

    kind: str
    moment: datetime
    lines: tuple[bytes, ...]
    good: int

    @property
    def body(self) -> bytes:
        """NDJSON."""
        return b"\n".join(self.lines) + b"\n"

    @property
    def published_at(self) -> str:
        """For the header Encore-Published-At."""
        return self.moment.isoformat(timespec="milliseconds")

    def message(self) -> Message:
        """What the oracle is to take from it."""
        return Message(self.kind, int(self.moment.timestamp() * 1000), self.body)


def traffic(
    seed: int, requests: int = 60, minutes: float = 3.0, start: datetime = START
) -> list[Post]:
    """Requests of about 60 events, `minutes` of simulated time apart.

    Bursts of one track, copies of earlier events up to hours later, late and malformed lines,
    customers and tracks that nobody knows, and ad events between them.
    """
    draw = random.Random(seed)
    sent: list[tuple[datetime, bytes]] = []
    posts = []
    for number in range(requests):
        moment = start + timedelta(minutes=minutes * number, milliseconds=draw.randrange(1000))
        if number % 6 == 5:
            lines = [_ad(draw, moment, f"a{seed}-{number}-{k}") for k in range(10)]
            posts.append(Post("ad", moment, tuple(lines), len(lines)))
            continue
        lines = []
        good = 0
        sent = [(at, line) for at, line in sent if moment - at < timedelta(minutes=80)]
        for k in range(60):
            fate = draw.random()
            if fate < 0.03:
                lines.append(draw.choice(_BAD))
                continue
            if fate < 0.1 and sent:
                lines.append(draw.choice(sent)[1])
            else:
                lines.append(_play(draw, moment, f"p{seed}-{number}-{k}"))
                sent.append((moment, lines[-1]))
            good += 1
        posts.append(Post("play", moment, tuple(lines), good))
    return posts


def _play(draw: random.Random, moment: datetime, event_id: str) -> bytes:
    behind = draw.choice((5, 60, 600, 1800))
    if draw.random() < 0.02:
        behind = 4 * 3600
    zone = timedelta(hours=draw.choice((-5, -8, 9, 0)))
    played = moment - timedelta(milliseconds=draw.randrange(behind * 1000))
    if behind == 4 * 3600:
        played -= timedelta(hours=2)
    wall = played.astimezone(UTC) + zone
    sign = "-" if zone < timedelta(0) else "+"
    offset = f"{sign}{abs(zone) // timedelta(hours=1):02}:00"
    event: dict[str, Any] = {
        "event_id": event_id,
        "customer_id": min(int(draw.paretovariate(0.7)), CUSTOMERS + 2),
        "track_id": min(int(draw.paretovariate(0.7)), TRACKS + 2),
        "played_at": wall.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + offset,
        "is_mobile": draw.random() < 0.6,
        "zip": draw.choice(ZIPS),
    }
    if draw.random() < 0.05:
        event["app_version"] = "9.1"
    return json.dumps(event).encode()


def _ad(draw: random.Random, moment: datetime, event_id: str) -> bytes:
    customer = draw.randrange(CUSTOMERS)
    return json.dumps(
        {
            "event_id": event_id,
            "customer_id": customer,
            "ad": "ADV_REDUCED_1DAY",
            "action": draw.choice(("shown", "clicked", "upgraded")),
            "offer_id": draw.choice((None, f"gold-day:{customer}")),
            "at": (moment - timedelta(seconds=draw.randrange(60))).isoformat(),
        }
    ).encode()


def write_references(folder: Path) -> tuple[Path, Path]:
    """The reference data as CSV files with the original headers."""
    customers, tracks = folder / "customers.csv", folder / "tracks.csv"
    with customers.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(HEADER.split(","))
        for number in range(CUSTOMERS):
            name, age = f"Listener No. {number}", _age(number) or ""
            home = (number % 2, "1 Example Lane", "72132", "01/01/2020", 1)
            rows.writerow([number, name, *home, number % 3, number % 5, 0, age, "", 0])
    with tracks.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["TrackId", "Title", "Artist", "Length"])
        for number in range(TRACKS):
            rows.writerow([number, f"Song {number}", f"가수 {number % 4}", 180 + number])
    return customers, tracks


def reference() -> Reference:
    """The same for the oracle."""
    known = {
        zip_code: zipcodes.matching(zip_code)  # type: ignore[no-untyped-call]
        for zip_code in ZIPS
    }
    return Reference(
        customers={
            number: Customer(
                GENDERS[number % 2], _age(number), LEVELS[number % 3], CAMPAIGNS[number % 5]
            )
            for number in range(CUSTOMERS)
        },
        tracks={
            number: Track(f"Song {number}", f"가수 {number % 4}", 180 + number)
            for number in range(TRACKS)
        },
        places={
            zip_code: Place(found[0]["state"], f"{found[0]['lat']},{found[0]['long']}")
            for zip_code, found in known.items()
            if found
        },
    )


def _age(number: int) -> int | None:
    return None if number % 7 == 0 else 14 + number * 2
