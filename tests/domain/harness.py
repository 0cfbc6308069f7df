"""Runs messages through the domain as the pipeline does, and reads the stores back.

The one place in these tests that knows the signatures of the code under test. What stores do is
done here to the letter: plays keep the better joined row, interests merge, listening and health
take a row only where its version is higher.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain import schemas
from beam_pipeline.domain.counts import Counts
from beam_pipeline.domain.decode import decode
from beam_pipeline.domain.history import History, MemoryStorage, Pruning
from beam_pipeline.domain.lines import Block
from beam_pipeline.domain.readers import Reader
from beam_pipeline.domain.references import CUSTOMER_TRAITS, TRACK_TRAITS, Places, described
from beam_pipeline.domain.shard import Outcome
from beam_pipeline.domain.times import epoch_ms
from tests.oracle import Message, Reference


class KnownReferences:
    """The oracle's reference data in the form that the join takes."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def customers(self, ids: NDArray[np.int64]) -> pl.DataFrame:
        """CUSTOMERS of the ids."""
        rows = []
        for customer_id in ids.tolist():
            known = self._reference.customers.get(customer_id)
            rows.append(
                {
                    "gender": _code(schemas.GENDERS, known.gender if known else None),
                    "age": known.age if known else None,
                    "level": _code(schemas.LEVELS, known.level if known else None),
                    "status": 1 if known else None,
                    "campaign": _code(schemas.CAMPAIGNS, known.campaign if known else None),
                    "known": known is not None,
                }
            )
        return described(pl.DataFrame(rows, schema=CUSTOMER_TRAITS))

    def tracks(self, ids: NDArray[np.int64]) -> pl.DataFrame:
        """TRACK_TRAITS of the ids."""
        rows = []
        for track_id in ids.tolist():
            known = self._reference.tracks.get(track_id)
            traits = known._asdict() if known else dict.fromkeys(("title", "artist", "length_s"))
            rows.append({**traits, "known": known is not None})
        return pl.DataFrame(rows, schema=TRACK_TRAITS)


def _code(names: Sequence[str], name: str | None) -> int | None:
    return None if name is None else names.index(name)


@lru_cache(maxsize=8)
def _places(known: tuple[tuple[str, str, str], ...]) -> Places:
    states: list[str | None] = [None] * 100_000
    locations: list[str | None] = [None] * 100_000
    for zip_code, state, location in known:
        states[int(zip_code)], locations[int(zip_code)] = state, location
    return Places(pl.Series(states, dtype=pl.String), pl.Series(locations, dtype=pl.String))


def places_of(reference: Reference) -> Places:
    """The oracle's places in the form that the join takes."""
    return _places(tuple((zip_code, *place) for zip_code, place in reference.places.items()))


@dataclass
class Held:
    """What the stores hold, in the oracle's terms."""

    plays: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)
    ad_events: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)
    interests: dict[tuple[int, int], tuple[int, int, int]] = field(default_factory=dict)
    listening: dict[tuple[int, int, str, str], tuple[int, int]] = field(default_factory=dict)
    ledger: dict[tuple[int, int, str, str], tuple[int, int]] = field(default_factory=dict)
    health: dict[int, dict[str, int]] = field(default_factory=dict)
    dead_letters: dict[str, int] = field(default_factory=dict)
    letters: list[dict[str, Any]] = field(default_factory=list)
    """The dead letters themselves."""


