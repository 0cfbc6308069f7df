"""What is measured is right: the measures at a size that says nothing about speed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from beam_pipeline.domain.decode import decode
from beam_pipeline.edges.lookups import FileReferences
from beam_pipeline.edges.places import ZipPlaces
from infra.local.stack import Stack
from tests.bench import latency, scoring, stream, whole
from tests.bench.core import Core, frames_of
from tests.bench.table import Figure, Report, Target
from tests.bench.work import Work

PLAYS = 4_000


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    made = Work(tmp_path_factory.mktemp("work"), PLAYS, listeners=300, tracks_known=200)
    made.make()
    return made


def lines(work: Work) -> list[dict[str, object]]:
    return [json.loads(line) for line in work.file.read_bytes().splitlines()]


def identities(work: Work) -> int:
    return len({(line["customer_id"], line["event_id"]) for line in lines(work)})


def core_of(work: Work, rows: int) -> Core:
    core = Core(FileReferences(work.customers, work.tracks).open(), ZipPlaces().open(), lines=[])
    for blocks in frames_of(work.blocks(), rows):
        core.take(blocks)
    core.finish()
    return core


def test_the_work_is_as_many_plays_as_asked_for_with_duplicates_among_them(work: Work) -> None:
    assert len(lines(work)) == PLAYS
    assert 0.9 * PLAYS < identities(work) < PLAYS


def test_messages_hold_the_plays_of_the_file(work: Work) -> None:
    decoded = decode(list(work.blocks()))
    assert decoded.dead_letters.is_empty()
    assert decoded.plays["event_id"].to_list() == [line["event_id"] for line in lines(work)]


@pytest.mark.parametrize("rows", [200, 2_000])
def test_the_core_makes_a_document_of_every_play_that_is_no_duplicate(
    work: Work, rows: int
) -> None:
    core = core_of(work, rows)
    assert core.documents["plays"] == identities(work)
    assert core.documents["interests"] > 0
    assert core.seconds > 0
    assert core.lines is not None
    bulk = "".join(line for part in core.lines for line in part.to_pylist()).splitlines()
    assert sum('"_index":"plays-' in line for line in bulk[::2]) == identities(work)


def test_the_whole_pipeline_gives_what_the_core_gives(work: Work) -> None:
    told, core = whole.run(work), core_of(work, 2_000)
    assert told["plays"] == core.documents["plays"]
    assert told["listening"] >= 1
    assert told["interests"] > 0


def test_with_scoring_it_gives_the_same_and_targets(
    stack: Stack, work: Work, tmp_path: Path
) -> None:
    redis = stack.redis.removesuffix("/0") + "/8"
    told = whole.run(work, targeting=scoring.prepare(work, redis, tmp_path / "models"))
    targets = told.pop("targets")
    assert told == whole.run(work)
    assert 0 < targets < 300


def test_plays_go_through_the_stores_and_marks_are_seen(
    stack: Stack, work: Work, tmp_path: Path
) -> None:
    bench = stream.Bench(stack, work, tmp_path)
    bench.prepare()
    try:
        told = through_everything(bench, work)
    finally:
        bench.empty()
        bench.redis.flushall()
    assert told.keys() == {"elasticsearch", "redis"}
    assert all(0 < late["p50"] <= late["p99"] <= late["max"] < 60 for late in told.values())


def through_everything(bench: stream.Bench, work: Work) -> dict[str, dict[str, float]]:
    assert stream.accepted(bench) == identities(work)
    assert stream.alone(bench, 1_000.0)["rate"] > 0
    assert stream.through(bench, identities(work), bigquery=True)["plays"] == identities(work)
    return latency.measure(bench, seconds=1.0, rate=1_000)


def test_a_figure_is_held_against_what_it_must_be(tmp_path: Path) -> None:
    fast, late = Target(100.0, 200.0), Target(4.0, 2.0, "s", less_is_better=True)
    assert [fast.met(figure) for figure in (99, 100, 200)] == ["no", "must", "aim"]
    assert [late.met(figure) for figure in (4.1, 4.0, 2.0)] == ["no", "must", "aim"]
    report = Report({"machine": "a small one"}, [Figure("decode", 150.0, "events/s", fast)])
    assert "decode" in report.text()
    report.save(tmp_path / "bench.json")
    assert json.loads((tmp_path / "bench.json").read_text())["figures"][0]["met"] == "must"
