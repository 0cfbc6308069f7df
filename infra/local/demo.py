"""The whole thing, live, on one machine: `python -m infra.local demo`.

Services, reference data, ingest function, pipeline, and listeners who post plays to the function:
the last hour as fast as it goes, then live. With a length it ends by itself, waits until the
stores have settled, and compares them with the simulator's own account.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import FrameType

from beam_pipeline.edges.elasticsearch import apply_templates
from beam_pipeline.edges.tables import create_tables
from infra.local import parts, processes, reconcile
from infra.local.display import Display, addresses
from infra.local.environments import last_error
from infra.local.errors import PortBusy, ServiceFailed
from infra.local.services import Launch
from infra.local.snapshots import Watch, read_status
from infra.local.stack import Ports, Stack, is_busy
from infra.local.stores import Stores
from infra.local.topics import Heartbeat

LEDGER_S = 10.0
"""How often changed window counts go to BigQuery: sooner than in the cloud, for who is watching."""
QUIET_S = 45.0
"""When nothing was added to any store for so long, nothing more will come."""
SETTLE_S = 300.0
START_S = 90.0
CHILD_DEADLINE = timedelta(seconds=15)
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
RECORD = "demo"
FITS, DIFFERS, INTERRUPTED = 0, 1, 130


@dataclass
class Demo:
    """One run: its stack, its processes, and what it shows."""

    stack: Stack
    traffic: parts.Traffic
    display: Display
    children: dict[str, processes.Child] = field(default_factory=dict)

    @property
    def key(self) -> Path:
        """The simulator's own account of this run."""
        return self.stack.home / "data" / "key"

    @property
    def status(self) -> Path:
        """Where the simulator says how far it is."""
        return self.stack.home / "data" / "simulator.json"

    def run(self) -> int:
        """All of it; the exit code. Raises LocalError when a part of it cannot run."""
        self._start_services()
        stores = Stores(self.stack.endpoints)
        try:
            with Heartbeat(self.stack.ports.pubsub), Watch(stores) as watch:
                self._start_parts(stores)
                self._follow(watch)
                self._settle(watch)
            return self._verdict(stores)
        finally:
            stores.close()

    def stop(self) -> None:
        """End everything that was started: who posts first, who stores last."""
        own = [name for name in ("listeners", "ingest", "pipeline") if name in self.children]
        rest = [name for name in self.children if name not in own]
        processes.stop_all(self.stack.run, [*own, *rest], CHILD_DEADLINE)
        for child in self.children.values():
            child.wait()
        self.stack.stop()

    def _start_services(self) -> None:
        if is_busy(self.stack.ports.ingest):
            raise PortBusy(self.stack.ports.ingest, "the ingest function")
        for folder in (self.reference.folder, self.status.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self.stack.start()
        for name, launch in self.reference.commands().items():
            self._spawn(name, launch)
        for name in list(self.children):
            self._finish(name)
        self.display.step("Pub/Sub, Elasticsearch, Redis and BigQuery are ready")

    @property
    def reference(self) -> parts.Reference:
        """The invented customers and tracks, kept between runs."""
        return parts.Reference(self.stack.home / "reference")

    def _start_parts(self, stores: Stores) -> None:
        caller = parts.Caller(self.stack.home / "config")
        caller.write()
        self._spawn("ingest", parts.ingest(self.stack, caller))
        apply_templates(stores.elasticsearch, replicas=0)
        create_tables(stores.bigquery, self.stack.endpoints.dataset)
        self._spawn("reference", parts.load_reference(self.stack, self.reference))
        self._spawn("pipeline", parts.pipeline(self.stack, LEDGER_S))
        self._finish("reference")
        self.display.step("customers and tracks are loaded, index templates and tables are there")
        self._await("ingest", lambda: parts.ingest_ready(self.stack))
        ports = self.stack.ports
        for line in addresses(self.stack.endpoints, ports.ingest, self.stack.home / "logs"):
            self.display.step(line)
        launch = parts.listeners(
            self.stack, caller, self.reference, self.traffic, self.key, self.status
        )
        self._spawn("listeners", launch)

    def _follow(self, watch: Watch) -> None:
        """Show what happens until the listeners have ended, which they do if they have a length."""
        phase = ""
        while self.children["listeners"].poll() is None:
            posting = read_status(self.status)
            if posting.get("phase", "") != phase:
                phase = posting["phase"]
                self.display.step(f"{phase}: {posting['sent']:,} sent so far")
            self.display.show(phase or "starting", posting, watch.last, watch.before)
            self._check()
            time.sleep(0.5)
        if self.children["listeners"].returncode:
            raise self._ended("listeners")

    def _settle(self, watch: Watch) -> None:
        """Wait until all that was sent has arrived, or nothing more comes."""
        summary = reconcile.read_summary(self.key)
        began = time.monotonic()
        while time.monotonic() - began < SETTLE_S:
            quiet = watch.quiet_s()
            if quiet > (1.5 * LEDGER_S if reconcile.has_arrived(summary, watch.last) else QUIET_S):
                break
            posting = read_status(self.status)
            self.display.show("settling", posting, watch.last, watch.before)
            self._check()
            time.sleep(0.5)
        self.display.settle()

    def _verdict(self, stores: Stores) -> int:
        lines = reconcile.reconcile(self.key, stores)
        self.display.console.print(reconcile.as_table(lines))
        conserved = reconcile.is_conserved(lines)
        if not conserved:
            self.display.step("[red]received is not accepted + duplicate + rejected")
        if conserved and all(line.fits for line in lines):
            self.display.step("[green]nothing is missing, nothing is too many")
            return FITS
        return DIFFERS

    def _spawn(self, name: str, launch: Launch) -> None:
        self.children[name] = parts.spawn(self.stack, name, launch)

    def _finish(self, name: str) -> None:
        """Wait for a step that ends by itself."""
        if self.children[name].wait():
            raise self._ended(name)
        del self.children[name]

    def _await(self, name: str, ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_S
        while not ready():
            self._check()
            if time.monotonic() > deadline:
                raise ServiceFailed(f"{name} did not answer; its log is {self.stack.log(name)}.")
            time.sleep(0.1)

    def _check(self) -> None:
        """Raise ServiceFailed when something that should run has ended."""
        for name in ("ingest", "pipeline"):
            if name in self.children and self.children[name].poll() is not None:
                raise self._ended(name)
        self.stack.check()

    def _ended(self, name: str) -> ServiceFailed:
        code, log = self.children[name].returncode, self.stack.log(name)
        return ServiceFailed(f"{name} ended (exit {code}): {last_error(log)} Its log is {log}.")


def run(home: Path, ports: Ports, traffic: parts.Traffic) -> int:
    """Run a demo to its end, or until Ctrl-C, SIGTERM or a closed terminal; the exit code.

    Whatever happens, everything that was started is stopped before this returns.
    """
    stack = Stack(home, ports)
    stack.hold()
    demo = Demo(stack, traffic, Display())
    try:
        with _interruptible():
            stack.wipe()
            processes.record_of(RECORD, os.getpid()).write(stack.run)
            return demo.run()
    except KeyboardInterrupt:
        return FITS if traffic.live_s is None else INTERRUPTED
    finally:
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)
        demo.display.settle()
        _stop(demo)
        stack.release()


def _stop(demo: Demo) -> None:
    run = demo.stack.run
    processes.record_file(run, RECORD).unlink(missing_ok=True)
    if processes.read_records(run):
        demo.display.step("stopping …")
        demo.stop()
        demo.display.step("everything is stopped")


@contextmanager
def _interruptible() -> Iterator[None]:
    """Every signal that asks us to stop is a KeyboardInterrupt."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in STOPPING:
        signal.signal(number, interrupt)
    yield
