"""Children of ours, known by a record: process id, its start time, and the boot they belong to.

A process id alone is no proof: ids are used again. Only a process whose start time and boot are
the recorded ones is ever signalled, so nothing of anybody else's is ended, whatever happened
since the record was written.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

Child = subprocess.Popen[bytes]
STOP_DEADLINE = timedelta(seconds=60)


@dataclass(frozen=True)
class Record:
    """One started process. `started` is field 22 of /proc/PID/stat, clock ticks since the boot."""

    name: str
    pid: int
    started: int
    boot: str
    ports: tuple[int, ...] = ()

    def is_alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return self.boot == boot_id() and start_time(self.pid) == self.started

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f".{self.name}.json.{os.getpid()}"
        draft.write_text(json.dumps(asdict(self)) + "\n")
        draft.replace(record_file(folder, self.name))


def record_file(folder: Path, name: str) -> Path:
    """Where the record of a process lies below a `run` folder."""
    return folder / f"{name}.json"


def read_record(file: Path) -> Record | None:
    """The record in a file; None when there is none, or it was cut short by a crash."""
    try:
        fields = json.loads(file.read_text())
        return Record(**{**fields, "ports": tuple(fields["ports"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


def read_records(folder: Path) -> list[Record]:
    """All records below a `run` folder, the earliest started first."""
    records = (read_record(file) for file in folder.glob("*.json"))
    return sorted((r for r in records if r is not None), key=lambda record: record.started)


def boot_id() -> str:
    """The kernel's name of this boot: start times compare within one boot only."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def start_time(pid: int) -> int | None:
    """When a process began, in clock ticks since the boot; None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def record_of(name: str, pid: int, ports: Iterable[int] = ()) -> Record:
    """A record of a process that runs now (or has just ended: then it is never alive)."""
    return Record(name, pid, start_time(pid) or -1, boot_id(), tuple(ports))


def spawn(
    name: str,
    command: Sequence[str | Path],
    run: Path,
    log: Path,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    ports: Iterable[int] = (),
) -> Child:
    """Start a process in its own session, its output appended to `log`, its record below `run`.

    Its own session keeps the terminal's Ctrl-C from it: who started it stops it, in order.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        child = subprocess.Popen(
            [str(word) for word in command],
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    record_of(name, child.pid, ports).write(run)
    return child


def stop(record: Record, deadline: timedelta = STOP_DEADLINE) -> bool:
    """End the recorded process: SIGTERM, and SIGKILL to its group after the deadline.

    Returns whether it was running. A process that merely has the same id is left alone, and so
    is the caller itself.
    """
    if record.pid == os.getpid() or not record.is_alive():
        return False
    _signal(record, signal.SIGTERM)
    if not _gone(record, deadline):
        _signal_group(record, signal.SIGKILL)
        _gone(record, STOP_DEADLINE)
    return True


def stop_all(
    folder: Path, names: Iterable[str] | None = None, deadline: timedelta = STOP_DEADLINE
) -> list[str]:
    """Stop what is recorded below a `run` folder and remove its records; return who was running.

    The earliest started goes first: who started the others then ends them in good order.
    `names` stops only these, in the order given.
    """
    records = {record.name: record for record in read_records(folder)}
    stopped = []
    for name in records if names is None else names:
        record = records.get(name)
        if record is None:
            continue
        if stop(record, deadline):
            stopped.append(name)
        record_file(folder, name).unlink(missing_ok=True)
    return stopped


def _gone(record: Record, deadline: timedelta) -> bool:
    end = time.monotonic() + deadline.total_seconds()
    while record.is_alive():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    with suppress(ChildProcessError):
        os.waitpid(record.pid, os.WNOHANG)
    return True


def _signal(record: Record, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(record.pid, number)


def _signal_group(record: Record, number: signal.Signals) -> None:
    """Spawned processes lead their own group, so nobody else is in it."""
    with suppress(ProcessLookupError):
        if os.getpgid(record.pid) == record.pid:
            os.killpg(record.pid, number)
        else:
            os.kill(record.pid, number)
