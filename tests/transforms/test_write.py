"""Rows reach every store, at once or behind the bundle that brought them."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apache_beam as beam
import polars as pl
import pytest
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.testing.test_stream import TestStream

from beam_pipeline.domain.decode import HEARTBEAT
from beam_pipeline.domain.schemas import (
    DEAD_LETTERS,
    HEALTH,
    PUBLISH_TIME,
    TIMESTAMP,
    no_rows,
)
from beam_pipeline.edges.sinks import Refused, dead_letters
from beam_pipeline.transforms import write
from beam_pipeline.transforms.frames import Rows, register_coders
from beam_pipeline.transforms.write import WriteTo

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 20

_numbers = itertools.count(1)
_stores: dict[int, Store] = {}


class Store:
    """Keeps how many rows it was given; waits, refuses or fails when told to."""

    patience_s = 0.0

    def __init__(self, name: str, *others: str) -> None:
        self.datasets = frozenset({"health", *others})
        self.name = name
        self.given: list[int] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        self.refuses = self.fails = False
        self.waited_in_vain = False

    def write(self, dataset: str, frame: pl.DataFrame) -> pl.DataFrame:
        assert dataset in self.datasets
        if dataset != "health":
            return no_rows("dead_letters")
        self.begun.set()
        self.waited_in_vain |= not self.go_on.wait(PATIENCE_S)
        if self.fails:
            raise RuntimeError("a fault of ours")
        self.given.append(frame.height)
        if not self.refuses:
            return no_rows("dead_letters")
        refused = [Refused("a minute", "too large", b"{}")]
        return dead_letters(self.name, dataset, refused, datetime(2026, 3, 2, tzinfo=UTC))


@dataclass(frozen=True)
class Opens:
    """Opens a store of this process."""

    name: str = "one"
    others: tuple[str, ...] = ()
    number: int = field(default_factory=lambda: next(_numbers))

    def open(self) -> Store:
        return self.store

    @property
    def store(self) -> Store:
        return _stores.setdefault(self.number, Store(self.name, *self.others))


def health(rows: int) -> Rows:
    minute = datetime(2026, 3, 2, tzinfo=UTC)
    return Rows("health", pl.DataFrame([(minute, *[1] * 7)] * rows, HEALTH, orient="row"))


def plays(hour: int) -> Rows:
    moment = pl.Series([datetime(2026, 3, 2, hour, tzinfo=UTC)], dtype=TIMESTAMP)
    return Rows("plays", pl.DataFrame({"published_at": moment, PUBLISH_TIME: moment}))


@dataclass(frozen=True)
class Notes:
    """Opens what keeps the progress of stores, in hours of the day."""

    number: int = field(default_factory=lambda: next(_numbers))

    def open(self) -> Notes:
        return self

    def record(self, store: str, published_ms: int, publish_time_ms: int) -> None:
        assert published_ms == publish_time_ms
        _hours.setdefault(self.number, []).append((store, published_ms // 3_600_000 % 24))

    @property
    def hours(self) -> list[tuple[str, int]]:
        return _hours.get(self.number, [])


_hours: dict[int, list[tuple[str, int]]] = {}


def beat() -> Rows:
    return Rows(HEARTBEAT, no_rows("health"))


def written(
    bundles: Sequence[Rows], stores: Sequence[Opens], notes: Notes | None = None, *, behind: bool
) -> list[Rows]:
    """Write rows, a bundle each; when they are written, give the dead letters that came out."""
    letters = through(bundles, stores, notes, behind=behind)
    due = sum(rows.frame.height for rows in bundles if rows.dataset == "health")
    deadline = time.monotonic() + PATIENCE_S
    while any(sum(opens.store.given) < due for opens in stores):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return letters


def through(
    bundles: Sequence[Rows], stores: Sequence[Opens], notes: Notes | None = None, *, behind: bool
) -> list[Rows]:
    """Run a pipeline that writes rows, a bundle each, and give the dead letters that come out."""
    letters: list[Rows] = []
    register_coders()
    options = PipelineOptions([])
    options.view_as(StandardOptions).streaming = True
    events = TestStream()
    for rows in bundles:
        events = events.add_elements([rows]).advance_processing_time(1)
    with beam.Pipeline(runner="BundleBasedDirectRunner", options=options) as pipeline:
        found = pipeline | "Rows" >> events.advance_watermark_to_infinity()
        found |= "Write" >> WriteTo(stores, notes, behind=behind)
        found | "Letters" >> beam.ParDo(_Keep(id(_kept(letters))))
    return letters


_lists: dict[int, list[Rows]] = {}


def _kept(letters: list[Rows]) -> list[Rows]:
    _lists[id(letters)] = letters
    return letters


class _Keep(beam.DoFn):
    def __init__(self, number: int) -> None:
        self._number = number

    def process(self, rows: Rows) -> Iterable[Any]:
        _lists[self._number].append(rows)
        return ()


@pytest.fixture(autouse=True)
def nothing_in_flight() -> Iterator[None]:
    """What one test leaves behind is nothing to the next."""
    yield
    write._lanes.clear()
    write._due.clear()


@pytest.mark.parametrize("behind", [False, True])
def test_every_store_is_given_what_it_takes(behind: bool) -> None:
    stores = [Opens("one"), Opens("two"), Opens("three")]
    other = Rows("interests", no_rows("interests"))
    assert written([health(2), other, health(3), beat()], stores, behind=behind) == []
    assert all(opens.store.given in ([[2, 3], [5]] if behind else [[2, 3]]) for opens in stores)


def test_stores_are_written_at_the_same_time() -> None:
    one, two = Opens("one"), Opens("two")
    one.store.go_on = two.store.begun
    two.store.go_on = one.store.begun
    written([health(1)], [one, two], behind=False)
    assert not one.store.waited_in_vain
    assert not two.store.waited_in_vain


def test_behind_a_bundle_ends_before_its_rows_are_written() -> None:
    one, two = Opens("one"), Opens("two")
    one.store.go_on = two.store.begun
    stores = [[one], [two]]
    register_coders()
    options = PipelineOptions([])
    options.view_as(StandardOptions).streaming = True
    with beam.Pipeline(runner="BundleBasedDirectRunner", options=options) as pipeline:
        for place, some in enumerate(stores):
            rows = pipeline | f"Rows {place}" >> beam.Create([health(1)])
            rows | f"Write {place}" >> WriteTo(some, behind=True)
    assert two.store.begun.wait(PATIENCE_S)
    assert not one.store.waited_in_vain


def test_what_a_store_refuses_comes_out_as_dead_letters() -> None:
    refusing, taking = Opens("refusing"), Opens("taking")
    refusing.store.refuses = True
    letters = written([health(1), beat(), health(1)], [taking, refusing], behind=False)
    assert [rows.frame["source"].to_list() for rows in letters] == [["refusing"]] * 2
    assert letters[0].frame.schema == DEAD_LETTERS


def test_behind_they_come_out_with_what_is_written_next_or_with_a_heartbeat() -> None:
    refusing = Opens("refusing")
    refusing.store.refuses = True
    letters = written([health(1), health(1)], [refusing], behind=True)
    deadline = time.monotonic() + PATIENCE_S
    while len(letters) < len(refusing.store.given):
        assert time.monotonic() < deadline
        letters += written([beat()], [Opens("another")], behind=True)
    assert {rows.frame["source"][0] for rows in letters} == {"refusing"}
    assert written([beat()], [refusing], behind=True) == []


def test_behind_a_slow_store_holds_up_no_other() -> None:
    slow, quick = Opens("slow"), Opens("quick")
    slow.store.go_on = threading.Event()
    bundles = [health(rows) for rows in range(1, 4)]

    def let_go() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while sum(quick.store.given) < 1 + 2 + 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        slow.store.go_on.set()

    watcher = threading.Thread(target=let_go)
    watcher.start()
    written(bundles, [slow, quick], behind=True)
    watcher.join()
    assert not slow.store.waited_in_vain
    assert sum(slow.store.given) == sum(quick.store.given) == 1 + 2 + 3


def test_after_a_fault_behind_nothing_more_is_written_to_that_store() -> None:
    """Its progress stands still, so that a restart writes everything again."""
    failing = Opens("failing")
    failing.store.fails = True

    def until_it_is_told() -> None:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            through([health(1), health(2), beat()], [failing], behind=True)

    with pytest.raises(RuntimeError, match="a fault of ours"):
        until_it_is_told()
    failing.store.fails = False
    for rows in (health(4), beat()):
        with pytest.raises(RuntimeError, match="a fault of ours"):
            through([rows], [failing], behind=True)
    assert failing.store.given == []


def test_progress_is_that_of_the_plays_that_a_store_has_taken() -> None:
    takes, passes = Opens("takes", ("plays",)), Opens("passes")
    notes = Notes()
    written([plays(3), health(1), plays(4)], [takes, passes], notes, behind=False)
    assert notes.hours == [("takes", 3), ("takes", 4)]


def test_behind_no_progress_is_recorded_before_all_that_came_before_is_written() -> None:
    slow, quick = Opens("slow", ("plays",)), Opens("quick", ("plays",))
    slow.store.go_on = threading.Event()
    notes = Notes()
    through([plays(3), health(1), plays(4)], [slow, quick], notes, behind=True)
    deadline = time.monotonic() + PATIENCE_S
    while ("quick", 4) not in notes.hours:
        assert time.monotonic() < deadline
        through([beat()], [slow, quick], notes, behind=True)
    assert ("slow", 4) not in notes.hours
    slow.store.go_on.set()
    while ("slow", 4) not in notes.hours:
        assert time.monotonic() < deadline
        through([beat()], [slow, quick], notes, behind=True)


@pytest.mark.parametrize(
    "begin", ["write._begun(wait)", "behind.Lane(lambda _: wait(), 0.0).put(pl.DataFrame())"]
)
def test_a_process_that_fails_ends_while_a_store_is_waited_for(begin: str) -> None:
    """So that whoever started it can start it again."""
    script = f"""
import threading, time
import polars as pl
from beam_pipeline.transforms import behind, write
begun = threading.Event()
def wait():
    begun.set()
    threading.Event().wait()
{begin}
assert begun.wait(30)
raise SystemExit(3)
"""
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=60).returncode == 3
