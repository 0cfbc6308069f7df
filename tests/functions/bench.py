"""How fast the doors are on this machine: `python -m tests.functions.bench`."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import redis

from functions.shared.publish import Message, PubSub
from infra.local.stack import Ports, Stack
from tests.functions.conftest import ingest_environ, offer_environ
from tests.functions.events import now, play
from tests.functions.inbox import Inbox
from tests.functions.load import Build, Measured, load
from tests.functions.process import ROOT, running

EVENTS = 200
CALLERS = 4
INSTANT = ROOT / "tests" / "functions" / "instant" / "main.py"
CUSTOMERS = 10_000


def plays(events: int) -> Build:
    """Requests of so many plays each."""
    lines = [json.dumps(play(), separators=(",", ":")) for _ in range(events)]
    body = "\n".join(lines).encode()
    return lambda number: ("POST", "/v1/plays", body)


def emulator_alone(inbox: Inbox, seconds: float) -> float:
    """Events a second that Pub/Sub's emulator takes of such messages, with no door before it."""
    publisher = PubSub(inbox.project, inbox.topic, inbox.address, 10.0)
    message = Message(plays(EVENTS)(0)[2], {"kind": "play", "schema": "1"})
    ends = time.monotonic() + seconds

    def publish(_: int) -> int:
        count = 0
        while time.monotonic() < ends:
            publisher.publish([message])
            count += 1
        return count

    with ThreadPoolExecutor(CALLERS) as pool:
        return sum(pool.map(publish, range(CALLERS))) * EVENTS / seconds


def logins(number: int) -> tuple[str, str, bytes]:
    """Requests for one customer after the other, every second of whom has an offer."""
    return "GET", f"/v1/offers/{number * 7919 % CUSTOMERS}", b""


def ingest(stack: Stack, folder: Path, seconds: float) -> None:
    """Validation alone, then with Pub/Sub, then with Pub/Sub at half of that."""
    inbox = Inbox.new(stack)
    environ = ingest_environ(stack, inbox) | {"ENCORE_RATE_EVENTS": "0"}
    build = plays(EVENTS)
    for workers in (1, 2):
        more = environ | {"WORKERS": str(workers)}
        with running("ingest", more, folder, source=INSTANT) as door:
            load(door.url, build, callers=CALLERS, seconds=1)
            told = load(door.url, build, callers=CALLERS, seconds=seconds)
            report(f"ingest, instant publisher, {workers} worker(s)", told, EVENTS)
    alone = emulator_alone(Inbox.new(stack), seconds)
    print(f"the Pub/Sub emulator alone: {alone:,.0f} events/s", flush=True)
    with running("ingest", environ, folder) as door:
        load(door.url, build, callers=CALLERS, seconds=1)
        full = load(door.url, build, callers=CALLERS, seconds=seconds)
        report("ingest, Pub/Sub emulator", full, EVENTS)
        half = load(door.url, build, callers=CALLERS, seconds=seconds, rate=full.rate / 2)
        report("ingest, Pub/Sub emulator, at half of that", half, EVENTS)


def offer(stack: Stack, folder: Path, seconds: float) -> None:
    """Logins at a steady 300 a second."""
    store = redis.Redis.from_url(stack.redis)
    with store.pipeline() as pipeline:
        for customer in range(0, CUSTOMERS, 2):
            pipeline.set(f"customer:{customer}", '{"level": 0, "status": 1}')
            target = '{"until": 200000000000000, "channel": "screen"}'
            pipeline.hset(f"target:{customer}", "gold-1day", target)
        pipeline.execute()
    with running("offer", offer_environ(stack), folder) as door:
        load(door.url, logins, callers=CALLERS, seconds=1, rate=300)
        told = load(door.url, logins, callers=CALLERS, seconds=seconds, rate=300)
        report("offer, 300 logins a second", told)


def imports() -> None:
    """How long a door's modules take to import, in a process of their own."""
    for name in ("ingest", "offer", "sms"):
        code = (
            "import time; start = time.perf_counter(); import functions_framework;"
            f"import functions.{name}.main; print(time.perf_counter() - start)"
        )
        times = [
            float(
                subprocess.run(
                    [sys.executable, "-c", code],
                    check=True,
                    cwd=ROOT,
                    capture_output=True,
                    text=True,
                ).stdout
            )
            for _ in range(3)
        ]
        print(f"{name}: imports in {min(times):.2f} s")


def report(what: str, told: Measured, events: int = 0) -> None:
    """One line; anything but success is named."""
    bad = {status: count for status, count in told.statuses.items() if status >= 300}
    speed = f"{told.rate * events:,.0f} events/s, " if events else ""
    print(f"{what}: {speed}{told}{f', refused {bad}' if bad else ''}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.functions.bench",
        description="Measure ingest and offer over HTTP, against the real local services.",
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="a figure; default: %(default)s")
    chosen = parser.parse_args(arguments)
    machine = f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(f"{machine}, {now()}", flush=True)
    imports()
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "stack", Ports.free())
        try:
            ingest(stack, Path(folder), chosen.seconds)
            offer(stack, Path(folder), chosen.seconds)
        finally:
            stack.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
