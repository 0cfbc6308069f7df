"""The function as it is deployed: staged into a folder, started by the functions framework."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from functions.board.build import build
from functions.stage import stage
from infra.local.stack import Ports, Stack

DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build()
    target = tmp_path_factory.mktemp("staged") / "board"
    stage("board", target)
    return target


@contextmanager
def running(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """The address of the staged function, which knows nothing of this checkout."""
    port = Ports.free().ingest
    command = [sys.executable, "-m", "functions_framework", "--source", str(folder / "main.py"),
               "--target", "board", "--host", "127.0.0.1", "--port", str(port)]  # fmt: skip
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(folder), **environment}
    process = subprocess.Popen(command, cwd=folder, env=clean, stdout=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def answered(url: str) -> httpx.Response:
    """The first answer, however long the start takes."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            return httpx.get(url, timeout=30)
        except httpx.TransportError:
            assert time.monotonic() < deadline, "the function did not start"
            time.sleep(0.1)


def test_the_staged_function_serves_the_page_its_files_and_data(folder: Path, stack: Stack) -> None:
    environment = {"ELASTICSEARCH_URL": stack.elasticsearch, "REDIS_URL": stack.redis}
    with running(folder, environment) as url:
        assert answered(f"{url}/healthz").json() == {"status": "ok"}
        page = httpx.get(f"{url}/?lang=ko", timeout=30)
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        version = page.text.split("assets/")[1].split("/")[0]
        for name in ("board.js", "board.css", "vega.js", "us-states.json", "icon.svg"):
            assert httpx.get(f"{url}/assets/{version}/{name}", timeout=30).status_code == 200
        data = httpx.get(f"{url}/data", timeout=30)
        assert data.status_code == 200
        assert "usage" in data.json()["charts"]


def test_without_its_settings_the_function_stays_shut(folder: Path) -> None:
    with running(folder, {}) as url:
        answer = answered(f"{url}/healthz")
    assert answer.status_code == 503
    assert answer.json()["error"] == "not_configured"
