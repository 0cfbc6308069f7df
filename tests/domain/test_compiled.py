"""Compiled loops ask for no bounds; here they do. What is kept of them is never out of date."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ("domain/test_lines.py", "domain/test_times.py", "domain/test_windows.py",
         "edges/test_documents.py")  # fmt: skip
BEYOND = """
import numpy as np
from beam_pipeline.domain.times import _parse
_parse(np.full(8, 50, np.uint8), np.zeros(1, int), np.zeros(1, np.uint8), np.zeros(1, bool))
"""


@pytest.fixture
def checked(tmp_path: Path) -> dict[str, str]:
    """The environment of a process whose loops check every index."""
    return {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}


def test_no_loop_reaches_beyond_its_arrays(checked: dict[str, str]) -> None:
    beyond = subprocess.run([sys.executable, "-c", BEYOND], cwd=ROOT, env=checked,
                            capture_output=True, text=True, check=False)  # fmt: skip
    assert "IndexError: index is out of bounds" in beyond.stderr
    files = [str(Path("tests") / file) for file in TESTS]
    done = subprocess.run([sys.executable, "-m", "pytest", "-x", *files], cwd=ROOT, env=checked,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_no_loop_uses_what_another_file_may_change() -> None:
    """For a compiled loop is kept until its own file changes."""
    files = [path for path in (ROOT / "beam_pipeline").rglob("*.py") if _loops(_tree(path))]
    found = {path.name: used for path in files if (used := _from_elsewhere(_tree(path)))}
    assert len(files) > 5
    assert found == {}


@pytest.mark.parametrize(
    "constant",
    ["from beam_pipeline.domain.windows import N",
     "from beam_pipeline.domain import windows\nN = 2 * windows.N"],
)  # fmt: skip
def test_a_loop_that_does_is_found(constant: str) -> None:
    loop = "@compiled(INT, INT)\ndef add(n):\n    return n + N\n"
    assert _from_elsewhere(ast.parse(f"{constant}\n{loop}")) == {"add": {"N"}}


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _names(nodes: Iterable[ast.AST]) -> set[str]:
    return {each.id for node in nodes for each in ast.walk(node) if isinstance(each, ast.Name)}


def _loops(module: ast.Module) -> list[ast.FunctionDef]:
    functions = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    return [one for one in functions if _names(one.decorator_list) & {"compiled", "step"}]


def _from_elsewhere(module: ast.Module) -> dict[str, set[str]]:
    """What the loops of a file use that comes, or is worked out, from other files of ours."""
    ours = {
        alias.asname or alias.name
        for node in module.body
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("beam_pipeline")
        for alias in node.names
    }
    for node in module.body:
        if isinstance(node, ast.Assign) and _names([node.value]) & ours:
            ours |= _names(node.targets)
    used = {loop.name: _names(loop.body) & ours for loop in _loops(module)}
    return {name: names for name, names in used.items() if names}
