"""Which dead letters can come back: a letter is judged by the rules that hold now.

Nothing has to remember what was replayed. An event that the ledger holds is not published again,
one that is published twice all the same is a copy of itself, and a letter that is refused again
keeps its id, so that it stays one letter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from beam_pipeline.domain.events import Play, decode_line, kind_of
from beam_pipeline.domain.instants import Instant
from beam_pipeline.domain.outcomes import read_outcome
from beam_pipeline.domain.reasons import InvalidEvent

REPLAY_OF = "replay_of"
"""The attribute of a replayed message that names the dead letter it was made from."""

_CARRIED = ("kind", "schema", "source")
"""What a replayed message takes over; above all not `published_at`, it has a time of its own."""


class Fate(StrEnum):
    """What becomes of a dead letter."""

    REPLAYED = "replayed"
    STORED = "stored"
    """The ledger holds its event: it was replayed before, or sent again by its client."""
    REFUSED = "refused"
    """It would be refused again."""
    CUT = "cut"
    """Only its beginning was kept."""
    NO_EVENT = "no_event"
    """A row that a store refused: no message brought it."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter, as far as a replay needs it."""

    id: str
    payload: bytes
    attributes: Mapping[str, str]

    @classmethod
    def read(cls, id_: str, payload: bytes | None, attributes: str | None) -> Letter:
        """From the columns of DEAD_LETTERS; attributes that are no JSON object are none."""
        try:
            found = json.loads(attributes or "{}")
        except ValueError:
            found = {}
        if not isinstance(found, dict):
            found = {}
        return cls(id_, payload or b"", {str(name): str(found[name]) for name in found})


@dataclass(frozen=True, slots=True)
class Identity:
    """The event that a letter turned out to hold."""

    kind: str
    customer_id: int
    event_id: str
    at_ms: int
    """When it happened, ms since the epoch."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A letter, what is to become of it, and why."""

    letter: Letter
    fate: Fate
    why: str = ""
    identity: Identity | None = None
    """Set where the fate is REPLAYED; None for the outcome of a message, which only repeats."""

    def stored(self) -> Judged:
        """The same, once it is known that the ledger holds the event."""
        return replace(self, fate=Fate.STORED)


def judge(letter: Letter, now_ms: int) -> Judged:
    """What becomes of a letter that is published at `now_ms`, as far as its line tells.

    Gives REPLAYED, REFUSED, CUT or NO_EVENT.
    """
    kind = letter.attributes.get("kind")
    if kind is None:
        return Judged(letter, Fate.NO_EVENT)
    if letter.attributes.get("cut") == "true":
        return Judged(letter, Fate.CUT)
    schema = letter.attributes.get("schema", "1")
    try:
        if kind == "message":
            read_outcome(line_of(letter), schema)
            return Judged(letter, Fate.REPLAYED)
        event = decode_line(kind, line_of(letter), now_ms, schema)
    except InvalidEvent as why:
        return Judged(letter, Fate.REFUSED, str(why))
    at = Instant.parse(getattr(event, kind_of(kind, schema).time_field))
    name = "play" if isinstance(event, Play) else "ad"
    identity = Identity(name, event.customer_id, event.event_id, at.ms)
    return Judged(letter, Fate.REPLAYED, identity=identity)


def line_of(letter: Letter) -> bytes:
    """The payload as one line: where valid JSON has a line break, it stands between tokens."""
    return letter.payload.replace(b"\n", b" ")


def attributes_of(letter: Letter) -> dict[str, str]:
    """The attributes of the message that brings a letter back."""
    carried = {name: letter.attributes[name] for name in _CARRIED if name in letter.attributes}
    return {**carried, REPLAY_OF: letter.id}


def home_of(letter_id: str) -> tuple[str, int]:
    """The block and the number of its first line that give a refused line this id again."""
    block, _, line = letter_id.rpartition(":")
    return (block, int(line)) if block and line.isdecimal() and line.isascii() else (letter_id, 0)
