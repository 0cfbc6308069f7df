"""Find Python interpreters by running them.

A name on PATH proves nothing: a pyenv shim exists for versions that are not selected and then
only prints an error, and a distribution's Python may lack `ensurepip`. So each candidate is asked.
"""

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import MissingPrerequisite

Version = tuple[int, int]

PROJECT_VERSIONS: tuple[Version, ...] = ((3, 12), (3, 13), (3, 11))
BIGQUERY_VERSIONS: tuple[Version, ...] = ((3, 13), (3, 14))

_ASK = "import sys, venv, ensurepip; print(*sys.version_info[:2], sys.executable)"


@dataclass(frozen=True)
class Interpreter:
    """A Python that ran, and can make virtual environments."""

    path: Path
    version: Version


def find(wanted: Sequence[Version], environ: Mapping[str, str] | None = None) -> Interpreter | None:
    """The first working interpreter, versions in the order given; None if there is none.

    Looks on PATH (`python3.12`, then `python3`, then `python`) and below every pyenv root that
    can be told from PYENV_ROOT, from a `shims` folder on PATH, or from the home folder.
    """
    env = os.environ if environ is None else environ
    for version in wanted:
        for candidate in _candidates(version, env):
            found = _ask(candidate, env)
            if found is not None and found.version == version:
                return found
    return None


def project_python(environ: Mapping[str, str] | None = None) -> Interpreter:
    """A Python for the project's own environment; MissingPrerequisite says what to install."""
    found = find(PROJECT_VERSIONS, environ)
    if found is None:
        raise MissingPrerequisite(
            "No usable Python 3.12, 3.13 or 3.11 was found: install one with its venv module"
            " (on Debian and Ubuntu: apt-get install python3 python3-venv; or: pyenv install 3.12)."
        )
    return found


def bigquery_python(environ: Mapping[str, str] | None = None) -> Interpreter:
    """A Python for the BigQuery emulator; MissingPrerequisite says what to install."""
    found = find(BIGQUERY_VERSIONS, environ)
    if found is None:
        raise MissingPrerequisite(
            "The BigQuery emulator needs Python 3.13 or 3.14 and none was found on PATH or among"
            " pyenv's versions: install one (for example: pyenv install 3.13)."
        )
    return found


def _candidates(version: Version, env: Mapping[str, str]) -> Iterator[Path]:
    folders = [Path(folder) for folder in env.get("PATH", "").split(os.pathsep) if folder]
    name = f"python{version[0]}.{version[1]}"
    for folder in folders:
        yield folder / name
    for root in _pyenv_roots(folders, env):
        pattern = f"versions/{version[0]}.{version[1]}*/bin/{name}"
        yield from sorted(root.glob(pattern), reverse=True)
    for folder in folders:
        yield folder / "python3"
        yield folder / "python"


def _pyenv_roots(folders: Sequence[Path], env: Mapping[str, str]) -> list[Path]:
    roots = [Path(env["PYENV_ROOT"])] if env.get("PYENV_ROOT") else []
    roots += [folder.parent for folder in folders if folder.name == "shims"]
    if env.get("HOME"):
        roots.append(Path(env["HOME"]) / ".pyenv")
    return list(dict.fromkeys(roots))


def _ask(candidate: Path, env: Mapping[str, str]) -> Interpreter | None:
    """Run it and let it say what it is; None if it does not run or cannot make environments."""
    if not os.access(candidate, os.X_OK) or candidate.is_dir():
        return None
    try:
        answer = subprocess.run(
            [candidate, "-c", _ASK],
            env=dict(env),
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = answer.stdout.split(maxsplit=2)
    if answer.returncode != 0 or len(words) != 3:
        return None
    return Interpreter(Path(words[2].strip()), (int(words[0]), int(words[1])))
