"""`make bench`: measure everything that has to be fast, print one table."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from beam_pipeline.edges.environment import WORKER
from infra.local.paths import LOCAL
from infra.local.stack import Ports, Stack
from tests.bench import latency, stream
from tests.bench.table import Figure, Report, Target, machine
from tests.bench.work import ROOT, Work

FOLDER = LOCAL / "bench"
FULL, LONG, STREAMED, PER_EVENT = 1_000_000, 4_000_000, 400_000, 5_000
RATE, STEADY_S = 2_000, 120.0
PAIRS = 3
"""Measures of each of the two streams; the middle one counts."""
WARM_RATE = 10_000.0
"""Plays a second for which Elasticsearch is warmed up."""

_Pair = tuple[dict[str, float], dict[str, float]]
"""What a stream and Elasticsearch alone took."""
_DOOR = re.compile(r"(.+?): (?:([\d,]+) events/s, )?([\d,]+) requests/s, p50 (.+)")


@dataclass
class Run:
    """One run of the command."""

    scale: float
    """Of every amount of work; 1 for the figures that count."""
    report: Report = field(default_factory=lambda: Report(machine()))
    rates: dict[str, float] = field(default_factory=dict)

    def work(self, plays: int) -> Work:
        """So many plays, made now if they are not there."""
        work = Work(FOLDER / "work", max(200, int(plays * self.scale)))
        work.make()
        return work

    def child(self, name: str, plays: int, rows: int = 10_000) -> dict[str, Any]:
        """A measure in a process of its own."""
        work = self.work(plays)
        flags = ["--folder", str(work.folder), "--plays", str(work.plays), "--rows", str(rows)]
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.child", name, *flags],
            cwd=ROOT,
            env={**os.environ, **WORKER},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])
        told = json.loads(done.stdout.splitlines()[-1])
        return {**told, "rate": work.plays / told["seconds"]}

    def add(
        self, measure: str, value: float, target: Target | None = None, detail: str = "",
        unit: str = "events/s",
    ) -> None:  # fmt: skip
        """A line of the table."""
        figure = Figure(measure, value, target.unit if target else unit, target, detail)
        self.report.figures.append(figure)
        print("  " + "  ".join(cell for cell in figure.cells() if cell), flush=True)


def decoding(run: Run) -> None:
    """Bytes to frames."""
    told = run.child("decode", FULL)
    run.add("decode alone, one core", told["rate"], Target(1.2e6, 2e6))


def core(run: Run) -> None:
    """Bytes to documents."""
    told = run.child("core", FULL)
    run.add("core, frames of 10,000, one core", told["rate"], Target(330e3, 500e3))
    small = run.child("core", FULL, rows=2_000)
    run.add("core, frames of 2,000, one core", small["rate"], Target(210e3, 350e3))
    run.rates["core"] = told["rate"]


def long(run: Run) -> None:
    """Whether an event costs more after hours."""
    short = run.rates.get("core") or run.child("core", FULL)["rate"]
    told = run.child("core", LONG)
    detail = f"{told['rate']:,.0f}/s"
    cost = short / told["rate"]
    run.add("core, cost at 4M plays to 1M", cost, Target(1.2, 1.05, "times", True), detail)


def whole(run: Run) -> None:
    """The pipeline between a file and nothing, and the one that would be written otherwise."""
    told = run.child("pipeline", FULL)
    run.add("pipeline, file to null sinks", told["rate"], Target(240e3, 350e3))
    peak = told["peak_bytes"] / 1e9
    run.add("peak memory of that process", peak, Target(1.5, 0.8, "GB", True))
    run.rates["pipeline"] = told["rate"]


def scoring(run: Run) -> None:
    """What choosing customers adds to the pipeline's time."""
    told = run.child("scoring", FULL)
    detail = f"all features are read, {told['rows']['targets']:,} targets"
    first = told["first"] / told["first_without"]
    run.add("scoring, cost to the pipeline without, at first", first, detail=detail, unit="times")
    run.add("scoring, cost to the pipeline without", told["cost"],
            Target(1.1, 1.05, "times", True), f"{told['rate']:,.0f}/s")  # fmt: skip


