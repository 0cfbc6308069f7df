"""Data health: how many events of each minute of publication met which fate.

received = accepted + duplicate + rejected holds in every row: an event enters its minute once,
with all its counters.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from beam_pipeline.domain.readers import Reader
from beam_pipeline.domain.schemas import HEALTH, TIMESTAMP

COUNTERS = tuple(name for name in HEALTH if name != "minute")
_MINUTE_MS = 60_000

REMEMBERED = timedelta(days=7)
"""How far behind the newest a minute is remembered: as long as Pub/Sub retains its messages."""


def tally(published_ms: ArrayLike, **counters: ArrayLike) -> pl.DataFrame:
    """Count events by minute of publication.

    Args:
        published_ms: int64 [n], ms since the epoch.
        counters: for a counter of HEALTH, bool [n]: whether the event counts there. Counters
            that are not given stay 0; `received` is every event.

    Returns:
        HEALTH, one row a minute that occurs.
    """
    minutes = np.asarray(published_ms, np.int64) // _MINUTE_MS
    distinct, row = np.unique(minutes, return_inverse=True)
    size = len(distinct)
    columns = [pl.Series("minute", distinct * _MINUTE_MS).cast(TIMESTAMP)]
    columns.append(pl.Series("received", np.bincount(row, minlength=size)))
    for name in COUNTERS[1:]:
        flags = np.asarray(counters.get(name, False), np.bool_)
        counted = np.bincount(row[flags], minlength=size) if flags.any() else np.zeros(size, int)
        columns.append(pl.Series(name, counted))
    return pl.DataFrame(columns)


def rejected_health(published_ms: Sequence[int]) -> pl.DataFrame:
    """HEALTH of lines that were all rejected."""
    return tally(published_ms, rejected=np.ones(len(published_ms), np.bool_))


def add(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The sum of HEALTH frames, by minute."""
    parts = [part for part in parts if part.height] or list(parts[:1])
    if len(parts) == 1 and parts[0]["minute"].is_unique().all():
        return parts[0]
    return pl.concat(parts).group_by("minute").sum().sort("minute")


class Minutes:
    """The sums of health, by minute, and which of them each reader still has to be told of."""

    def __init__(self) -> None:
        self.rows = HEALTH.to_frame()
        """HEALTH of every minute that is remembered."""
        self._unread: dict[Reader, set[int]] = {reader: set() for reader in Reader}

    def add(self, delta: pl.DataFrame) -> None:
        """Add a HEALTH frame."""
        if delta.is_empty():
            return
        self.rows = add([self.rows, delta])
        for minutes in self._unread.values():
            minutes.update(delta["minute"].to_physical().to_list())

    def changed(self, reader: Reader) -> pl.DataFrame:
        """The rows that changed since this reader's last call."""
        minutes = pl.Series(list(self._unread[reader]), dtype=pl.Int64).implode()
        rows = self.rows.filter(pl.col("minute").to_physical().is_in(minutes))
        self._unread[reader].clear()
        if not any(self._unread.values()):
            newest = pl.col("minute").max()
            self.rows = self.rows.filter(pl.col("minute") > newest - REMEMBERED)
        return rows
