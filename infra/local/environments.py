"""The virtual environments: `.local/venv` for the project, others for what does not go with it.

Each is made from a lock file and stamped with what it was made from; while the stamp fits,
making it again costs one file read. Standard library only: this runs before anything is installed.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from infra.local import pythons
from infra.local.errors import SetupFailed
from infra.local.paths import BIGQUERY_VENV, LOCAL, ROOT, SPARK_VENV, VENV

UV = "uv==0.13.9"
LOCK = ROOT / "requirements.txt"
BIGQUERY_LOCK = Path(__file__).parent / "bigquery-requirements.txt"
SPARK_LOCK = Path(__file__).parent / "spark-requirements.txt"
STAMP = "made-from.txt"


def say(text: str) -> None:
    """One line about a long step, on standard error."""
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def setup_lock() -> Iterator[None]:
    """Only one process at a time makes environments; a second one waits and finds them made."""
    LOCAL.mkdir(exist_ok=True)
    with (LOCAL / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def project_environment() -> Path:
    """Make `.local/venv` if its lock changed; return its Python. Needs the network when it does."""
    python = VENV / "bin" / "python"
    stamp = _stamp(LOCK, UV)
    if _fits(VENV, stamp):
        return python
    with setup_lock():
        if not _fits(VENV, stamp):
            found = pythons.project_python()
            say(f"Making the project's environment with {found.path} (some minutes, once) …")
            _make(VENV, found)
            _run([python, "-m", "pip", "install", "--quiet", UV], VENV)
            _uv(python, LOCK, VENV)
            _write_stamp(VENV, stamp)
    return python


def bigquery_environment(uv: Path) -> Path:
    """Make the BigQuery emulator's environment if its lock changed; return its program.

    `uv` is the Python whose `uv` installs. The DuckDB extensions go where DuckDB looks for them
    (`bigquery_home`): without them the emulator tries to download and hangs.
    """
    program = BIGQUERY_VENV / "bin" / "local-bigquery"
    stamp = _stamp(BIGQUERY_LOCK, UV)
    if _fits(BIGQUERY_VENV, stamp):
        return program
    with setup_lock():
        if not _fits(BIGQUERY_VENV, stamp):
            found = pythons.bigquery_python()
            say(f"Making the BigQuery emulator's environment with {found.path} …")
            _make(BIGQUERY_VENV, found)
            _uv(uv, BIGQUERY_LOCK, BIGQUERY_VENV)
            _copy_extensions()
            _write_stamp(BIGQUERY_VENV, stamp)
    return program


def spark_environment(uv: Path) -> Path:
    """Make Spark's environment if its lock changed; return its Python. `uv` as above."""
    python = SPARK_VENV / "bin" / "python"
    stamp = _stamp(SPARK_LOCK, UV)
    if _fits(SPARK_VENV, stamp):
        return python
    with setup_lock():
        if not _fits(SPARK_VENV, stamp):
            found = pythons.project_python()
            say(f"Making Spark's environment with {found.path} (half a gigabyte, once) …")
            _make(SPARK_VENV, found)
            _uv(uv, SPARK_LOCK, SPARK_VENV)
            _write_stamp(SPARK_VENV, stamp)
    return python


def bigquery_home() -> Path:
    """The folder that is HOME for the BigQuery emulator, with DuckDB's extensions below it."""
    return BIGQUERY_VENV / "home"


def _copy_extensions() -> None:
    packages = next(BIGQUERY_VENV.glob("lib/python3.*/site-packages"))
    extensions = list(packages.glob("duckdb_extension_*/extensions/v*/*.duckdb_extension"))
    if len(extensions) != 3:
        raise SetupFailed(
            f"DuckDB's three extensions (icu, ducklake, spatial) are not all below {packages}:"
            " remove .local/bigquery-venv and set up again."
        )
    for extension in extensions:
        version = extension.parent.name
        target = bigquery_home() / ".duckdb" / "extensions" / version / "linux_amd64"
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(extension, target)


def _uv(python: Path, lock: Path, venv: Path) -> None:
    """Install exactly what a lock names. Compiled at once: every start after it is far quicker."""
    sync = ("-m", "uv", "pip", "sync", "--quiet", "--compile-bytecode")
    _run([python, *sync, "--python", venv / "bin" / "python", lock], venv)


def _make(venv: Path, interpreter: pythons.Interpreter) -> None:
    shutil.rmtree(venv, ignore_errors=True)
    _run([interpreter.path, "-m", "venv", venv], venv)


def _run(command: Sequence[str | Path], venv: Path) -> None:
    """Run one set-up step; its whole output goes to `.local/setup.log`."""
    log = LOCAL / "setup.log"
    words = [str(word) for word in command]
    with log.open("a") as out:
        out.write(f"$ {' '.join(words)}\n")
        out.flush()
        env = {"UV_SYSTEM_CERTS": "true"} | os.environ
        env |= {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "UV_PYTHON_DOWNLOADS": "never"}
        env.pop("VIRTUAL_ENV", None)
        done = subprocess.run(words, env=env, stdout=out, stderr=out, cwd=ROOT, check=False)
    if done.returncode != 0:
        raise SetupFailed(
            f"Setting up {venv.relative_to(ROOT)} failed (exit {done.returncode}):"
            f" {last_error(log)} The whole output is in {log}."
        )


def last_error(log: Path) -> str:
    """The last line that speaks of an error, else the last one with something in it."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if "error" in line.lower()]
    return (errors or said or ["no output."])[-1]


def _stamp(lock: Path, *more: str) -> str:
    return hashlib.sha256(lock.read_bytes() + "\n".join(more).encode()).hexdigest()


def _fits(venv: Path, stamp: str) -> bool:
    made = venv / STAMP
    return made.is_file() and made.read_text().strip() == stamp


def _write_stamp(venv: Path, stamp: str) -> None:
    (venv / STAMP).write_text(stamp + "\n")
