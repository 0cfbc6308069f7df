"""One proof: a faulty day in simulated time through the whole real system, then the grades."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path

from infra.local import doors, parts
from infra.local.crew import Crew, alone
from infra.local.display import Display
from infra.local.errors import ServiceFailed
from infra.local.snapshots import Watch
from infra.local.stack import Ports, Stack
from infra.local.stores import Stores
from infra.local.system import ENDING, System
from infra.local.topics import Heartbeat
from simulator.faults import Faults
from tests.prove import strays
from tests.prove.examine import examine
from tests.prove.expected import Expected
from tests.prove.report import Report

START = datetime(2026, 3, 8, tzinfo=UTC)
"""A Sunday: clocks go forward that night in most states, in the middle of what is played."""
SHORTEST_H, A_DAY_H = 2.0, 24.0
EVENTS_AN_HOUR = 12_500
"""A smaller proof is a shorter day, not a thinner one: repeats need people who listen."""
CUSTOMERS, TRACKS = 5_000, 800
SETTLE_S = 900.0
RECORD = "prove"
UNSURE = "{:,} events were sent without an answer, so nobody knows what has to be there: try again."

FAULTS = {
    "bursts": 0.15,
    "duplicates": 0.04,
    "far_duplicates": 0.003,
    "offline": 0.04,
    "skew": 0.006,
    "stale": 0.002,
    "malformed": 0.012,
    "bots": 0.005,
    "surges": 1.0,
    "offers": 0.2,
    "cut": 0.02,
}
"""Where a proof's day is worse than a usual bad one (by the simulator's flags)."""


@dataclass(frozen=True)
class Plan:
    """How much is to be proved: at least `events` events, of one seed."""

    events: int = 300_000
    seed: int = 1
    start: datetime = START

    @property
    def length(self) -> timedelta:
        """For how long events are played; the last of them arrive up to a day later."""
        return timedelta(hours=min(A_DAY_H, max(SHORTEST_H, self.events / EVENTS_AN_HOUR)))

    @property
    def ledger_s(self) -> float:
        """How often changed counts go to BigQuery: each time is a version of their rows more."""
        return 5.0 if self.events < 50_000 else 20.0

    def time(self) -> parts.FaultyTime:
        """The same for the simulator."""
        seconds = self.length.total_seconds()
        flags = [word for name, rate in FAULTS.items() for word in (_flag(name), f"{rate:g}")]
        start = self.start.isoformat().replace("+00:00", "Z")
        hours, rate = seconds / 3600, self.events / seconds
        return parts.FaultyTime(start, hours, rate, self.seed, flags=tuple(flags))


@dataclass
class Stages:
    """How long each stage took, in seconds."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        began = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - began, 1)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def prove(plan: Plan, home: Path, ports: Ports) -> Report:
    """Run the system on fresh services of its own below `home`, and grade what it holds.

    Everything that was started is stopped again. Raises LocalError when a part cannot run.
    """
    crew, display = Crew(Stack(home, ports)), Display()
    reference = parts.Reference(home / "reference", CUSTOMERS, TRACKS)
    system = System(crew, display, reference, plan.ledger_s, simulated_time=True)
    with alone(crew, display, RECORD, ENDING):
        return _prove(plan, system)


def _prove(plan: Plan, system: System) -> Report:
    stages = Stages()
    beside = strays.strays(plan.seed, plan.events, plan.start, plan.length)
    with stages.of("starting"):
        system.start_services()
        stores = Stores(system.stack.endpoints)
    try:
        with Heartbeat(system.stack.ports.pubsub), Watch(stores) as watch:
            with stages.of("loading"):
                caller = system.start_parts(stores)
            with stages.of("posting"):
                _post(plan, system, caller, beside, watch)
            expected = Expected.read(system.key, beside)
            if expected.summary["unsure_events"]:
                raise ServiceFailed(UNSURE.format(expected.summary["unsure_events"]))
            with stages.of("settling"):
                system.settle(watch, expected.summary, SETTLE_S)
        with stages.of("closing the days"):
            _close_days(system, expected)
        with stages.of("grading"):
            system.display.step("reading every store back whole, and grading it")
            findings = examine(expected, stores, system.stack.endpoints)
    finally:
        stores.close()
    return Report(
        run=_told(plan),
        summary=expected.summary,
        grades=findings.grades,
        reasons=findings.reasons,
        minutes=findings.minutes,
        struck=expected.struck(),
        seconds=stages.seconds,
    )


def _post(
    plan: Plan, system: System, caller: doors.Caller, beside: list[strays.Stray], watch: Watch
) -> None:
    launch = parts.faulty_listeners(
        system.stack, caller, system.reference, plan.time(), system.key, system.status
    )
    system.crew.spawn("listeners", launch)
    strays.publish(beside, system.stack.endpoints)
    system.follow(watch)


def _close_days(system: System, expected: Expected) -> None:
    """Have the daily run write the profiles of every day on which something was published."""
    days = expected.profiles["day"]
    first, last = min(days), max(days)
    system.display.step(f"closing the days {first} to {last}")
    system.crew.spawn("daily", parts.daily(system.stack, first, last))
    system.crew.finish("daily")


def _told(plan: Plan) -> dict[str, object]:
    """What is needed to run it again, and what it was worse than usual in."""
    return {
        "events": plan.events,
        "seed": plan.seed,
        "start": plan.start.isoformat(),
        "hours": plan.length.total_seconds() / 3600,
        "customers": CUSTOMERS,
        "tracks": TRACKS,
        "faults": {one.name: one.metadata["usual"] for one in fields(Faults)} | FAULTS,
    }
