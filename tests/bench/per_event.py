"""What one would write otherwise: an element an event, state keyed by customer.

It does less than the pipeline that it is compared with: no validation beyond JSON, no health, no
sliding windows, no distinct listeners, plays counted in windows of five minutes alone.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import apache_beam as beam
from apache_beam.coders import PickleCoder, StrUtf8Coder
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms.combiners import Count
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec
from apache_beam.transforms.window import FixedWindows, TimestampedValue

from beam_pipeline.edges.referencefiles import read_customers
from beam_pipeline.options import BOUNDED_RUNNER
from tests.bench.work import Work

WINDOW_S, REPEAT_S = 300, 1800

ROWS: Counter[str] = Counter()
"""What came out in this process."""


def run(work: Work, runner: str = BOUNDED_RUNNER) -> dict[str, int]:
    """Run to the end; give how many plays, interests and counts came out."""
    ROWS.clear()
    with beam.Pipeline(options=PipelineOptions([f"--runner={runner}"])) as pipeline:
        events = (
            pipeline
            | "Read" >> beam.io.ReadFromText(str(work.file))
            | "Parse" >> beam.Map(_parse).with_output_types(tuple[int, dict[str, Any]])
            | "History" >> beam.ParDo(_HistoryFn())
            | "Enrich" >> beam.ParDo(_EnrichFn(work.customers, work.tracks))
        )
        counts = (
            events
            | "At" >> beam.Map(lambda event: TimestampedValue(event, event["at"]))
            | "Windows" >> beam.WindowInto(FixedWindows(WINDOW_S))
            | "Keys" >> beam.FlatMap(_keys).with_output_types(tuple[str, str])
            | "Count" >> Count.PerElement()
        )
        events | "Plays" >> beam.Map(_encode) | "Drop plays" >> beam.Map(_drop, "plays")
        counts | "Drop counts" >> beam.Map(_drop, "listening")
    return dict(ROWS)


def _parse(line: str) -> tuple[int, dict[str, Any]]:
    event = json.loads(line)
    event["at"] = datetime.fromisoformat(event["played_at"]).timestamp()
    return event["customer_id"], event


class _HistoryFn(beam.DoFn):
    """Duplicates and repeats of one customer, from state."""

    SEEN = BagStateSpec("seen", StrUtf8Coder())
    RECENT = ReadModifyWriteStateSpec("recent", PickleCoder())

    def process(
        self,
        element: tuple[int, dict[str, Any]],
        seen: Any = beam.DoFn.StateParam(SEEN),  # noqa: B008
        recent: Any = beam.DoFn.StateParam(RECENT),  # noqa: B008
    ) -> Iterable[dict[str, Any]]:
        event = element[1]
        if event["event_id"] in seen.read():
            return
        seen.add(event["event_id"])
        plays = [play for play in recent.read() or [] if abs(event["at"] - play[1]) <= REPEAT_S]
        plays.append((event["track_id"], event["at"]))
        recent.write(plays)
        event["repeats"] = sum(track == event["track_id"] for track, _ in plays)
        yield event


class _EnrichFn(beam.DoFn):
    """Two dictionaries."""

    def __init__(self, customers: Path, tracks: Path) -> None:
        self._files = customers, tracks

    def process(self, event: dict[str, Any]) -> Iterable[dict[str, Any]]:
        customers, tracks = _references(*self._files)
        customer = customers.get(event["customer_id"], {})
        track = tracks.get(event["track_id"], {})
        event["title"], event["artist"] = track.get("Title"), track.get("Artist")
        for trait in ("gender", "age", "level", "campaign"):
            event[trait] = customer.get(trait)
        if event["repeats"] >= 3:
            ROWS["interests"] += 1
        yield event


@lru_cache(maxsize=1)
def _references(customers: Path, tracks: Path) -> tuple[dict[int, Any], dict[int, Any]]:
    """Read once in a process: the local runner copies a DoFn for every bundle."""
    people = read_customers(customers).rows.to_dicts()
    with tracks.open(newline="") as rows:
        catalogue = {int(row["TrackId"]): row for row in csv.DictReader(rows)}
    return {row["customer_id"]: row for row in people}, catalogue


def _keys(event: dict[str, Any]) -> Iterable[tuple[str, str]]:
    yield "all", "all"
    for dimension in ("is_mobile", "gender", "age", "level", "zip", "track_id", "artist"):
        yield dimension, str(event[dimension])


def _encode(event: dict[str, Any]) -> str:
    return json.dumps(event)


def _drop(_: object, what: str) -> None:
    ROWS[what] += 1
