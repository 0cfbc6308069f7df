"""The demo, whole: from nothing to reconciled stores, and from a signal to nothing left."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from infra.local import processes
from infra.local.paths import ROOT
from infra.local.stack import Ports, is_busy

PATIENCE_S = 600


@contextmanager
def demo(home: Path, ports: Ports, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A demo as `make demo` starts it, little played, on free ports; ended whatever happens."""
    flags = [f"--port={name}={number}" for name, number in asdict(ports).items()]
    command = [sys.executable, "-m", "infra.local", "demo", "--home", str(home)]
    little = ["--rate", "5", "--backlog", "5"]
    process = subprocess.Popen(
        [*command, *little, *flags, *words],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=None,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)
        processes.stop_all(home / "run")


@pytest.fixture(scope="module")
def fortnights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where these demos keep the fortnight that they learn from."""
    return tmp_path_factory.mktemp("learning")


@pytest.fixture
def home(tmp_path: Path, fortnights: Path) -> Path:
    """A demo's home, with nothing in it but perhaps a fortnight."""
    (tmp_path / "learning").symlink_to(fortnights)
    return tmp_path


def assert_nothing_is_left(home: Path, ports: Ports) -> None:
    assert processes.read_records(home / "run") == []
    assert [port for port in asdict(ports).values() if is_busy(port)] == []


@pytest.mark.slow
def test_a_demo_with_a_length_finds_everything_it_sent_and_leaves_nothing_running(
    home: Path,
) -> None:
    ports = Ports.free()
    with demo(home, ports, "--for", "5") as process:
        shown, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, shown
    assert "nothing is missing, nothing is too many" in shown
    assert "differs" not in shown
    assert "gate passed; it is live" in shown
    assert_nothing_is_left(home, ports)


@pytest.mark.slow
def test_a_demo_that_is_asked_to_stop_stops_all_of_it(home: Path) -> None:
    ports = Ports.free()
    with demo(home, ports) as process:
        assert process.stdout is not None
        started = next(line for line in process.stdout if "sent so far" in line)
        assert started
        names = {record.name for record in processes.read_records(home / "run")}
        doors = {"ingest", "offer", "sms", "board", "carrier"}
        assert {"demo", "pubsub", "pipeline", "listeners", *doors} <= names
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    assert_nothing_is_left(home, ports)


@pytest.mark.slow
def test_a_demo_whose_pipeline_dies_says_so_and_stops_the_rest(home: Path) -> None:
    ports = Ports.free()
    with demo(home, ports) as process:
        record = wait_for(home / "run" / "pipeline.json", process)
        os.kill(record.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert_nothing_is_left(home, ports)


def wait_for(file: Path, demo: subprocess.Popen[str]) -> processes.Record:
    deadline = time.monotonic() + PATIENCE_S
    while (record := processes.read_record(file)) is None:
        assert time.monotonic() < deadline
        assert demo.poll() is None
        time.sleep(0.1)
    return record
