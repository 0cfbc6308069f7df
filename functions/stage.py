"""Puts one function and every module of ours that it imports into a folder, ready to deploy.

    python -m functions.stage ingest DIR

DIR gets main.py, requirements.txt and, under their own names, the modules of functions/ and
beam_pipeline/ that main.py needs, found by reading its imports and theirs.
"""

from __future__ import annotations

import argparse
import ast
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OURS = ("functions", "beam_pipeline")


class StageError(Exception):
    """A function that cannot be staged; the text says why, for people."""


def stage(name: str, target: Path) -> list[str]:
    """Fill `target`, an empty or missing folder, and return the paths put there, sorted.

    Raises:
        StageError: for an unknown function, a folder with something in it, or an import of
            a module of ours that is not there.
    """
    home = ROOT / "functions" / name
    if not (home / "main.py").is_file() or not (home / "requirements.txt").is_file():
        raise StageError(f"functions/{name} has no main.py and requirements.txt")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise StageError(f"{target} is not an empty folder")
    wanted = {
        Path("main.py"): home / "main.py",
        Path("requirements.txt"): home / "requirements.txt",
    }
    for module in _needed(f"functions.{name}.main"):
        wanted[module.relative_to(ROOT)] = module
    for file in home.rglob("*"):
        if file.is_file() and file.suffix not in (".py", ".pyc") and file.parent != home:
            wanted[file.relative_to(ROOT)] = file
    for relative, source in wanted.items():
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target / relative)
    return sorted(str(relative) for relative in wanted)


def _needed(module: str) -> set[Path]:
    """The files of a module of ours, of its packages, and of all that they import."""
    found: set[Path] = set()
    queue = [module]
    while queue:
        for file in _files(queue.pop()):
            if file not in found:
                found.add(file)
                queue += _imports(file)
    return found


def _files(module: str) -> Iterator[Path]:
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        path = ROOT.joinpath(*parts[:length])
        if path.with_suffix(".py").is_file():
            yield path.with_suffix(".py")
        elif (path / "__init__.py").is_file():
            yield path / "__init__.py"
        elif length < len(parts):
            raise StageError(f"there is no module {'.'.join(parts[:length])}")


def _imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] in OURS)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m functions.stage",
        description="Put one function and the modules that it imports into a folder to deploy.",
    )
    parser.add_argument("name", help="which function: ingest, offer, sms, board")
    parser.add_argument("folder", type=Path, help="an empty folder, or one to be made")
    chosen = parser.parse_args(arguments)
    try:
        paths = stage(chosen.name, chosen.folder)
    except (StageError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write("".join(f"{path}\n" for path in paths))
    return 0


if __name__ == "__main__":
    sys.exit(main())
