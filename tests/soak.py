"""The real system under steady load, with outages and a kill: `python -m tests.soak`."""

from __future__ import annotations

import argparse
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np

from beam_pipeline.domain.history import PRUNE_EVERY, RETENTION
from infra.local.errors import LocalError
from infra.local.paths import LOCAL
from infra.local.stack import Ports, Stack
from tests.e2e.stores import differences
from tests.e2e.system import System, ingest_of, new_system, post_all, wait_until
from tests.e2e.traffic import Post, reference, traffic
from tests.functions.process import Function
from tests.oracle import account

STORES = ("elasticsearch", "redis", "bigquery")
WARM_UP = 1 / 3
"""Of the run: simulated time goes so fast that by then the history is as long as it ever gets and
is being pruned."""
REST_S = 15.0
"""Between two outages at least."""
MOST_GROWTH = 0.10
"""Of the memory after warming up, over the rest of the run: what the allocator's fragments and a
backlog's larger frames leave behind. A leak of one play in ten would be more."""
SAMPLE_S = 2.0
SETTLE_S = 900.0

ABOUT = """Run everything that is real under a steady load, and break it: each store is away once,
the pipeline is killed and started again. Simulated time runs faster than the clock, so that the
history is full and pruned from the first third of the run on; from there on to the kill the
pipeline's memory must stay flat (grow by at most 10 %). At the end every store must hold exactly
what the oracle says.

Exit codes: 0 all of it held, 1 something did not, 2 a flag or a service that cannot be used."""


class UsageError(Exception):
    """The command line cannot be used; the text is one sentence that says why."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message[0].upper() + message[1:])


@dataclass(frozen=True)
class Plan:
    """What happens when, in seconds from the start."""

    seconds: float
    rate: float
    """Requests a second, of about 52 events each."""
    outage_s: float

    @property
    def outages(self) -> list[tuple[float, str]]:
        """When each store goes away."""
        step = max(0.15 * self.seconds, self.outage_s + REST_S)
        return [(0.15 * self.seconds + n * step, store) for n, store in enumerate(STORES)]

    @property
    def kill_at(self) -> float:
        """When the pipeline is killed."""
        return max(0.75 * self.seconds, self.outages[-1][0] + self.outage_s + REST_S)

    def posts(self, seed: int) -> list[Post]:
        """The requests of the whole run, in order."""
        requests = int(self.seconds * self.rate)
        simulated = (RETENTION + PRUNE_EVERY) / WARM_UP
        return traffic(seed, requests, minutes=simulated / timedelta(minutes=1) / requests)


@dataclass
class Memory:
    """Samples of a process's resident memory."""

    samples: list[tuple[float, float]] = field(default_factory=list)
    """Seconds from the start, MB."""

    @contextmanager
    def sampled(self, system: System, began: float) -> Iterator[None]:
        """Sample the newest pipeline of a system while the block runs."""
        end = threading.Event()

        def sample() -> None:
            while not end.wait(SAMPLE_S):
                found = resident_mb(system.pipelines[-1].pid)
                if found is not None:
                    self.samples.append((time.monotonic() - began, found))

        thread = threading.Thread(target=sample, daemon=True)
        thread.start()
        try:
            yield
        finally:
            end.set()
            thread.join()

    def growth(self, since: float, until: float) -> tuple[float, float]:
        """(MB after warming up, MB a minute): a line through the samples of a stretch."""
        stretch = np.array([sample for sample in self.samples if since <= sample[0] <= until])
        slope, level = np.polyfit(stretch[:, 0] - since, stretch[:, 1], 1)
        return float(level), float(slope * 60)


def resident_mb(pid: int) -> float | None:
    """Resident memory of a process, in MB; None when there is none."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    for row in status.splitlines():
        if row.startswith("VmRSS:"):
            return int(row.split()[1]) / 1024
    return None


def say(text: str) -> None:
    """A line of progress."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str]) -> int:
    """Soak as the command line says; the exit code."""
    try:
        plan, seed = _plan(arguments)
        with home() as stack:
            return soak(stack, plan, seed)
    except (UsageError, LocalError) as error:
        say(str(error))
        return 2


