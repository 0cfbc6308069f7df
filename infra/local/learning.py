"""A demo's learning: trained at its start on a simulated fortnight, and again as it goes on.

    python -m infra.local.learning train      alone, on the fortnight
    python -m infra.local.learning simulate   the fortnight, for listeners who are to have a past
    python -m infra.local.learning watch      beside a running demo, until it is stopped

HOME/models is what `models/` is in the cloud: current.json names the live model.
"""

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import FrameType
from typing import NoReturn

import polars as pl

from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.bigquery_days import BigQueryLedger
from beam_pipeline.edges.bigquery_read import QueryFailed, query
from infra.local import parts, processes
from infra.local.errors import LocalError, SetupFailed
from infra.local.fortnight import ONE_DAY, Fortnight, Size, run_logged, today
from infra.local.lesson import Lesson, models_folder
from infra.local.parts import Reference
from infra.local.paths import DEFAULT_HOME, ROOT
from infra.local.services import SERVICES, Launch
from infra.local.stack import Ports, Stack

EVERY_S = 300.0
SETTLED_MINUTES = 6
"""When an offer of the demo without a click has none: its listeners click within five minutes."""
NICE = 10
"""Listeners and pipeline come first."""
TRAIN = "beam_pipeline.training.train"


@dataclass
class Learning:
    """Learning beside a running stack."""

    stack: Stack
    fortnight: Fortnight
    home: Path
    closed: date = field(default_factory=lambda: today() - ONE_DAY)
    """The last day that is closed."""

    def begin(self) -> None:
        """Put the fortnight's closed days into the stack's BigQuery."""
        ends = self.stack.endpoints
        ledger = BigQueryLedger(self._bigquery())
        for dataset in ("profiles", "training_examples"):
            files = sorted((self.fortnight.days / dataset).glob("*.parquet"))
            days = [date.fromisoformat(file.stem) for file in files]
            ledger.replace(dataset, days, (pl.read_parquet(file) for file in files))
        print(f"the days to {self.fortnight.last} are in {ends.project}.{ends.dataset}", flush=True)

    def lesson(self, now: date) -> Lesson:
        """Close what is over, take up today's examples so far and everyone's features, train.

        Raises:
            SetupFailed: a step could not do its work.
        """
        stack, yesterday, models = self.stack, now - ONE_DAY, models_folder(self.home)
        if self.closed < yesterday:
            self._run(parts.daily(stack, self.closed + ONE_DAY, yesterday))
            self.closed = yesterday
        self._run(parts.examples_so_far(stack, now, SETTLED_MINUTES))
        self._run(parts.train(stack, models))
        sql = "SELECT COUNT(*) AS n FROM training_examples WHERE as_of = @day"
        fresh = int(query(self._bigquery(), sql, {"day": now})["n"].item())
        lesson = Lesson.of(models, fresh, self.fortnight.bayes_error)
        lesson.tell(self.home)
        return lesson

    def _bigquery(self) -> BigQueryConfig:
        ends = self.stack.endpoints
        return BigQueryConfig(ends.project, ends.dataset, ends.bigquery, ends.bigquery_grpc)

    def _run(self, launch: Launch) -> None:
        run_logged(launch, self.stack.log("lessons"))


def folder(home: Path) -> Path:
    """Where a demo's learning is kept."""
    return home / "learning"


def simulation(home: Path) -> Launch:
    """Make the fortnight, so that listeners can be given their past (`Fortnight.key`)."""
    words = ("simulate", "--home", str(home))
    return Launch([sys.executable, "-m", "infra.local.learning", *words], {"PYTHONPATH": str(ROOT)})


def watching(home: Path) -> Launch:
    """Learn beside the stack that runs at `home`, at once and every five minutes."""
    words = ("watch", "--home", str(home))
    return Launch([sys.executable, "-m", "infra.local.learning", *words], {"PYTHONPATH": str(ROOT)})


