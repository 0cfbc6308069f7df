"""A run to files: NDJSON of each kind, and the answer key beside it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from simulator.run import Run, Settings, empty_folder


def write_run(
    settings: Settings, span_ms: tuple[int, int], output: Path, *, key: bool
) -> dict[str, Any]:
    """Write plays.ndjson, ad-events.ndjson and, with `key`, the folder key/; give the summary.

    Lines stand in the order of publication. Raises UsageError when the folder is not empty.
    """
    began = time.perf_counter()
    run = Run.of(settings, span_ms, output / "key" if key else None, in_file=True)
    folder = empty_folder(output)
    start_ms, end_ms = span_ms
    lines = 0
    with (
        (folder / "plays.ndjson").open("wb") as plays_file,
        (folder / "ad-events.ndjson").open("wb") as ads_file,
        _progress() as progress,
    ):
        task = progress.add_task("plays", total=end_ms - start_ms, lines="0")
        for one in run.slices():
            plays, ads = run.writer.plays(one.plays), run.writer.ads(one.ads)
            plays_file.write(plays.data)
            ads_file.write(ads.data)
            lines += len(plays) + len(ads)
            run.account.take("play", one.plays)
            run.account.take("ad", one.ads)
            run.account.settle(one.end_ms)
            done = min(one.end_ms, end_ms) - start_ms
            progress.update(task, completed=done, lines=f"{lines:,}")
    summary = run.close({"lines": lines})
    seconds = time.perf_counter() - began
    return {**summary, "seconds": round(seconds, 2), "lines_per_s": round(lines / seconds)}


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
