"""Doors in front of real services, to close and to misbehave at will."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class Gate:
    """Forwards TCP connections from a port of its own to a real service while it is open."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listener: socket.socket | None = None
        self._connections: list[socket.socket] = []
        self._lock = threading.Lock()
        self.port = 0
        self.open()

    def open(self) -> None:
        """Let connections through; without effect on an open gate."""
        if self._listener is not None:
            return
        listener = socket.create_server(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def close(self) -> None:
        """Refuse connections, and cut those that are there."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(self._target)
            except OSError:
                return
            with self._lock:
                self._connections += [near, far]
            for pair in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=pair, daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def gate(host: str, port: int) -> Iterator[Gate]:
    """A gate that is closed at the end."""
    made = Gate(host, port)
    try:
        yield made
    finally:
        made.close()


class Moods:
    """The statuses that a service answers with, one a request, before it comes to its senses."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.statuses: list[int] = []
        self.most_bytes: int | None = None
        self.requests = 0


@contextmanager
def moody(target: str) -> Iterator[Moods]:
    """An HTTP service in front of `target` that answers as `Moods` says, else as `target` does."""
    address = urlsplit(target)
    moods = Moods("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            moods.requests += 1
            if moods.statuses:
                self._answer(moods.statuses.pop(0), b"{}", "application/json")
            elif moods.most_bytes is not None and len(body) > moods.most_bytes:
                self._answer(413, b"{}", "application/json")
            else:
                self._forward(body)

        do_GET = do_PUT = do_HEAD = do_POST  # noqa: N815

        def _forward(self, body: bytes) -> None:
            connection = http.client.HTTPConnection(str(address.hostname), address.port)
            headers = {k: v for k, v in self.headers.items() if k.lower() != "host"}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            content = response.read()
            self._answer(response.status, content, response.headers["content-type"])
            connection.close()

        def _answer(self, status: int, content: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("x-elastic-product", "Elasticsearch")
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    moods.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield moods
    finally:
        server.shutdown()
        server.server_close()
