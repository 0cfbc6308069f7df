"""The fortnight that a demo learns from: some of its customers, listening before it began.

    FOLDER/fortnight-2026-03-13/key     the simulator's account: their past, and who truly clicks
                                days    what the daily run made of it: profiles and examples
    FOLDER/fortnight.log                what the steps said

Made once and kept while most of it lies in the 28 days that features look back on.
"""

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from beam_pipeline.domain.features import FEATURE_HASH
from infra.local.environments import last_error
from infra.local.errors import SetupFailed
from infra.local.parts import Reference
from infra.local.paths import ROOT
from infra.local.services import Launch

DAYS = 14
ONE_DAY = timedelta(days=1)
ENDED_BEFORE = 2 * ONE_DAY
"""It ends the day before yesterday: closing a demo's first day writes yesterday's examples anew."""
KEPT = timedelta(days=15)
REFUSED = 3
"""What a training exits with whose model did not pass the gate."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """How much of it there is: few plays, but of few people, who are then known well.

    The true law is not so hard that a model as good as can be might be refused for bad luck.
    """

    customers: int = 3_000
    rate: float = 0.16
    seed: int = 1
    offers: float = 0.5
    bayes_error: float = 0.055


@dataclass(frozen=True)
class Fortnight:
    """One fortnight: where it is, or will be, and its last day."""

    folder: Path
    last: date

    @classmethod
    def of(cls, folder: Path, today: date) -> "Fortnight":
        """The newest one below `folder` that still serves today, else the one to be made."""
        made = [
            cls(kept, date.fromisoformat(kept.name.removeprefix(_NAME)))
            for kept in folder.glob(f"{_NAME}*")
        ]
        fit = [one for one in made if ENDED_BEFORE <= today - one.last <= KEPT and one._fits()]
        last = today - ENDED_BEFORE
        newest = max(fit, key=lambda one: one.last, default=None)
        return newest or cls(folder / f"{_NAME}{last}", last)

    @property
    def first(self) -> date:
        """Its first day."""
        return self.last - (DAYS - 1) * ONE_DAY

    @property
    def key(self) -> Path:
        """The simulator's account."""
        return self.folder / "key"

    @property
    def days(self) -> Path:
        """What the daily run made of it."""
        return self.folder / "days"

    @property
    def bayes_error(self) -> float:
        """The error of the best possible judge of who clicks."""
        summary = json.loads((self.key / "summary.json").read_text())
        return float(summary["bayes_error"])

    def simulate(self, reference: Reference, size: Size, say: Say) -> None:
        """Make the plays, the ad events and the account, unless they are there."""
        with _alone(self.folder.parent):
            if not self.key.exists():
                say("simulating a fortnight to learn from (once) …")
                self._simulate(reference, size)

    def close(self, reference: Reference, say: Say) -> None:
        """Run it through the pipeline and close its days, unless that is done."""
        with _alone(self.folder.parent):
            if not self.days.exists():
                say("running the fortnight through the pipeline and closing its days (once) …")
                self._close(reference)

    def _simulate(self, reference: Reference, size: Size) -> None:
        root = self.folder.parent
        draft, people = root / "draft", root / "listeners.csv"
        for folder in (draft, *root.glob(f"{_NAME}*")):
            shutil.rmtree(folder, ignore_errors=True)
        people.write_text("".join(_some_of(reference.customers_file, size.customers)))
        self._run(
            *("simulator", "plays", "--start", str(self.first), "--days", str(DAYS)),
            *("--rate", f"{size.rate:g}", "--seed", str(size.seed), "--offers", f"{size.offers:g}"),
            *("--offers-after", "4", "--bayes-error", f"{size.bayes_error:g}"),
            *("--customers", people, "--tracks", reference.tracks_file, "--output", draft),
        )
        (draft / "features.txt").write_text(FEATURE_HASH)
        draft.rename(self.folder)

    def _close(self, reference: Reference) -> None:
        left, draft = self.folder / "left", self.folder / "draft"
        for folder in (left, draft):
            shutil.rmtree(folder, ignore_errors=True)
        files = {"--plays": "plays.ndjson", "--ad-events": "ad-events.ndjson"}
        events = [word for flag, name in files.items() for word in (flag, self.folder / name)]
        known = ("--customers", reference.customers_file, "--tracks", reference.tracks_file)
        self._run("beam_pipeline.main", *events, *known, "--output", left)
        span = ("--since", str(self.first), "--day", str(self.last))
        self._run("beam_pipeline.daily", *span, "--input", left, "--output", draft)
        draft.rename(self.days)
        shutil.rmtree(left)
        for name in files.values():
            (self.folder / name).unlink()

    def _fits(self) -> bool:
        """Whether its days are, or will be, of the features that this code means."""
        told = self.folder / "features.txt"
        return told.exists() and told.read_text() == FEATURE_HASH

    def _run(self, *words: str | Path) -> None:
        log = self.folder.parent / "fortnight.log"
        run_logged(Launch([sys.executable, "-m", *words], {"PYTHONPATH": str(ROOT)}), log)


_NAME = "fortnight-"


def run_logged(launch: Launch, log: Path) -> None:
    """Run one step to its end, its output to `log`; SetupFailed if it could not do its work.

    REFUSED is an answer, not a failure.
    """
    command = [str(word) for word in launch.command]
    with log.open("a") as out:
        out.write(f"$ {' '.join(command)}\n")
        out.flush()
        env = os.environ | launch.env
        done = subprocess.run(command, env=env, stdout=out, stderr=out, cwd=ROOT, check=False)
    if done.returncode not in (0, REFUSED):
        raise SetupFailed(f"{command[2]} failed: {last_error(log)} The whole output is in {log}.")


@contextlib.contextmanager
def _alone(root: Path) -> Iterator[None]:
    """Only one process at a time makes a fortnight; a second one waits and finds it made."""
    root.mkdir(parents=True, exist_ok=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def today() -> date:
    """The day it is, UTC."""
    return datetime.now(UTC).date()


def _some_of(customers: Path, count: int) -> list[str]:
    """The header and evenly drawn lines of a customers file."""
    header, *lines = customers.read_text().splitlines(keepends=True)
    step = max(len(lines) // count, 1)
    return [header, *lines[::step][:count]]
