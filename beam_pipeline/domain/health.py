"""Data health: how many events of each minute of publication met which fate.

received = accepted + duplicate + rejected holds in every row: an event enters its minute once,
with all its counters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from beam_pipeline.domain.schemas import HEALTH

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
    columns = {
        "minute": distinct * _MINUTE_MS,
        "received": np.bincount(row, minlength=len(distinct)),
    }
    for name in COUNTERS[1:]:
        weight = counters.get(name)
        columns[name] = (
            np.zeros(len(distinct), np.int64)
            if weight is None
            else np.bincount(row[np.asarray(weight, np.bool_)], minlength=len(distinct))
        )
    return pl.DataFrame(columns).cast(HEALTH)


def rejected_health(published_ms: Sequence[int]) -> pl.DataFrame:
    """HEALTH of lines that were all rejected."""
    return tally(published_ms, rejected=np.ones(len(published_ms), np.bool_))


def add(parts: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The sum of HEALTH frames, by minute."""
    return pl.concat(parts).group_by("minute").sum().sort("minute")
