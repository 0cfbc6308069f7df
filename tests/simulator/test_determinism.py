"""The same seed tells the same story, on any day of the week."""

import hashlib
from pathlib import Path

from simulator.cli import main
from tests.simulator.conftest import FAULTY, Made, Simulate
from tests.simulator.recount import read


def digests(run: Made) -> dict[str, str]:
    names = ("plays.ndjson", "ad-events.ndjson")
    return {name: hashlib.sha256((run.folder / name).read_bytes()).hexdigest() for name in names}


def test_the_same_seed_gives_the_same_bytes(simulate: Simulate, faulty_day: Made) -> None:
    again = simulate(*FAULTY)
    assert digests(again) == digests(faulty_day)
    unlike = ("seconds", "lines_per_s")
    told = [
        {k: v for k, v in run.summary.items() if k not in unlike} for run in (again, faulty_day)
    ]
    assert told[0] == told[1]
    for dataset in ("plays", "interests", "health", "asked"):
        assert again.key(dataset).equals(faulty_day.key(dataset)), dataset


def test_another_seed_gives_another_day(simulate: Simulate, faulty_day: Made) -> None:
    other = simulate(*FAULTY, seed=8)
    mine, theirs = (
        {line for line in run.lines("play") if read(line, "played_at")}
        for run in (faulty_day, other)
    )
    assert not mine & theirs


def test_without_a_key_the_lines_are_the_same(simulate: Simulate, faulty_day: Made) -> None:
    bare = simulate(*FAULTY, "--no-key")
    assert digests(bare) == digests(faulty_day)
    assert not (bare.folder / "key").exists()


def test_more_customers_and_tracks_begin_with_the_same_ones(
    customers: Path, tracks: Path, tmp_path: Path
) -> None:
    more = tmp_path / "more.csv"
    for command, path in (("customers", customers), ("tracks", tracks)):
        assert main([command, "--count", "900", "--seed", "5", "--output", str(more)]) == 0
        assert more.read_text("utf-8").startswith(path.read_text("utf-8"))
        assert main([command, "--count", "900", "--seed", "6", "--output", str(more)]) == 0
        assert not more.read_text("utf-8").startswith(path.read_text("utf-8"))
