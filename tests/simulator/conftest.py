"""A small town, and one faulty day in it, made once for all tests of this room."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from simulator.cli import main


@dataclass(frozen=True)
class Made:
    """A finished run in files."""

    folder: Path
    summary: dict[str, Any]

    def key(self, dataset: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / "key" / f"{dataset}.parquet")

    def lines(self, kind: str) -> list[bytes]:
        name = {"play": "plays.ndjson", "ad": "ad-events.ndjson"}[kind]
        data = (self.folder / name).read_bytes()
        assert data.endswith(b"\n")
        return data[:-1].split(b"\n")


Simulate = Callable[..., Made]

FAULTY = (
    "--days", "1", "--rate", "0.12", "--faults", "usual", "--duplicates", "0.05",
    "--far-duplicates", "0.01", "--malformed", "0.05", "--stale", "0.01", "--skew", "0.03",
    "--bots", "0.02", "--bursts", "0.05", "--offline", "0.05", "--surges", "1",
)  # fmt: skip


@pytest.fixture(scope="session")
def customers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("town") / "customers.csv"
    assert main(["customers", "--count", "600", "--seed", "5", "--output", str(path)]) == 0
    return path


@pytest.fixture(scope="session")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("catalogue") / "tracks.csv"
    assert main(["tracks", "--count", "400", "--seed", "5", "--output", str(path)]) == 0
    return path


@pytest.fixture(scope="session")
def simulate(customers: Path, tracks: Path, tmp_path_factory: pytest.TempPathFactory) -> Simulate:
    """Runs `simulator plays` with further flags, from Monday 2026-03-02 on."""

    def run(*flags: str, seed: int = 7) -> Made:
        folder = tmp_path_factory.mktemp("run") / "out"
        given = ["--customers", customers, "--tracks", tracks, "--start", "2026-03-02", "--seed",
                 seed, "--output", folder]  # fmt: skip
        assert main(["plays", *map(str, given), *flags]) == 0
        path = folder / "key" / "summary.json"
        return Made(folder, json.loads(path.read_text()) if path.exists() else {})

    return run


@pytest.fixture(scope="session")
def faulty_day(simulate: Simulate) -> Made:
    """A day with every fault, at rates that make all of them common."""
    return simulate(*FAULTY)
