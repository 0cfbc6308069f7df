"""Reference data by id: from CSV files for a bounded run, from Redis for a stream.

In Redis a customer's traits are one JSON string at `customer:{id}` and a track's at
`track:{id}`, so that a batch of ids is one MGET. `reference.py` writes them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray
from redis import Redis

from beam_pipeline.domain.index import Column, Ids
from beam_pipeline.domain.references import CUSTOMER_TRAITS, TRACK_TRAITS, References, described
from beam_pipeline.edges.redis import TRANSIENT, connect
from beam_pipeline.edges.referencefiles import Read, read_customers, read_tracks
from beam_pipeline.edges.retry import Outage

KNOWN_SECONDS = 60.0
UNKNOWN_SECONDS = 5.0
"""How long an answer is believed; soon after unknown ids are loaded they are known."""

MOST_ENTRIES = 2_000_000
IDS_A_REQUEST = 5_000
BAD_ROWS_TOLD = 5

log = logging.getLogger(__name__)


Describe = Callable[[pl.DataFrame], pl.DataFrame]
"""What is given for rows that are put into a table."""


class _Table:
    """Rows by id. Ids that are not there give a row of nulls whose `known` is False."""

    def __init__(self, schema: pl.Schema, describe: Describe) -> None:
        self.schema = schema
        self._index = Ids()
        self._row = Column(0)
        self._describe = describe
        self._rows = describe(
            pl.DataFrame({name: [name != "known" and None] for name in schema}, schema=schema)
        )
        """Row 0 is the unknown one."""

    def __len__(self) -> int:
        return len(self._index)

    def number(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of each id in this table, from now on."""
        numbers = self._index.add(ids)
        self._row.reserve(len(self._index))
        return numbers

    def put(self, numbers: NDArray[np.int64], rows: pl.DataFrame) -> None:
        """Set the rows of some ids, of the table's schema; the newest row counts."""
        start = self._rows.height
        self._rows = pl.concat([self._rows, self._describe(rows)]).rechunk()
        self._row.values[numbers] = np.arange(start, start + rows.height)
        if self._rows.height > 2 * len(self._index) + 1024:
            used = self._row.values[: len(self._index)]
            self._rows = self._rows[np.concatenate(([0], used))]
            self._row.values[: len(used)] = np.arange(1, len(used) + 1)

    def rows(self, numbers: NDArray[np.int64]) -> pl.DataFrame:
        """The rows of these ids, described, in their order."""
        return self._rows[pl.Series(self._row.values.take(numbers).astype(np.uint32))]


def _customers() -> _Table:
    return _Table(CUSTOMER_TRAITS, described)


def _tracks() -> _Table:
    return _Table(TRACK_TRAITS, lambda rows: rows)


@dataclass(frozen=True, slots=True)
class FileReferences:
    """Opens reference data from CSV files with the original headers; None knows nobody."""

    customers: Path | None
    tracks: Path | None

    def open(self) -> References:
        """Read both files; raises `reference.BadFile` when one is none."""
        customers, tracks = _customers(), _tracks()
        if self.customers is not None:
            people = _told(read_customers(self.customers))
            known = people.with_columns(pl.lit(True).alias("known")).select(list(CUSTOMER_TRAITS))
            customers.put(customers.number(people["customer_id"].to_numpy()), known)
        if self.tracks is not None:
            catalogue = _told(read_tracks(self.tracks))
            known = catalogue.with_columns(pl.lit(True).alias("known")).select(list(TRACK_TRAITS))
            tracks.put(tracks.number(catalogue["track_id"].to_numpy()), known)
        return _Held(customers, tracks)


def _told(read: Read) -> pl.DataFrame:
    """The rows of a file; those that were left out are told in the log, the first few by name."""
    for sentence in read.bad[:BAD_ROWS_TOLD]:
        log.warning("left out: %s", sentence)
    if len(read.bad) > BAD_ROWS_TOLD:
        log.warning("left out %d more rows", len(read.bad) - BAD_ROWS_TOLD)
    return read.rows


