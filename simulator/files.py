"""A run to files: NDJSON of each kind, and the answer key beside it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from simulator.account import Account
from simulator.errors import UsageError
from simulator.key import Key
from simulator.lines import Writer
from simulator.settings import Settings
from simulator.timeline import timeline


def write_run(
    settings: Settings, start_ms: int, end_ms: int, output: Path, *, key: bool
) -> dict[str, Any]:
    """Write plays.ndjson, ad-events.ndjson and, with `key`, the folder key/; give the summary.

    Lines stand in the order of publication. Raises UsageError when the folder is not empty.
    """
    folder = empty_folder(output)
    town = settings.town((start_ms, end_ms))
    writer = Writer(town.places, run_tag(settings.seed, start_ms), in_file=True)
    account = Account(town.people, town.catalogue, writer, Key(folder / "key")) if key else None
    lines = 0
    began = time.perf_counter()
    with (
        (folder / "plays.ndjson").open("wb") as plays_file,
        (folder / "ad-events.ndjson").open("wb") as ads_file,
        _progress() as progress,
    ):
        task = progress.add_task("plays", total=end_ms - start_ms, lines="0")
        for one in timeline(town, settings.faults, start_ms, end_ms):
            plays, ads = writer.plays(one.plays), writer.ads(one.ads)
            plays_file.write(plays.data)
            ads_file.write(ads.data)
            lines += len(plays) + len(ads)
            if account:
                account.take("play", one.plays)
                account.take("ad", one.ads)
                account.settle(one.start_ms + one.length_ms)
            done = min(one.start_ms + one.length_ms, end_ms) - start_ms
            progress.update(task, completed=done, lines=f"{lines:,}")
    about = {
        "seed": settings.seed,
        "start": moment(start_ms),
        "end": moment(end_ms),
        "lines": lines,
    }
    summary = account.close(about) if account else about
    seconds = time.perf_counter() - began
    return {**summary, "seconds": round(seconds, 2), "lines_per_s": round(lines / seconds)}


def empty_folder(path: Path) -> Path:
    """Make the folder; UsageError if it holds anything or cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise UsageError(f"The folder {path} is not empty.")
    except OSError as error:
        raise UsageError(f"The folder {path} cannot be made: {error.strerror}.") from None
    return path


def run_tag(seed: int, start_ms: int) -> str:
    """What begins the event ids of a run: other runs have another."""
    return f"{seed:x}.{start_ms // 1000:x}."


def moment(ms: int) -> str:
    """A moment as RFC 3339."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[lines]} lines"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    )
