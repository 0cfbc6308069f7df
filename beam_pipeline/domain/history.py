"""The history of a shard over time: what is kept, and when it is thrown away.

A kept row is thrown away once it is further behind the newest ones than the dedup horizon and half
an hour: by the events' own time, never by a watermark or a clock. What is newer than nine tenths of
the kept rows does not say how late it is: a clock that is far ahead must not throw away what the
copies of others are known by. The index is rebuilt from what is left, so that is done once in a
while.
"""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple, Protocol

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
"""The share of its rows that a history has added at least before frames of another time, which
come in turn with those of this one, prune it again."""
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


class Pruning(NamedTuple):
    """When a history is to be pruned, and the rows that it has added since it was."""

    after_ms: int
    added: int


class History:
    """A shard and the rows it indexes. The two are in step after every call."""

    def __init__(
        self,
        storage: Storage,
        references: References,
        places: Places,
        *,
        pruning: Pruning | None = None,
        shard: Shard | None = None,
    ) -> None:
        """Take up a history.

        Args:
            storage: the kept rows.
            references, places: for enrichment.
            pruning: the attribute of that name as the history left it; None for a new one.
            shard: the index as the history left it; None when it has to be rebuilt.
        """
        self._storage = storage
        self._references = references
        self._places = places
        self.pruning = pruning
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
            published_ms = outcome.kept["published_ms"].to_numpy()
            self._prune(int(np.median(published_ms)), len(published_ms))
        return outcome

    def _prune(self, now_ms: int, added: int) -> None:
        after_ms, before = self.pruning or Pruning(now_ms + _PRUNE_EVERY_MS, 0)
        self.pruning = Pruning(after_ms, before + added)
        late_ms = now_ms - after_ms
        other_time = abs(late_ms) > _STEP_MS + _PRUNE_EVERY_MS
        too_soon = self.pruning.added < GROWN * len(self.shard) if other_time else late_ms < 0
        if too_soon:
            return
        kept = self._storage.read()
        newest_ms = _newest(kept["published_ms"].to_numpy())
        kept = kept.filter(pl.col("published_ms") >= newest_ms - _RETENTION_MS)
        self._storage.replace(kept)
        self.shard = self._index(kept)
        self.pruning = Pruning(newest_ms + _PRUNE_EVERY_MS, 0)

    def _index(self, kept: pl.DataFrame) -> Shard:
        shard = Shard(self._references, self._places)
        shard.remember(kept)
        return shard


def _newest(published_ms: NDArray[np.int64]) -> int:
    """The newest of these times, int64 [n], that a tenth of them, or one, lies behind."""
    place = max(0, len(published_ms) - 1 - max(1, len(published_ms) // 10))
    return int(np.partition(published_ms, place)[place])
