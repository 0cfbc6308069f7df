"""Only what was recorded, and is still that very process, is ever ended."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from infra.local import processes
from infra.local.__main__ import main
from infra.local.processes import Record

SLEEP = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(600)"]
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
STUBBORN = [*SLEEP[:2], DEAF + SLEEP[2]]


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process that is none of ours."""
    with subprocess.Popen(SLEEP, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_a_recorded_process_is_stopped_and_its_record_removed(tmp_path: Path) -> None:
    child = processes.spawn("sleep", SLEEP, tmp_path / "run", tmp_path / "sleep.log")
    assert [record.pid for record in processes.read_records(tmp_path / "run")] == [child.pid]
    assert processes.stop_all(tmp_path / "run") == ["sleep"]
    assert processes.start_time(child.pid) is None
    assert processes.read_records(tmp_path / "run") == []


def test_a_process_that_ignores_the_polite_signal_is_killed_after_the_deadline(
    tmp_path: Path,
) -> None:
    log = tmp_path / "stubborn.log"
    child = processes.spawn("stubborn", STUBBORN, tmp_path, log)
    while "up" not in log.read_text():
        assert child.poll() is None
    [record] = processes.read_records(tmp_path)
    assert processes.stop(record, deadline=timedelta(seconds=0.2))
    assert processes.start_time(child.pid) is None


@pytest.mark.parametrize("change", [{"started": 1}, {"boot": "another boot"}])
def test_a_reused_process_id_is_left_alone(
    tmp_path: Path, bystander: subprocess.Popen[bytes], change: dict[str, object]
) -> None:
    record = replace(processes.record_of("gone", bystander.pid), **change)  # type: ignore[arg-type]
    record.write(tmp_path)
    assert processes.stop_all(tmp_path) == []
    assert bystander.poll() is None
    assert processes.read_records(tmp_path) == []


def test_a_record_cut_short_by_a_crash_is_no_record(tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text('{"name": "half", "pid":')
    assert processes.read_records(tmp_path) == []


def test_records_come_in_the_order_of_starting(tmp_path: Path) -> None:
    for name, started in (("b", 3), ("a", 5), ("c", 1)):
        Record(name, 1, started, "boot").write(tmp_path)
    assert [record.name for record in processes.read_records(tmp_path)] == ["c", "b", "a"]


def test_down_stops_only_what_its_folder_records(
    tmp_path: Path, bystander: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    ours = processes.spawn("ours", SLEEP, tmp_path / "one" / "run", tmp_path / "ours.log")
    other = processes.spawn("other", SLEEP, tmp_path / "two" / "run", tmp_path / "other.log")
    assert main(["down", "--home", str(tmp_path / "one")]) == 0
    assert capsys.readouterr().out == "Stopped: ours\n"
    assert processes.start_time(ours.pid) is None
    assert other.poll() is None
    assert bystander.poll() is None
    processes.stop_all(tmp_path / "two" / "run")


def test_down_with_nothing_to_stop_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["down", "--home", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "Nothing was running.\n"


def test_the_start_time_of_a_process_is_its_own(bystander: subprocess.Popen[bytes]) -> None:
    began = processes.start_time(bystander.pid)
    assert began is not None
    assert processes.start_time(1) != began