class _Held:
    """Reference data that is all in memory; shards ask from several threads."""

    def __init__(self, customers: _Table, tracks: _Table) -> None:
        self._customers = customers
        self._tracks = tracks
        self._lock = threading.Lock()

    def customers(self, ids: NDArray[np.int64]) -> pl.DataFrame:
        with self._lock:
            return self._customers.rows(self._customers.number(ids))

    def tracks(self, ids: NDArray[np.int64]) -> pl.DataFrame:
        with self._lock:
            return self._tracks.rows(self._tracks.number(ids))


@dataclass(frozen=True, slots=True)
class RedisReferences:
    """Opens reference data in Redis, behind a cache that forgets."""

    url: str

    def open(self) -> References:
        """Make the client; it connects when first asked."""
        return _Cached(connect(self.url), time.monotonic)


class _Customer(msgspec.Struct):
    gender: int | None = None
    age: int | None = None
    level: int | None = None
    status: int | None = None
    campaign: int | None = None


class _Track(msgspec.Struct):
    title: str | None = None
    artist: str | None = None
    length_s: int | None = None


class _Cached:
    """Reference data of a store; shards and scoring ask from several threads."""

    def __init__(self, client: Redis, now: Callable[[], float]) -> None:
        self._customers = _Cache(client, "customer", _customers, _Customer, now)
        self._tracks = _Cache(client, "track", _tracks, _Track, now)

    def customers(self, ids: NDArray[np.int64]) -> pl.DataFrame:
        return self._customers.rows(ids)

    def tracks(self, ids: NDArray[np.int64]) -> pl.DataFrame:
        return self._tracks.rows(ids)


class _Cache:
    """The rows of one kind of key; each is asked for again when it is too old."""

    def __init__(
        self,
        client: Redis,
        prefix: str,
        new_table: Callable[[], _Table],
        value: type[_Customer] | type[_Track],
        now: Callable[[], float],
    ) -> None:
        self._client = client
        self._prefix = prefix
        self._new_table = new_table
        self._decoder = msgspec.json.Decoder(value)
        self._now = now
        self._outage = Outage("Redis")
        self._lock = threading.Lock()
        self._forget()

    def rows(self, ids: NDArray[np.int64]) -> pl.DataFrame:
        with self._lock:
            return self._rows(ids)

    def _rows(self, ids: NDArray[np.int64]) -> pl.DataFrame:
        if len(self._table) > MOST_ENTRIES:
            self._forget()
        numbers = self._table.number(ids)
        expires = self._expires.reserve(len(self._table))
        stale = expires[numbers] < self._now() * 1000
        if stale.any():
            wanted, first = np.unique(numbers[stale], return_index=True)
            self._fetch(ids[stale][first], wanted)
        return self._table.rows(numbers)

    def _forget(self) -> None:
        self._table = self._new_table()
        self._expires = Column(-1)

    def _fetch(self, ids: NDArray[np.int64], numbers: NDArray[np.int64]) -> None:
        for start in range(0, len(ids), IDS_A_REQUEST):
            part = slice(start, start + IDS_A_REQUEST)
            keys = [f"{self._prefix}:{number}" for number in ids[part].tolist()]
            values = self._outage.call(partial(self._client.mget, keys), TRANSIENT)
            rows = self._decoded(values)
            self._table.put(numbers[part], rows)
            seconds = np.where(rows["known"].to_numpy(), KNOWN_SECONDS, UNKNOWN_SECONDS)
            self._expires.values[numbers[part]] = ((self._now() + seconds) * 1000).astype(np.int64)

    def _decoded(self, values: list[Any]) -> pl.DataFrame:
        found = [self._decoder.decode(value) if value else None for value in values]
        names = [name for name in self._table.schema if name != "known"]
        columns = {name: [getattr(row, name, None) for row in found] for name in names}
        columns["known"] = [row is not None for row in found]
        return pl.DataFrame(columns, schema=self._table.schema)
