"""Messages that no door lets in: of an unknown schema version, of an unknown kind.

The function stamps what it publishes with the one version that it takes, so a client from the
future can only be played on the topic itself.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from beam_pipeline.domain.schemas import TIMESTAMP
from functions.shared.publish import Message, PubSub
from infra.local.stack import Endpoints

SHARE = 0.0004
"""Stray lines, of all events."""
LINES = 8
DEADLINE_S = 10.0
FATES = (
    ("play", "2", "unknown_schema"),
    ("ad", "7", "unknown_schema"),
    ("mystery", "1", "unknown_kind"),
)
"""Kind, schema version, and the reason for which every line has to be rejected."""


@dataclass(frozen=True)
class Stray:
    """One message, and what has to become of its lines."""

    kind: str
    schema: str
    reason: str
    published: datetime
    lines: tuple[str, ...]

    def message(self) -> Message:
        """As it goes on the topic."""
        attributes = {
            "kind": self.kind,
            "schema": self.schema,
            "source": "prove",
            "published_at": self.published.isoformat(timespec="milliseconds"),
        }
        return Message("\n".join(self.lines).encode(), attributes)


def strays(seed: int, events: int, start: datetime, length: timedelta) -> list[Stray]:
    """The strays of a run: some of each fate at least, spread over its time."""
    draw = random.Random(f"strays {seed}")
    rounds = max(1, round(events * SHARE / (LINES * len(FATES))))
    return [
        Stray(kind, schema, reason, _moment(draw, start, length), tuple(_lines(draw, kind)))
        for _ in range(rounds)
        for kind, schema, reason in FATES
    ]


def publish(found: list[Stray], ends: Endpoints) -> None:
    """Put them on the topic; NotPublished when the emulator does not answer."""
    topic = PubSub(ends.project, ends.topic, ends.pubsub, DEADLINE_S)
    for stray in found:
        topic.publish([stray.message()])


def rejects(found: list[Stray]) -> pl.DataFrame:
    """What the dead letters have to say: received_at, kind, reason; a row a line."""
    rows = [(one.published, one.kind, one.reason) for one in found for _ in one.lines]
    schema = {"received_at": TIMESTAMP, "kind": pl.String(), "reason": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _moment(draw: random.Random, start: datetime, length: timedelta) -> datetime:
    return (start + draw.random() * length).astimezone(UTC).replace(microsecond=0)


def _lines(draw: random.Random, kind: str) -> Iterator[str]:
    for _ in range(LINES):
        event = {"id": f"{kind}.{draw.getrandbits(40):x}", "who": draw.randrange(10_000), "v": 2}
        yield json.dumps(event)
