"""The whole thing, live, on one machine: `python -m infra.local demo`.

Services, reference data, the four functions, pipeline, and listeners who post plays to ingest and
ask for offers as they log in: the last hour as fast as it goes, then live. With a length it ends
by itself, waits until the stores have settled, and compares them with the simulator's own account.
"""

from pathlib import Path

from infra.local import doors, parts, reach, reconcile
from infra.local.crew import Crew, alone
from infra.local.display import Display, addresses
from infra.local.scheduler import Scheduler
from infra.local.snapshots import Watch
from infra.local.stack import Ports, Stack
from infra.local.stores import Stores
from infra.local.system import ENDING, System
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
    system = System(crew, display, parts.Reference(home / "reference"), LEDGER_S, all_doors=True)
    try:
        with alone(crew, display, RECORD, ENDING):
            return _play(system, traffic)
    except KeyboardInterrupt:
        return FITS if traffic.live_s is None else INTERRUPTED


def _play(system: System, traffic: parts.Traffic) -> int:
    system.start_services()
    stores = Stores(system.stack.endpoints)
    try:
        with Heartbeat(system.stack.ports.pubsub), Watch(stores) as watch:
            caller = system.start_parts(stores)
            _say_where(system)
            launch = parts.listeners(
                system.stack, caller, system.reference, traffic, system.key, system.status
            )
            system.crew.spawn("listeners", launch)
            with Scheduler(system.stack.ports.sms, caller):
                system.follow(watch)
                system.settle(watch, reconcile.read_summary(system.key), SETTLE_S)
            system.settle(watch, reconcile.read_summary(system.key), SETTLE_S)
        return _verdict(system, stores)
    finally:
        stores.close()


def _say_where(system: System) -> None:
    for line in addresses(system.stack):
        system.display.step(line)


def _verdict(system: System, stores: Stores) -> int:
    lines = reconcile.reconcile(system.key, stores)
    lines += reach.reconcile(system.key, stores, doors.texts(system.stack))
    system.display.console.print(reconcile.as_table(lines))
    conserved = reconcile.is_conserved(lines)
    if not conserved:
        system.display.step("[red]received is not accepted + duplicate + rejected")
    if conserved and all(line.fits for line in lines):
        system.display.step("[green]nothing is missing, nothing is too many")
        return FITS
    return DIFFERS
