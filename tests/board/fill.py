"""Fills an Elasticsearch with what the pipeline would write for a simulated stretch of time.

The simulator writes events to files, the pipeline's own domain code turns them into frames, and
the pipeline's own sink stores them: the board then sees what it would see in life. By hand:

    python -m tests.board.fill --elasticsearch URL --redis URL --hours 24 --rate 12
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from beam_pipeline.domain import schemas
from beam_pipeline.domain.counts import Counts
from beam_pipeline.domain.decode import decode
from beam_pipeline.domain.lines import Block
from beam_pipeline.domain.readers import Reader
from beam_pipeline.domain.shard import Shard
from beam_pipeline.edges.elasticsearch import ElasticsearchConfig, apply_templates
from beam_pipeline.edges.lookups import FileReferences
from beam_pipeline.edges.places import ZipPlaces
from beam_pipeline.edges.redis import ProgressConfig
from beam_pipeline.edges.sinks import Sink

PIECE_BYTES = 4 << 20


@dataclass(frozen=True)
class Simulated:
    """A simulated stretch of time, in files."""

    folder: Path
    start: datetime
    hours: int = 2
    rate: float = 1.5
    """Plays a second."""
    customers: int = 300
    tracks: int = 150
    seed: int = 9
    extra: tuple[str, ...] = field(default=("--faults", "usual"))

    def write(self) -> None:
        """Let the simulator write the files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for command, count in (("customers", self.customers), ("tracks", self.tracks)):
            output = str(self.folder / f"{command}.csv")
            _simulate(command, "--count", str(count), "--output", output)
        _simulate(
            "plays", "--start", self.start.isoformat().replace("+00:00", "Z"),
            "--hours", str(self.hours), "--rate", str(self.rate), "--seed", str(self.seed),
            "--no-key", "--customers", str(self.folder / "customers.csv"),
            "--tracks", str(self.folder / "tracks.csv"), "--output", str(self.folder / "events"),
            *self.extra,
        )  # fmt: skip

    def blocks(self) -> Iterator[Block]:
        """The events, a few mebibytes at a time."""
        for name, kind in (("plays", "play"), ("ad-events", "ad")):
            path = self.folder / "events" / f"{name}.ndjson"
            with path.open("rb") as stream:
                while lines := stream.readlines(PIECE_BYTES):
                    yield Block(kind, "1", b"".join(lines), 0, 0, name, "file", own_times=True)


def _simulate(*arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "simulator", *arguments], check=True, stdout=subprocess.DEVNULL
    )


def fill(simulated: Simulated, sink: Sink) -> dict[str, pl.DataFrame]:
    """Store everything; gives the frames that were written, for a count of one's own."""
    references = FileReferences(
        simulated.folder / "customers.csv", simulated.folder / "tracks.csv"
    ).open()
    shard, counts = Shard(references, ZipPlaces().open()), Counts()
    written: dict[str, list[pl.DataFrame]] = {name: [] for name in schemas.DATASETS}

    def store(dataset: str, frame: pl.DataFrame) -> None:
        frame = frame.drop(schemas.PUBLISH_TIME, strict=False)
        assert sink.write(dataset, frame).is_empty(), f"Elasticsearch refused rows of {dataset}"
        written[dataset].append(frame)

    for block in simulated.blocks():
        decoded = decode([block])
        outcome = shard.process(decoded.plays, decoded.ad_events)
        store("plays", outcome.plays)
        store("ad_events", outcome.ad_events)
        store("interests", outcome.interests)
        store("listening", counts.add(outcome.delta))
        for health in (decoded.health, outcome.health):
            counts.add_health(health)
    listening, health = counts.changed(Reader.LIVE)
    store("listening", listening)
    store("health", health)
    return {name: pl.concat(frames) for name, frames in written.items() if frames}


def main() -> None:
    """Fill the stores that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--elasticsearch", required=True, metavar="URL")
    parser.add_argument("--redis", metavar="URL")
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--rate", type=float, default=12.0, help="plays a second")
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--tracks", type=int, default=4_000)
    asked = parser.parse_args()
    config = ElasticsearchConfig(asked.elasticsearch)
    apply_templates(config.client(), replicas=0)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    with tempfile.TemporaryDirectory() as folder:
        simulated = Simulated(
            Path(folder), now - timedelta(hours=asked.hours), asked.hours, asked.rate,
            asked.customers, asked.tracks,
        )  # fmt: skip
        simulated.write()
        frames = fill(simulated, config.open())
    for name, frame in frames.items():
        print(f"{name}: {frame.height} rows")
    if asked.redis:
        published = int(frames["plays"]["published_at"].to_physical().to_numpy().max())
        newest = min(published, int(now.timestamp() * 1000))
        ProgressConfig(asked.redis).open().record("elasticsearch", newest, newest)


if __name__ == "__main__":
    main()