def per_event(run: Run) -> None:
    """The ratio to an element an event."""
    told = run.child("per-event", PER_EVENT)
    run.add("an element an event, state by customer", told["rate"], detail=f"{PER_EVENT:,} plays")
    ours = run.rates.get("pipeline") or run.child("pipeline", FULL)["rate"]
    run.add("pipeline to that", ours / told["rate"], unit="times")


def stores(run: Run) -> None:
    """From the emulator to the stores, and how soon."""
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "stack", Ports.free())
        bench = stream.Bench(stack, run.work(STREAMED), Path(folder))
        try:
            print("  starting the stores", flush=True)
            bench.prepare()
            plays = stream.accepted(bench)
            stream.alone(bench, WARM_RATE)
            for stores, bigquery, target in (
                ("Elasticsearch", False, Target(0.8, 0.95, "times")),
                ("all stores", True, Target(0.35, 0.6, "times")),
            ):
                pairs = sorted(
                    (_pair(bench, plays, bigquery=bigquery) for _ in range(PAIRS)), key=_ratio
                )
                told, alone = pairs[PAIRS // 2]
                detail = (
                    f"{told['rate']:,.0f} documents/s, {told['plays_rate']:,.0f} plays/s; "
                    f"the middle of {_ratio(pairs[0]):.2f} to {_ratio(pairs[-1]):.2f}"
                )
                run.add(
                    "Elasticsearch alone, the same documents", alone["rate"], detail="documents"
                )
                run.add(f"emulator to {stores}, to that", _ratio((told, alone)), target, detail)
            seconds = max(2.0, STEADY_S * run.scale)
            for store, late in latency.measure(bench, seconds, RATE).items():
                what = f"published to seen in {store}, {RATE:,}/s,"
                run.add(f"{what} p50", late["p50"], Target(1.5, 0.8, "s", True))
                run.add(f"{what} p99", late["p99"], Target(4.0, 2.0, "s", True),
                        f"worst {late['max']:.2f} s")  # fmt: skip
        finally:
            stack.stop()


def _pair(bench: stream.Bench, plays: int, *, bigquery: bool) -> _Pair:
    """From the emulator to the stores, and Elasticsearch alone right after it."""
    told = stream.through(bench, plays, bigquery=bigquery)
    return told, stream.alone(bench, told["plays_rate"])


def _ratio(pair: _Pair) -> float:
    told, alone = pair
    return told["rate"] / alone["rate"]


def doors(run: Run) -> None:
    """ingest and offer over HTTP."""
    seconds = max(1.0, 4 * run.scale)
    done = subprocess.run(
        [sys.executable, "-m", "tests.functions.bench", "--seconds", str(seconds)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    for line in done.stdout.splitlines():
        found = _DOOR.fullmatch(line)
        if found:
            what, events, requests, rest = found.groups()
            run.add(what, float((events or requests).replace(",", "")), detail=f"p50 {rest}")


PARTS: dict[str, Callable[[Run], None]] = {
    "decode": decoding,
    "core": core,
    "long": long,
    "pipeline": whole,
    "scoring": scoring,
    "per-event": per_event,
    "stores": stores,
    "doors": doors,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench",
        description="Measure what has to be fast and print one table. A quiet machine, please.",
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART",
                        help=f"some of: {', '.join(PARTS)}")  # fmt: skip
    parser.add_argument("--json", type=Path, default=FOLDER / "bench.json", metavar="FILE",
                        help="where the figures go; default: .local/bench/bench.json")  # fmt: skip
    parser.add_argument("--scale", type=float, default=1.0, metavar="X",
                        help="of every amount of work, to try it out; default: 1")  # fmt: skip
    chosen = parser.parse_args(arguments)
    run = Run(chosen.scale)
    for number, part in enumerate(chosen.only, 1):
        begun = time.monotonic()
        print(f"{number} of {len(chosen.only)}: {part}", flush=True)
        PARTS[part](run)
        print(f"  {time.monotonic() - begun:.0f} s", flush=True)
    print("\n" + run.report.text(), flush=True)
    run.report.save(chosen.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
