"""The whole thing, live, on one machine: `python -m infra.local demo`.

Services, reference data, the four functions, pipeline, and listeners who post plays to ingest and
ask for offers as they log in: the last hour as fast as it goes, then live. A model is trained on
what some of them did in a fortnight before, and again on what they do. With a length it ends by
itself, waits until the stores have settled, and compares them with the simulator's own account.
"""

import time
from pathlib import Path

from infra.local import doors, learning, parts, reach, reconcile
from infra.local.crew import Crew, alone
from infra.local.display import Display, addresses
from infra.local.lesson import Lessons, models_folder
from infra.local.scheduler import Scheduler
from infra.local.snapshots import Watch
from infra.local.stack import Ports, Stack
from infra.local.stores import Stores
from infra.local.system import ENDING, LASTING, System
from infra.local.topics import Heartbeat

LEDGER_S = 10.0
"""How often changed window counts go to BigQuery: sooner than in the cloud, for who is watching."""
SETTLE_S = 300.0
RECORD = "demo"
FITS, DIFFERS, INTERRUPTED = 0, 1, 130


def run(home: Path, ports: Ports, traffic: parts.Traffic) -> int:
    """Run a demo to its end, or until Ctrl-C, SIGTERM or a closed terminal; the exit code.

    Whatever happens, everything that was started is stopped before this returns. Raises
    LocalError when a part of it cannot run.
    """
    crew, display = Crew(Stack(home, ports)), Display()
    lessons = Lessons(home, display.step)
    system = System(
        crew,
        display,
        parts.Reference(home / "reference"),
        LEDGER_S,
        all_doors=True,
        models=models_folder(home),
        notice=lessons.look,
    )
    try:
        with alone(crew, display, RECORD, ENDING):
            return _play(system, traffic, lessons)
    except KeyboardInterrupt:
        return FITS if traffic.live_s is None else INTERRUPTED


def _play(system: System, traffic: parts.Traffic, lessons: Lessons) -> int:
    system.start_services()
    past = _past(system)
    stores = Stores(system.stack.endpoints)
    try:
        with Heartbeat(system.stack.ports.pubsub), Watch(stores) as watch:
            caller = system.start_parts(stores)
            system.crew.spawn("learning", learning.watching(system.stack.home))
            _say_where(system)
            launch = parts.listeners(
                system.stack, caller, system.reference, traffic, system.key, system.status, past
            )
            system.crew.spawn("listeners", launch)
            with Scheduler(system.stack.ports.sms, caller):
                system.follow(watch)
                system.settle(watch, reconcile.read_summary(system.key), SETTLE_S)
            system.settle(watch, reconcile.read_summary(system.key), SETTLE_S)
            _await(system, lessons)
        return _verdict(system, stores, lessons)
    finally:
        stores.close()


def _past(system: System) -> Path:
    """What some listeners did in the fortnight before, simulated now if it is not kept."""
    fortnight = learning.kept(system.stack.home)
    if not fortnight.key.exists():
        system.display.step("simulating a fortnight to learn from (once) …")
        system.crew.spawn("fortnight", learning.simulation(system.stack.home))
        system.crew.finish("fortnight")
    return fortnight.key


def _await(system: System, lessons: Lessons) -> None:
    """Wait for the first lesson, if a short demo ends before it."""
    deadline = time.monotonic() + SETTLE_S
    while lessons.last is None and time.monotonic() < deadline:
        system.crew.check(LASTING)
        time.sleep(0.5)
        lessons.look()


def _say_where(system: System) -> None:
    for line in addresses(system.stack):
        system.display.step(line)


def _verdict(system: System, stores: Stores, lessons: Lessons) -> int:
    lines = reconcile.reconcile(system.key, stores)
    lines += reach.reconcile(system.key, stores, doors.texts(system.stack))
    system.display.console.print(reconcile.as_table(lines))
    system.display.step(lessons.last.sentence() if lessons.last else "[red]no model was trained")
    conserved = reconcile.is_conserved(lines)
    if not conserved:
        system.display.step("[red]received is not accepted + duplicate + rejected")
    if conserved and all(line.fits for line in lines):
        system.display.step("[green]nothing is missing, nothing is too many")
        return FITS
    return DIFFERS
