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
from beam_pipeline.domain.schemas import HEALTH, TIMESTAMP, no_rows
from beam_pipeline.domain.times import epoch_ms

COUNTERS = tuple(name for name in HEALTH if name != "minute")
_MINUTE_MS = 60_000
_SPAN = 64

REMEMBERED = timedelta(days=7) // timedelta(minutes=1)
"""How many minutes are remembered, the newest: as long as Pub/Sub retains its messages.

Counted, not measured from the newest: one message that says it is of the year 9999 takes one place
and makes nothing else forgotten.
"""


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
    if not len(minutes):
        return no_rows("health")
    low, high = int(minutes.min()), int(minutes.max())
    if high - low < len(minutes) + _SPAN:
        distinct, row = np.arange(low, high + 1), minutes - low
    else:
        distinct, row = np.unique(minutes, return_inverse=True)
    size = len(distinct)
    received = np.bincount(row, minlength=size)
    there = received > 0
    columns = [pl.Series("minute", distinct[there] * _MINUTE_MS).cast(TIMESTAMP)]
    columns.append(pl.Series("received", received[there]))
    for name in COUNTERS[1:]:
        flags = np.asarray(counters.get(name, False), np.bool_)
        counted = np.bincount(row[flags], minlength=size) if flags.any() else np.zeros(size, int)
        columns.append(pl.Series(name, counted[there]))
    return pl.DataFrame(columns)


def rejected_health(published_ms: Sequence[int]) -> pl.DataFrame:
    """HEALTH of lines that were all rejected."""
    return tally(published_ms, rejected=np.ones(len(published_ms), np.bool_))


def add(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The sum of HEALTH frames, by minute."""
    told = [part for part in parts if part.height]
    if len(told) == 1 and told[0]["minute"].n_unique() == told[0].height:
        return told[0]
    return _frame(_sums(told, {}))


Sums = dict[int, tuple[int, ...]]
"""COUNTERS by minute, in ms since the epoch."""


def _sums(parts: Sequence[pl.DataFrame], sums: Sums) -> Sums:
    """Add frames, which have few rows, to sums by minute."""
    for part in parts:
        minutes = epoch_ms(part["minute"]).tolist()
        rows = zip(*(part[name].to_list() for name in COUNTERS), strict=True)
        for minute, row in zip(minutes, rows, strict=True):
            held = sums.get(minute)
            sums[minute] = row if held is None else tuple(map(sum, zip(held, row, strict=True)))
    return sums


def _frame(sums: Sums) -> pl.DataFrame:
    """HEALTH of sums, in the order of their minutes."""
    rows = [(minute, *sums[minute]) for minute in sorted(sums)]
    columns = list(zip(*rows, strict=True)) or [()] * len(HEALTH)
    series = [
        pl.Series(name, column, pl.Int64) for name, column in zip(HEALTH, columns, strict=True)
    ]
    return pl.DataFrame([series[0].cast(TIMESTAMP), *series[1:]])


class Minutes:
    """The sums of health, by minute, and which of them each reader still has to be told of."""

    def __init__(self) -> None:
        self._sums: Sums = {}
        self._unread: dict[Reader, set[int]] = {reader: set() for reader in Reader}

    @property
    def rows(self) -> pl.DataFrame:
        """HEALTH of every minute that is remembered."""
        return _frame(self._sums)

    def add(self, delta: pl.DataFrame) -> None:
        """Add a HEALTH frame."""
        _sums([delta], self._sums)
        for minutes in self._unread.values():
            minutes.update(epoch_ms(delta["minute"]).tolist())

    def changed(self, reader: Reader) -> pl.DataFrame:
        """The rows that changed since this reader's last call."""
        rows = _frame({minute: self._sums[minute] for minute in self._unread[reader]})
        self._unread[reader].clear()
        if len(self._sums) > REMEMBERED and not any(self._unread.values()):
            newest = sorted(self._sums)[-REMEMBERED:]
            self._sums = {minute: self._sums[minute] for minute in newest}
        return rows
