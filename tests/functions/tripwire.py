"""A process that dies at one exact step: wires that count what passes, and kill at a number."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field


@dataclass
class Tripwire:
    """Counts steps over several wires, and at one of them kills a process.

    Each request that passes is two steps: before it arrives at the service, and before its
    answer arrives at the process. A killed process's bytes go no further.
    """

    pid: int = 0
    fatal: int = 0
    when: bytes | None = None
    steps: list[str] = field(default_factory=list)
    killed: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def arm(self, pid: int, fatal: int, when: bytes | None = None) -> None:
        """Kill `pid` at step number `fatal`, from 1, or at the first that carries `when`."""
        with self._lock:
            self.pid, self.fatal, self.when = pid, fatal, when
            self.steps, self.killed = [], False

    def disarm(self) -> None:
        """Let everything pass."""
        with self._lock:
            self.pid = 0

    def step(self, name: str, data: bytes) -> bool:
        """Whether the bytes may pass; the process is dead when they may not."""
        with self._lock:
            if not self.pid:
                return True
            if self.killed:
                return False
            self.steps.append(name)
            if len(self.steps) != self.fatal and not (self.when and self.when in data):
                return True
            self.killed = True
            os.kill(self.pid, signal.SIGKILL)
            return False


@contextmanager
def tripwires(trip: Tripwire, targets: dict[str, str]) -> Iterator[dict[str, str]]:
    """A wire to each named host:port; the host:port of each wire."""
    with ExitStack() as stack:
        addresses = {}
        for name, target in targets.items():
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            host, _, port = target.rpartition(":")
            threading.Thread(
                target=_accept, args=(trip, name, listener, (host, int(port))), daemon=True
            ).start()
            addresses[name] = f"127.0.0.1:{listener.getsockname()[1]}"
        yield addresses


def _accept(trip: Tripwire, name: str, listener: socket.socket, target: tuple[str, int]) -> None:
    while True:
        try:
            near, _ = listener.accept()
        except OSError:
            return
        far = socket.create_connection(target)
        for source, sink, way in ((near, far, "to"), (far, near, "from")):
            threading.Thread(
                target=_pump, args=(trip, f"{way} {name}", source, sink), daemon=True
            ).start()


def _pump(trip: Tripwire, name: str, source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(1 << 20):
            if not trip.step(name, data):
                break
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        return
