"""Events → events by customer shard: the one shuffle of the pipeline."""

from __future__ import annotations

from collections.abc import Iterable

import apache_beam as beam
import numpy as np
import polars as pl
from apache_beam import typehints
from apache_beam.pvalue import PCollection

from beam_pipeline.domain.hashing import combine
from beam_pipeline.transforms.dofn import DoFn
from beam_pipeline.transforms.frames import Events


def shard_of(customer_id: pl.Series, shards: int) -> np.ndarray:
    """The shard 0..shards-1 of each customer, int64 [n]: the same in every process."""
    hashes = combine(customer_id.to_numpy())
    return (hashes % np.uint64(shards)).astype(np.int64)


class ShardByCustomer(beam.PTransform):
    """PCollection[Events] → PCollection[tuple[int, Events]]; a customer is in one shard only."""

    def __init__(self, shards: int) -> None:
        super().__init__()
        self._shards = shards

    def expand(self, events: PCollection[Events]) -> PCollection[tuple[int, Events]]:
        """Split each frame."""
        return events | "Split by shard" >> beam.ParDo(_SplitFn(self._shards))


@typehints.with_input_types(Events)
@typehints.with_output_types(tuple[int, Events])
class _SplitFn(DoFn):
    def __init__(self, shards: int) -> None:
        self._shards = shards

    def process(self, events: Events) -> Iterable[tuple[int, Events]]:
        if self._shards == 1:
            yield 0, events
            return
        frames = events.frames()
        homes = [shard_of(frame["customer_id"], self._shards) for frame in frames]
        for shard in range(self._shards):
            parts = [
                frame.filter(pl.Series(home == shard))
                for frame, home in zip(frames, homes, strict=True)
            ]
            if any(part.height for part in parts):
                yield shard, Events(*parts)
