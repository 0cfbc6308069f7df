"""Data health: how many events of each minute of publication met which fate.

received = accepted + duplicate + rejected holds in every row: an event enters its minute once,
with all its counters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from beam_pipeline.domain.schemas import HEALTH, TIMESTAMP

COUNTERS = tuple(name for name in HEALTH if name != "minute")
_MINUTE_MS = 60_000


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
