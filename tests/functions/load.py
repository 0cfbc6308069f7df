"""Callers that sign and send as fast as they are answered, or at a steady rate.

A caller is a process with one connection kept alive and no HTTP library, so that on a small
machine as much as possible is left to the door that is being measured.
"""

from __future__ import annotations

import multiprocessing
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.functions.process import KEYS, signature

Build = Callable[[int], tuple[str, str, bytes]]
"""From the number of a request to its method, its path, and its body."""


@dataclass(frozen=True)
class Measured:
    """What a number of callers have seen."""

    seconds: float
    statuses: Counter[int]
    latencies_s: list[float]
    """Sorted."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.latencies_s) / self.seconds

    def percentile_ms(self, share: float) -> float:
        """The latency that `share` of the requests do not exceed."""
        place = min(int(len(self.latencies_s) * share), len(self.latencies_s) - 1)
        return self.latencies_s[place] * 1000

    def __str__(self) -> str:
        half, most = self.percentile_ms(0.5), self.percentile_ms(0.99)
        return f"{self.rate:,.0f} requests/s, p50 {half:.1f} ms, p99 {most:.1f} ms"


def load(
    url: str, build: Build, *, callers: int, seconds: float, rate: float | None = None
) -> Measured:
    """Let callers send for some seconds; `rate` is of all of them together."""
    context = multiprocessing.get_context("fork")
    queue: Any = context.Queue()
    pace = None if rate is None else callers / rate
    start = time.monotonic() + 0.2
    processes = [
        context.Process(target=_call, args=(url, build, number, start, seconds, pace, queue))
        for number in range(callers)
    ]
    for process in processes:
        process.start()
    found = [queue.get() for _ in processes]
    for process in processes:
        process.join()
    statuses: Counter[int] = Counter()
    for counted, _ in found:
        statuses.update(counted)
    latencies = sorted(latency for _, each in found for latency in each)
    return Measured(seconds, statuses, latencies)


def _call(
    url: str,
    build: Build,
    number: int,
    start: float,
    seconds: float,
    pace: float | None,
    queue: Any,
) -> None:
    host, _, port = url.removeprefix("http://").rpartition(":")
    connection = socket.create_connection((host, int(port)))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    answers = connection.makefile("rb")
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    turn, due = 0, start
    time.sleep(max(0.0, start - time.monotonic()))
    while time.monotonic() < start + seconds:
        if pace is not None:
            due += pace
            time.sleep(max(0.0, due - time.monotonic()))
        request = _request(*build(number * 1_000_000 + turn), number, turn)
        turn += 1
        began = time.perf_counter()
        connection.sendall(request)
        statuses[_answer(answers)] += 1
        latencies.append(time.perf_counter() - began)
    queue.put((statuses, latencies))


def _request(method: str, path: str, body: bytes, number: int, turn: int) -> bytes:
    timestamp = f"{int(time.time())}.{number:02d}{turn:07d}"
    payload = body if method == "POST" else f"GET {path}".encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: doors\r\n"
        f"Content-Type: application/x-ndjson\r\nContent-Length: {len(body)}\r\n"
        f"Encore-Key-Id: key-one\r\nEncore-Timestamp: {timestamp}\r\n"
        f"Encore-Signature: {signature(KEYS['key-one'], timestamp, payload)}\r\n\r\n"
    )
    return head.encode() + body


def _answer(answers: Any) -> int:
    status = int(answers.readline().split()[1])
    length = 0
    while (line := answers.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    answers.read(length)
    return status
