"""The history of a shard over time: what is kept, and when it is thrown away.

A kept row is thrown away once it is further behind the newest ones than the dedup horizon and half
an hour: by the events' own time, never by a watermark or a clock. The newest are all but the last
hundredth, which wrong clocks may have put far ahead; so what the copies of others are known by is
not theirs to throw away. The index is rebuilt from what is left, so that is done once in a while,
and only when it has grown since.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain import health
from beam_pipeline.domain.dedup import DEDUP_HORIZON
from beam_pipeline.domain.references import Places, References
from beam_pipeline.domain.shard import KEPT, Outcome, Shard
from beam_pipeline.domain.times import epoch_ms

RETENTION = DEDUP_HORIZON + timedelta(minutes=30)
PRUNE_EVERY = timedelta(hours=3)
GROWN = 1 / 16
"""The share of its rows that a history has added at least when it is pruned again."""
STEP = timedelta(hours=12)
"""A frame that spans more is taken in steps, the oldest first."""

_RETENTION_MS, _PRUNE_EVERY_MS, _STEP_MS = (
    period // timedelta(milliseconds=1) for period in (RETENTION, PRUNE_EVERY, STEP)
)


class Storage(Protocol):
    """Where the kept rows lie, while the shard that indexes them may come and go."""

    def append(self, kept: pl.DataFrame) -> None:
        """Add KEPT rows."""
        ...

    def replace(self, kept: pl.DataFrame) -> None:
        """Hold these KEPT rows and no others."""
        ...

    def read(self) -> pl.DataFrame:
        """Every KEPT row, in any order."""
        ...


class MemoryStorage:
    """Kept rows in memory: for a bounded run, which needs no other."""

    def __init__(self) -> None:
        self._kept: list[pl.DataFrame] = []

    def append(self, kept: pl.DataFrame) -> None:
        """Add KEPT rows."""
        self._kept.append(kept)

    def replace(self, kept: pl.DataFrame) -> None:
        """Hold these KEPT rows and no others."""
        self._kept = [kept]

    def read(self) -> pl.DataFrame:
        """Every KEPT row, in any order."""
        return pl.concat(self._kept) if self._kept else KEPT.to_frame()


class History:
    """A shard and the rows it indexes. The two are in step after every call."""

    def __init__(
        self,
        storage: Storage,
        references: References,
        places: Places,
        *,
        prune_after_ms: int | None = None,
        shard: Shard | None = None,
    ) -> None:
        """Take up a history.

        Args:
            storage: the kept rows.
            references, places: for enrichment.
            prune_after_ms: the attribute of that name as the history left it; None for a new one.
            shard: the index as the history left it; None when it has to be rebuilt.
        """
        self._storage = storage
        self._references = references
        self._places = places
        self.prune_after_ms = prune_after_ms
        self.shard = shard if shard is not None else self._index(storage.read())

    def process(self, plays: pl.DataFrame, ad_events: pl.DataFrame) -> Outcome:
        """Take RAW_PLAYS and RAW_AD_EVENTS in their order, and keep what was accepted.

        A frame that spans much time, as a quiet site's backlog does, is taken in steps of it.
        """
        times = [epoch_ms(frame["published_at"]) for frame in (plays, ad_events)]
        known = np.concatenate(times)
        if not len(known) or known.max() - known.min() < _STEP_MS:
            return self._process(plays, ad_events)
        steps = [(moments - known.min()) // _STEP_MS for moments in times]
        outcomes = [
            self._process(plays.filter(steps[0] == step), ad_events.filter(steps[1] == step))
            for step in np.unique(np.concatenate(steps))
        ]
        parts = Outcome(*(pl.concat(frames) for frames in zip(*outcomes, strict=True)))
        return parts._replace(health=health.add([parts.health]))

    def _process(self, plays: pl.DataFrame, ad_events: pl.DataFrame) -> Outcome:
        outcome = self.shard.process(plays, ad_events)
        if outcome.kept.height:
            self._storage.append(outcome.kept)
            self._prune(int(np.median(outcome.kept["published_ms"].to_numpy())))
        return outcome

    def _prune(self, now_ms: int) -> None:
        if self.prune_after_ms is None:
            self.prune_after_ms = now_ms + _PRUNE_EVERY_MS
        added = len(self.shard) - self.shard.remembered
        too_soon = 0 < self.prune_after_ms - now_ms <= _PRUNE_EVERY_MS + _STEP_MS
        if too_soon or added < GROWN * len(self.shard):
            return
        kept = self._storage.read()
        newest_ms = _newest(kept["published_ms"].to_numpy())
        self.prune_after_ms = newest_ms + _PRUNE_EVERY_MS
        kept = kept.filter(pl.col("published_ms") >= newest_ms - _RETENTION_MS)
        self._storage.replace(kept)
        self.shard = self._index(kept)

    def _index(self, kept: pl.DataFrame) -> Shard:
        shard = Shard(self._references, self._places)
        shard.remember(kept)
        return shard


def _newest(published_ms: NDArray[np.int64]) -> int:
    """The newest of these times that a hundredth of them, or one, lies behind."""
    place = len(published_ms) - 1 - max(1, len(published_ms) // 100)
    return int(np.partition(published_ms, place)[place]) if place > 0 else int(published_ms.min())