def kept(home: Path) -> Fortnight:
    """The fortnight of the demo at `home`: made, or to be made."""
    return Fortnight.of(folder(home), today())


def train(home: Path, size: Size, flags: Sequence[str]) -> int:
    """Train on the fortnight alone, making it if need be; the trainer's exit code."""
    fortnight = _made(home, size)
    fortnight.close(_reference(home), _say)
    examples, models = str(fortnight.days / "training_examples"), str(models_folder(home))
    command = [sys.executable, "-m", TRAIN, "--examples", examples, "--models", models, *flags]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    code = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
    print(f"the best possible error is {fortnight.bayes_error:.2%}, by the simulator's own account")
    return code


def watch(home: Path, size: Size, every_s: float) -> int:
    """Learn beside the stack that runs at `home` until SIGTERM; ends with 0 then.

    A lesson that fails is told and tried again the next time. Raises LocalError when no stack runs
    there, or the fortnight cannot be made.
    """
    stack = _running(home)
    os.nice(NICE)
    signal.signal(signal.SIGTERM, _leave)
    fortnight = _made(home, size)
    fortnight.close(_reference(home), _say)
    learning = Learning(stack, fortnight, home)
    begun = False
    while True:
        due = time.monotonic() + every_s
        try:
            if not begun:
                learning.begin()
                begun = True
            _say(learning.lesson(today()).sentence())
        except (SetupFailed, QueryFailed) as error:
            _say(f"no lesson this time: {error}")
        time.sleep(max(due - time.monotonic(), 0))


def _running(home: Path) -> Stack:
    """The stack that runs at `home`, wherever it listens."""
    ports: dict[str, int] = {}
    for service in (SERVICES["redis"], SERVICES["bigquery"]):
        record = processes.read_record(processes.record_file(home / "run", service.name))
        if record is None or not record.is_alive():
            raise LocalError(f"No {service.title} runs at {home}: start a demo (make demo).")
        ports |= dict(zip(service.ports, record.ports, strict=True))
    return Stack(home, Ports(**ports))


def _made(home: Path, size: Size) -> Fortnight:
    """The fortnight, simulated, with the reference data that it is about."""
    reference = _reference(home)
    for launch in reference.commands().values():
        reference.folder.mkdir(parents=True, exist_ok=True)
        folder(home).mkdir(parents=True, exist_ok=True)
        run_logged(launch, folder(home) / "fortnight.log")
    fortnight = kept(home)
    fortnight.simulate(reference, size, _say)
    return fortnight


def _reference(home: Path) -> Reference:
    return Reference(home / "reference")


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _say(text: str) -> None:
    print(text, flush=True)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise LocalError(f"{message[0].upper()}{message[1:]} (see --help).")


def parser() -> argparse.ArgumentParser:
    """Every command and flag."""
    top = _Parser(
        prog="python -m infra.local.learning",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    alone = commands.add_parser("train", help="train on the fortnight; further flags are train's")
    made = commands.add_parser("simulate", help="make the fortnight's plays and their account")
    beside = commands.add_parser("watch", help="train beside a running demo, again and again")
    for command in (alone, made, beside):
        command.add_argument("--home", type=Path, default=DEFAULT_HOME, metavar="DIR",
                             help="the demo's folder (.local/demo)")  # fmt: skip
    beside.add_argument("--every", type=float, default=EVERY_S, metavar="SECONDS",
                        help=f"from one training to the next ({EVERY_S:g})")  # fmt: skip
    return top


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit code is the trainer's, or 2 after one sentence."""
    try:
        args, flags = parser().parse_known_args(arguments)
        home = args.home.resolve()
        if args.command == "train":
            return train(home, Size(), flags)
        if flags:
            raise LocalError(f"Unrecognized arguments: {' '.join(flags)} (see --help).")
        if args.command == "simulate":
            _made(home, Size())
            return 0
        return watch(home, Size(), args.every)
    except (LocalError, QueryFailed) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