class Domain:
    """The pure middle of the pipeline over several shards, and the stores behind it."""

    def __init__(
        self, reference: Reference, shards: int = 1, *, prune_always: bool = False
    ) -> None:
        """Start with empty stores; `prune_always` prunes histories with every batch."""
        self.held = Held()
        self._references, self._places = KnownReferences(reference), places_of(reference)
        self._storages = [MemoryStorage() for _ in range(shards)]
        self.histories = [
            History(storage, self._references, self._places) for storage in self._storages
        ]
        self._prune_always = prune_always
        self.counts = Counts()
        self._messages = 0

    def feed(self, messages: Sequence[Message]) -> None:
        """Take a batch of messages, and write whatever it changes."""
        decoded = decode([self._block(message) for message in messages])
        self.held.letters += rows_of(decoded.dead_letters)
        for reason in decoded.dead_letters["reason"].to_list():
            self.held.dead_letters[reason] = self.held.dead_letters.get(reason, 0) + 1
        self.counts.add_health(decoded.health)
        for delta in self._through_shards(decoded.plays, decoded.ad_events):
            self._count(delta)
        self.write_counts(Reader.LIVE)

    def feed_whole(self, messages: Sequence[Message], rows: int) -> None:
        """Take everything as a bounded run does: each shard sorted by publication, in slices.

        The kinds come one after the other, and all that is counted is counted together.
        """
        decoded = decode([self._block(message) for message in messages])
        self.counts.add_health(decoded.health)
        plays = decoded.plays.sort("published_at", maintain_order=True)
        ads = decoded.ad_events.sort("published_at", maintain_order=True)
        deltas = []
        for start in range(0, plays.height, rows):
            deltas += self._through_shards(plays[start : start + rows], ads[:0])
        deltas += self._through_shards(plays[:0], ads)
        self._count(pl.concat(deltas))

    def rebuild(self) -> None:
        """Lose every index, as after a restart, and go on from what was kept."""
        self.histories = [
            History(
                storage,
                self._references,
                self._places,
                pruning=history.pruning,
            )
            for storage, history in zip(self._storages, self.histories, strict=True)
        ]

    def write_ledger(self) -> None:
        """Write what changed since the ledger was written last."""
        self.write_counts(Reader.LEDGER)

    def restore_counts(self) -> None:
        """Lose the sums, and go on from their snapshot."""
        delta, health = self.counts.snapshot()
        self.counts = Counts()
        self._count(delta)
        self.counts.add_health(health)

    def finish(self) -> Held:
        """Write what was not written yet."""
        self.write_counts(Reader.LIVE)
        self.write_counts(Reader.LEDGER)
        return self.held

    def kept_rows(self) -> int:
        """Rows of durable history in all shards."""
        return sum(storage.read().height for storage in self._storages)

    def write_counts(self, reader: Reader) -> None:
        """Write the counts that changed since this reader asked last."""
        listening, health = self.counts.changed(reader)
        self._write_listening(listening, reader)
        if reader is Reader.LEDGER:
            return
        for row in rows_of(health):
            minute = row.pop("minute")
            if row["received"] > self.held.health.get(minute, {"received": 0})["received"]:
                self.held.health[minute] = row

    def _write_listening(self, rows: pl.DataFrame, reader: Reader) -> None:
        store = self.held.listening if reader is Reader.LIVE else self.held.ledger
        for start, end, dimension, key, plays, listeners in _physical(rows).iter_rows():
            row = (start, end, dimension, key)
            if plays > store.get(row, (0, 0))[0]:
                store[row] = (plays, listeners)

    def _through_shards(self, plays: pl.DataFrame, ads: pl.DataFrame) -> list[pl.DataFrame]:
        deltas = []
        count = len(self.histories)
        for number, history in enumerate(self.histories):
            mine = pl.col("customer_id") % count == number
            frames = plays.filter(mine), ads.filter(mine)
            if self._prune_always:
                moments = np.concatenate([epoch_ms(frame["published_at"]) for frame in frames])
                history.pruning = Pruning(int(moments.min()), 0) if len(moments) else None
            outcome = history.process(*frames)
            self._write(outcome)
            deltas.append(outcome.delta)
        return deltas

    def _write(self, outcome: Outcome) -> None:
        for row in rows_of(outcome.plays):
            key = (row["customer_id"], row["event_id"])
            if row["joined"] > self.held.plays.get(key, {"joined": -1})["joined"]:
                self.held.plays[key] = row
        for row in rows_of(outcome.ad_events):
            self.held.ad_events.setdefault((row["customer_id"], row["event_id"]), row)
        for row in rows_of(outcome.interests):
            pair = (row["customer_id"], row["track_id"])
            since, latest, peak = row["since"], row["latest"], row["peak"]
            if pair in self.held.interests:
                before = self.held.interests[pair]
                since, latest = min(since, before[0]), max(latest, before[1])
                peak = max(peak, before[2])
            self.held.interests[pair] = (since, latest, peak)
        self.counts.add_health(outcome.health)

    def _count(self, delta: pl.DataFrame) -> None:
        final = self.counts.add(delta)
        self._write_listening(final, Reader.LIVE)
        self._write_listening(final, Reader.LEDGER)

    def _block(self, message: Message) -> Block:
        self._messages += 1
        return block_of(message, f"m{self._messages}")


def block_of(message: Message, name: str) -> Block:
    """The message as the source gives it."""
    return Block(
        kind=message.kind,
        schema=message.schema,
        payload=message.payload,
        published_ms=message.published_ms,
        publish_time_ms=message.published_ms,
        id=name,
        source="ingest",
        own_times=message.own_times,
    )


def _physical(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col(pl.Datetime).to_physical())


def rows_of(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as dicts, times as ms, without the stream's own column."""
    return _physical(frame).drop(schemas.PUBLISH_TIME, strict=False).to_dicts()
