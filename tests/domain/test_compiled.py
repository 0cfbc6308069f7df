"""Compiled loops ask for no bounds; here they do."""

from __future__ import annotations

import os
import subprocess
import sys
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
