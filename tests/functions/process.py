"""A function as a process of its own, and callers that sign like a server would."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from infra.local.stack import Ports

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"key-one": "a secret of the first key", "key-two": "a secret of the second key"}
START_S = 30.0
STOP_S = 30.0

_ticks = itertools.count(1)


def signature(secret: str, timestamp: str, payload: bytes) -> str:
    """HMAC-SHA256 as the description of the doors has it, worked out again."""
    return hmac.new(
        secret.encode(), timestamp.encode() + b"." + payload, hashlib.sha256
    ).hexdigest()


def signed(payload: bytes, key: str = "key-one", at: float | None = None) -> dict[str, str]:
    """The three headers; the timestamp of each call is one of its own."""
    moment = time.time() if at is None else at
    timestamp = f"{int(moment)}.{next(_ticks):06d}"
    return {
        "Encore-Key-Id": key,
        "Encore-Timestamp": timestamp,
        "Encore-Signature": signature(KEYS[key], timestamp, payload),
    }


@dataclass
class Function:
    """A running function: where it listens, what it writes, and its process."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path
    client: httpx.Client = field(
        default_factory=lambda: httpx.Client(timeout=30, limits=httpx.Limits(keepalive_expiry=1))
    )
    """Lets a connection go before gunicorn does, after two idle seconds."""

    def post(
        self,
        path: str,
        body: bytes,
        content_type: str = "application/x-ndjson",
        headers: Mapping[str, str] | None = None,
        sign: bool = True,
    ) -> httpx.Response:
        """POST a body, signed unless told otherwise; `headers` replace what would be sent."""
        every = {"Content-Type": content_type} | (signed(body) if sign else {})
        return self.client.post(self.url + path, content=body, headers=every | dict(headers or {}))

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """GET a path, unsigned unless `headers` sign it."""
        return self.client.get(self.url + path, headers=dict(headers or {}))

    def get_signed(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """GET a path, signed."""
        return self.get(path, signed(b"GET " + path.encode()) | dict(headers or {}))

    def end(self, how: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the process to go; its exit status."""
        self.process.send_signal(how)
        return self.process.wait(STOP_S)


@contextmanager
def running(
    name: str, environ: Mapping[str, str], folder: Path, source: Path | None = None
) -> Iterator[Function]:
    """A function of functions/NAME/main.py with just these settings, until the block ends."""
    port = Ports.free().ingest
    log = folder / f"{name}-{port}.log"
    clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "functions_framework", "--host", "127.0.0.1"),
                *("--source", str(source or ROOT / "functions" / name / "main.py")),
                *("--target", name, "--port", str(port)),
            ],
            env=clean | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | dict(environ),
            cwd=folder,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    function = Function(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait_for(function)
        yield function
    finally:
        function.client.close()
        if process.poll() is None:
            process.kill()
        process.wait()


def _wait_for(function: Function) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert function.process.poll() is None, function.log.read_text()
        try:
            function.get("/healthz")
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"no answer within {START_S} s: {function.log.read_text()}")


def eventually(look: Any, deadline_s: float = 15.0) -> Any:
    """What `look` gives as soon as it is truthy; fails after the deadline."""
    deadline = time.monotonic() + deadline_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"nothing within {deadline_s} s")