def _plan(arguments: Sequence[str]) -> tuple[Plan, int]:
    parser = _Parser(
        prog="python -m tests.soak",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--minutes", type=float, default=20, help="under load (20)")
    parser.add_argument("--rate", type=float, default=200, help="events a second, about (200)")
    parser.add_argument("--outage", type=float, default=60, help="seconds of each outage (60)")
    parser.add_argument("--seed", type=int, default=1, help="of the traffic (1)")
    args = parser.parse_args(arguments)
    if not (args.rate > 0 and args.outage > 0):
        raise UsageError("--rate and --outage are above 0")
    plan = Plan(args.minutes * 60, args.rate / 52, args.outage)
    if plan.kill_at + REST_S > plan.seconds:
        least = (3 * (args.outage + REST_S) + REST_S) / 0.85 / 60
        raise UsageError(f"--minutes is at least {least:.1f} for outages of {args.outage:g} s")
    return plan, args.seed


@contextmanager
def home() -> Iterator[Stack]:
    """Services of this run alone, below .local/soak."""
    stack = Stack(LOCAL / "soak", Ports.free())
    stack.hold()
    try:
        stack.wipe()
        yield stack
    finally:
        stack.stop()
        stack.release()


def soak(stack: Stack, plan: Plan, seed: int) -> int:
    """Run the plan; 0 when memory was flat and every store is as it should be."""
    folder = stack.home / "system"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    posts = plan.posts(seed)
    events = sum(len(post.lines) for post in posts)
    say(f"{events:,} events in {len(posts):,} requests over {plan.seconds / 60:g} minutes")
    memory = Memory()
    with new_system(stack, folder) as system, ingest_of(system) as ingest:
        system.start_pipeline()
        began = time.monotonic()
        with memory.sampled(system, began):
            load = Load(ingest, posts, plan.rate, began)
            load.thread.start()
            run(plan, stack, system, load, memory)
            say("settling")
            expected = account([post.message() for post in posts], reference())
            wrong = settled(lambda: differences(system, expected), system)
    level, slope = memory.growth(WARM_UP * plan.seconds, plan.kill_at)
    stretch = (plan.kill_at - WARM_UP * plan.seconds) / 60
    flat = slope * stretch <= MOST_GROWTH * level
    say(
        f"memory: {level:.0f} MB after warming up, {slope:+.2f} MB a minute over {stretch:.1f} "
        f"minutes ({slope * stretch / level:+.1%}, at most {MOST_GROWTH:.0%}), "
        f"peak {max(mb for _, mb in memory.samples):.0f} MB: {'flat' if flat else 'NOT FLAT'}"
    )
    rejected = sum(expected.dead_letters.values())
    say(
        wrong
        or f"every store equals the oracle: {len(expected.plays):,} plays, "
        f"{len(expected.ad_events):,} ad events, {len(expected.interests()):,} interests, "
        f"{len(expected.listening()):,} counts, {rejected:,} dead letters"
    )
    return 0 if flat and not wrong else 1


class Load:
    """Posts at a steady rate, as a thread; what it was refused stays in `failed`."""

    def __init__(self, ingest: Function, posts: Sequence[Post], rate: float, began: float) -> None:
        self.posted = 0
        self.failed: BaseException | None = None
        self._ingest = ingest
        self._posts = posts
        self._rate = rate
        self._began = began
        self.thread = threading.Thread(target=self._post, daemon=True)

    def _post(self) -> None:
        try:
            for post in self._posts:
                time.sleep(max(0.0, self._began + self.posted / self._rate - time.monotonic()))
                post_all(self._ingest, [post])
                self.posted += 1
        except BaseException as error:
            self.failed = error
            raise


def run(plan: Plan, stack: Stack, system: System, load: Load, memory: Memory) -> None:
    """Let the load go on, and do to the system what the plan says."""
    began = load._began
    todo: list[tuple[float, str, Callable[[], object]]] = []
    for at, store in plan.outages:
        todo.append((at, f"{store} is stopped", partial(stack.stop, [store])))
        back = at + plan.outage_s
        todo.append((back, f"{store} is back", partial(stack.start, [store])))
    todo.append((plan.kill_at, "the pipeline is killed", system.kill_pipeline))
    todo.append((plan.kill_at + 5, "the pipeline is started again", system.start_pipeline))
    told = 0.0
    while load.thread.is_alive() or todo:
        elapsed = time.monotonic() - began
        if todo and elapsed >= todo[0][0]:
            _, what, act = todo.pop(0)
            say(f"{elapsed:6.0f} s  {what}")
            act()
        elif elapsed - told >= 10:
            told = elapsed
            resident = memory.samples[-1][1] if memory.samples else 0.0
            say(f"{elapsed:6.0f} s  {load.posted:,} requests posted, pipeline {resident:.0f} MB")
        else:
            time.sleep(0.2)
    assert load.failed is None, load.failed


def settled(look: Callable[[], str | None], system: System) -> str | None:
    """None as soon as `look` finds nothing wrong, or after 15 minutes what it still finds."""
    try:
        wait_until(look, system.say, SETTLE_S)
    except AssertionError as still:
        return str(still)
    return None


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
