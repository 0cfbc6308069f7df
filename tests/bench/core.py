"""The pure middle alone, on one core: bytes of messages in, frames or encoded documents out."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa

from beam_pipeline.domain.counts import Counts
from beam_pipeline.domain.decode import decode
from beam_pipeline.domain.history import History, MemoryStorage
from beam_pipeline.domain.lines import Block
from beam_pipeline.domain.readers import Reader
from beam_pipeline.domain.references import Places, References
from beam_pipeline.edges.elasticsearch import bulk_lines
from beam_pipeline.edges.interests import merged_interests
from tests.bench.work import EVENTS_A_MESSAGE

CHANGED_EVERY_S = 3.0


def frames_of(blocks: Iterable[Block], rows: int) -> Iterator[list[Block]]:
    """Messages together that make a frame of so many rows."""
    together: list[Block] = []
    for block in blocks:
        together.append(block)
        if len(together) * EVENTS_A_MESSAGE >= rows:
            yield together
            together = []
    if together:
        yield together


@dataclass
class Core:
    """decode → history → counts → documents of Elasticsearch, as the pipeline puts them together.

    Changed counts become documents every three seconds, as in a stream, and at the end.
    """

    references: References
    places: Places
    counts: Counts = field(default_factory=Counts)
    seconds: float = 0.0
    documents: dict[str, int] = field(default_factory=dict)
    every: int | None = None
    """Plays after which changed counts become documents, if not by time."""
    lines: list[pa.LargeStringArray] | None = None
    """Where plays and counts are kept as lines of bulk requests, if anywhere."""

    def __post_init__(self) -> None:
        """Begin with an empty history."""
        self._history = History(MemoryStorage(), self.references, self.places)
        self._told, self._since = 0.0, 0

    def take(self, blocks: list[Block]) -> None:
        """One frame from its bytes to its documents; the time goes into `seconds`."""
        begun = time.perf_counter()
        decoded = decode(blocks)
        outcome = self._history.process(decoded.plays, decoded.ad_events)
        self._encode("listening", self.counts.add(outcome.delta))
        self.counts.add_health(outcome.health)
        self._encode("plays", outcome.plays)
        self._encode("interests", outcome.interests)
        self._since += decoded.plays.height
        now = self.seconds + time.perf_counter() - begun
        due = now - self._told > CHANGED_EVERY_S
        if due if self.every is None else self._since >= self.every:
            self._told, self._since = now, 0
            self._tell()
        self.seconds += time.perf_counter() - begun

    def finish(self) -> None:
        """Give the counts that changed last."""
        begun = time.perf_counter()
        self._tell()
        self.seconds += time.perf_counter() - begun

    def _tell(self) -> None:
        listening, health = self.counts.changed(Reader.LIVE)
        self._encode("listening", listening)
        self._encode("health", health)

    def _encode(self, dataset: str, frame: pl.DataFrame) -> None:
        if frame.is_empty():
            return
        if dataset == "interests":
            merged = merged_interests(frame)
            merged.write_ndjson(io.BytesIO())
            made = merged.height
        else:
            lines = bulk_lines(dataset, frame)
            made = len(lines)
            if self.lines is not None:
                self.lines.append(lines)
        self.documents[dataset] = self.documents.get(dataset, 0) + made
