"""A wire that can be held: TCP forwarded to a real service, or kept back until let go."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Wire:
    """Forwards connections to one address. While held, bytes wait; nothing is refused."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._flow = threading.Event()
        self._flow.set()
        self.waiting = threading.Event()
        """Set once something has arrived that is being held."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        """host:port to connect to."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def hold(self) -> None:
        """Keep back everything from now on."""
        self.waiting.clear()
        self._flow.clear()

    def release(self) -> None:
        """Let everything through."""
        self._flow.set()

    def close(self) -> None:
        """Cut every connection and take no more."""
        self._flow.set()
        for each in (self._listener, *self._sockets):
            each.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            self._sockets += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                if not self._flow.is_set():
                    self.waiting.set()
                    self._flow.wait()
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return


@contextmanager
def wire(address: str) -> Iterator[Wire]:
    """A wire to host:port, cut at the end of the block."""
    host, _, port = address.rpartition(":")
    made = Wire(host, int(port))
    try:
        yield made
    finally:
        made.close()


def silent_port() -> tuple[socket.socket, int]:
    """A port that takes connections and never says a word."""
    listener = socket.create_server(("127.0.0.1", 0))
    return listener, listener.getsockname()[1]
