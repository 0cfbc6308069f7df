"""The whole system on one machine, stage by stage: what a demo and a proof have in common.

Services, reference data, functions, pipeline; then listeners, whose account of what they sent
says when the stores have settled.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from beam_pipeline.edges.elasticsearch import apply_templates
from beam_pipeline.edges.tables import create_tables
from infra.local import doors, parts, reconcile
from infra.local.crew import Crew
from infra.local.display import Display
from infra.local.errors import PortBusy
from infra.local.snapshots import Watch, read_status
from infra.local.stack import Stack, is_busy
from infra.local.stores import Stores

QUIET_S = 45.0
"""When nothing was added to any store for so long, nothing more will come."""
LASTING = ("learning", *doors.NAMES, "pipeline")
ENDING = ("listeners", *LASTING)
"""Who posts ends first, who stores last."""


@dataclass(frozen=True)
class System:
    """One system and who shows it; `ledger_s` is how often changed counts go to BigQuery."""

    crew: Crew
    display: Display
    reference: parts.Reference
    ledger_s: float
    simulated_time: bool = False
    all_doors: bool = False
    """Every function and a carrier, rather than ingest alone."""
    models: Path | None = None
    """The models by which customers are chosen for offers; without, nobody is chosen."""
    notice: Callable[[], None] = lambda: None
    """Called again and again while the system is waited for."""

    @property
    def stack(self) -> Stack:
        """Its services."""
        return self.crew.stack

    @property
    def key(self) -> Path:
        """The listeners' own account of this run."""
        return self.stack.home / "data" / "key"

    @property
    def status(self) -> Path:
        """Where the listeners say how far they are."""
        return self.stack.home / "data" / "simulator.json"

    def start_services(self) -> None:
        """Start the services, and make the reference data that is not there yet."""
        for door in self._doors(self._caller()):
            if is_busy(door.port):
                raise PortBusy(door.port, door.name)
        for folder in (self.reference.folder, self.status.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self.stack.start()
        made = self.reference.commands()
        for name, launch in made.items():
            self.crew.spawn(name, launch)
        self.crew.finish(*made)
        self.display.step("Pub/Sub, Elasticsearch, Redis and BigQuery are ready")

    def start_parts(self, stores: Stores) -> doors.Caller:
        """Start functions and pipeline, load the reference data; gives who may call."""
        caller = self._caller()
        caller.write()
        if self.all_doors:
            self.crew.spawn("page", doors.build_board())
            self.crew.finish("page")
        for door in self._doors(caller):
            self.crew.spawn(door.name, door.launch)
        apply_templates(stores.elasticsearch, replicas=0)
        create_tables(stores.bigquery, self.stack.endpoints.dataset)
        self.crew.spawn("reference", parts.load_reference(self.stack, self.reference))
        self.crew.spawn("pipeline", parts.pipeline(self.stack, self.ledger_s, self.models))
        self.crew.finish("reference")
        self.display.step("customers and tracks are loaded, index templates and tables are there")
        for door in self._doors(caller):
            self.crew.wait_for(door.name, door.ready, LASTING)
        return caller

    def _caller(self) -> doors.Caller:
        return doors.Caller(self.stack.home / "config")

    def _doors(self, caller: doors.Caller) -> list[doors.Part]:
        if self.all_doors:
            return doors.every(self.stack, caller)
        return [doors.ingest(self.stack, caller, self.simulated_time)]

    def follow(self, watch: Watch) -> None:
        """Show what happens until the listeners have ended, which they do if they have a length."""
        phase = ""
        while self.crew.is_running("listeners"):
            posting = read_status(self.status)
            if posting.get("phase", "").partition(" ")[0] != phase.partition(" ")[0]:
                self.display.step(f"{posting['phase']}: {posting['sent']:,} sent so far")
            phase = posting.get("phase", phase)
            self.display.show(phase or "starting", posting, watch.last, watch.before)
            self.notice()
            self.crew.check(LASTING)
            time.sleep(0.5)

    def settle(self, watch: Watch, summary: Mapping[str, Any], longest_s: float) -> None:
        """Wait until all that was sent has arrived, or nothing more comes."""
        began = time.monotonic()
        while time.monotonic() - began < longest_s:
            arrived = reconcile.has_arrived(summary, watch.last)
            enough = 1.5 * self.ledger_s if arrived else QUIET_S
            if watch.quiet_s() > enough and watch.last.at > began:
                break
            posting = {**read_status(self.status), "events_per_s": 0.0}
            self.display.show("settling", posting, watch.last, watch.before)
            self.notice()
            self.crew.check(LASTING)
            time.sleep(0.5)
        self.display.settle()
