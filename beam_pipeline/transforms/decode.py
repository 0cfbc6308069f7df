"""Blocks of lines → frames of events, rows for the stores, and the health of what was rejected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import apache_beam as beam
import polars as pl
from apache_beam import typehints
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from beam_pipeline.domain.decode import HEARTBEAT, Decoded, decode
from beam_pipeline.domain.deltas import NO_DELTA
from beam_pipeline.domain.lines import Block
from beam_pipeline.transforms.dofn import DoFn
from beam_pipeline.transforms.frames import KEYED_CHANGE, ONE_KEY, Change, Events, Rows, typed

_ROWS, _CHANGES, _VERDICTS = "rows", "changes", "verdicts"

TARGET_BYTES = 1_500_000
"""Blocks of a bundle are decoded together up to this size: about 10,000 plays."""


@dataclass(frozen=True, slots=True)
class DecodedCollections:
    """The outputs of Decode."""

    events: PCollection[Events]
    rows: PCollection[Rows]
    """Dead letters, and the outcomes of messages: what goes to the stores as it is."""
    changes: PCollection[tuple[int, Change]]
    verdicts: PCollection[tuple[int, pl.DataFrame]]
    """VERDICTS under one key: the fates of all lines, by minute."""


class Decode(beam.PTransform):
    """Decode blocks, joined within their bundle so that frames are long."""

    def expand(self, blocks: PCollection[Block]) -> DecodedCollections:
        """PCollection[Block] → DecodedCollections."""
        outputs = blocks | "Decode lines" >> beam.ParDo(_DecodeFn()).with_outputs(
            _ROWS, _CHANGES, _VERDICTS, main="events"
        )
        return DecodedCollections(
            events=typed(outputs["events"], Events),
            rows=typed(outputs[_ROWS], Rows),
            changes=typed(outputs[_CHANGES], KEYED_CHANGE),
            verdicts=outputs[_VERDICTS],
        )


@typehints.with_input_types(Block)
class _DecodeFn(DoFn):
    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._size = 0
        self._rejected = Metrics.counter("decode", "rejected")

    def start_bundle(self) -> None:
        self._blocks, self._size = [], 0

    def process(self, block: Block) -> Iterable[object]:
        self._blocks.append(block)
        self._size += len(block.payload)
        if self._size >= TARGET_BYTES:
            yield from self._outputs()

    def finish_bundle(self) -> Iterable[WindowedValue | TaggedOutput]:
        for output in self._outputs():
            if isinstance(output, TaggedOutput):
                value = WindowedValue(output.value, 0, (GlobalWindow(),))
                yield TaggedOutput(output.tag, value)
            else:
                yield WindowedValue(output, 0, (GlobalWindow(),))

    def _outputs(self) -> Iterable[object]:
        blocks, self._blocks, self._size = self._blocks, [], 0
        if not blocks:
            return
        if any(block.kind == HEARTBEAT for block in blocks):
            yield TaggedOutput(_ROWS, Rows(HEARTBEAT, NO_DELTA))
        decoded: Decoded = decode(blocks)
        if decoded.plays.height or decoded.ad_events.height:
            yield Events(decoded.plays, decoded.ad_events)
        if decoded.messages.height:
            yield TaggedOutput(_ROWS, Rows("messages", decoded.messages))
        if decoded.dead_letters.height:
            self._rejected.inc(decoded.dead_letters.height)
            yield TaggedOutput(_ROWS, Rows("dead_letters", decoded.dead_letters))
            yield TaggedOutput(_CHANGES, (ONE_KEY, Change(NO_DELTA, decoded.health)))
        if decoded.verdicts.height:
            yield TaggedOutput(_VERDICTS, (ONE_KEY, decoded.verdicts))
