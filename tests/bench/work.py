"""The work that is measured: plays of the simulator, as files and as messages."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from beam_pipeline.domain.instants import Instant
from beam_pipeline.domain.lines import Block

ROOT = Path(__file__).resolve().parents[2]
LISTENERS, TRACKS = 50_000, 20_000
RATE = 500
"""Plays a second of event time."""
START, NEXT = "2026-03-02T12:00Z", "2026-03-02T12:35Z"
"""Of the plays, and of those that follow a million of them."""
EVENTS_A_MESSAGE = 200

_PUBLISHED = re.compile(rb',"published_at":"([^"]+)"')


@dataclass(frozen=True)
class Work:
    """Files of one amount of plays and of everything that is known of them."""

    folder: Path
    plays: int
    listeners: int = LISTENERS
    tracks_known: int = TRACKS
    start: str = START

    @property
    def customers(self) -> Path:
        """The listeners, a CSV with the original headers."""
        return self.folder / "customers.csv"

    @property
    def tracks(self) -> Path:
        """The catalogue, likewise."""
        return self.folder / "tracks.csv"

    @property
    def file(self) -> Path:
        """Exactly `plays` lines of NDJSON in the order of their publication."""
        name = f"plays-{self.plays}" if self.start == START else f"plays-{self.plays}-{self.start}"
        return self.folder / f"{name}.ndjson"

    def make(self) -> None:
        """Write what is not there yet; 1M plays take about 5 s."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.customers.exists():
            _simulate("customers", "--count", str(self.listeners), "--output", str(self.customers))
        if not self.tracks.exists():
            _simulate("tracks", "--count", str(self.tracks_known), "--output", str(self.tracks))
        if not self.file.exists():
            self._make_plays()

    def _make_plays(self) -> None:
        """Draw a little more than is wanted (ad events are drawn with the plays), and cut it."""
        drawn = self.file.with_suffix(".drawn")
        hours = (1.1 * self.plays + 20_000) / RATE / 3600
        _simulate(
            *(
                "plays",
                "--start",
                self.start,
                "--hours",
                f"{hours:.4f}",
                "--rate",
                str(RATE),
                "--flat",
            ),
            *("--offers", "0", "--faults", "none", "--duplicates", "0.02", "--disorder", "1"),
            *("--customers", str(self.customers), "--tracks", str(self.tracks)),
            *("--output", str(drawn), "--no-key"),
        )
        whole = self.file.with_suffix(".part")
        with (drawn / "plays.ndjson").open("rb") as lines, whole.open("wb") as out:
            written = 0
            for _, line in zip(range(self.plays), lines, strict=False):
                out.write(line)
                written += 1
        assert written == self.plays, "the simulator drew too few plays"
        for file in drawn.iterdir():
            file.unlink()
        drawn.rmdir()
        whole.rename(self.file)

    def blocks(self, events: int = EVENTS_A_MESSAGE) -> Iterator[Block]:
        """The plays as messages of so many events: published when their last play is."""
        lines: list[bytes] = []
        with self.file.open("rb") as stream:
            for line in stream:
                lines.append(line)
                if len(lines) == events:
                    yield block_of(lines)
                    lines = []
        if lines:
            yield block_of(lines)


def block_of(lines: list[bytes]) -> Block:
    """A message of these lines of a file: its attribute says when they were published."""
    found = _PUBLISHED.search(lines[-1])
    assert found is not None, "a line of the simulator without its time"
    published = found.group(1).decode()
    moment = Instant.parse(published).ms
    return Block(
        kind="play",
        schema="1",
        payload=_PUBLISHED.sub(b"", b"".join(lines)),
        published_ms=moment,
        publish_time_ms=moment,
        id=str(moment),
        source="bench",
        attributes={"kind": "play", "schema": "1", "published_at": published},
    )


def _simulate(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simulator", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
