"""The carrier's side of HTTP: the part of Twilio's API that the carrier speaks."""

from __future__ import annotations

import base64
import json
import re
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

VERSION = "2010-04-01"

_MESSAGES = re.compile(rf"/{VERSION}/Accounts/(AC[0-9a-zA-Z]+)/Messages(?:/(SM\w+))?\.json")
_STATUS = {20003: 401, 20404: 404, 20429: 429, 20500: 500}

Query = Mapping[str, str]
Answer = tuple[int, object]


class CarrierError(Exception):
    """An answer that is an error, as Twilio words it."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.status = _STATUS.get(code, 400)


class Unanswered(Exception):
    """A request whose answer never comes."""


class Exchange(Protocol):
    """What the HTTP side needs of a carrier."""

    account: str
    token: str
    closing: threading.Event

    def find(self, query: Query) -> list[Any]:
        """The messages of a list query, the newest first."""

    def shown(self, message: Any, status: str = "sent") -> dict[str, Any]:
        """A message as the API shows it."""

    def send(self, form: Query) -> dict[str, Any]:
        """Take a message and show it; CarrierError or Unanswered when that goes wrong."""


class _Handler(BaseHTTPRequestHandler):
    """One connection to a carrier."""

    protocol_version = "HTTP/1.1"
    carrier: Exchange

    def do_GET(self) -> None:
        self._answer(self._show)

    def do_POST(self) -> None:
        self._answer(self._send)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _answer(self, handle: Callable[[str | None, Query, Query], Answer]) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        form = dict(urllib.parse.parse_qsl(self.rfile.read(length).decode()))
        url = urllib.parse.urlsplit(self.path)
        try:
            found = _MESSAGES.fullmatch(url.path)
            if found is None:
                raise CarrierError(20404, f"The requested resource {url.path} was not found")
            self._authenticate(found[1])
            status, body = handle(found[2], dict(urllib.parse.parse_qsl(url.query)), form)
        except CarrierError as error:
            status = error.status
            info = f"https://www.twilio.com/docs/errors/{error.code}"
            body = {"code": error.code, "message": str(error), "more_info": info, "status": status}
        except Unanswered:
            self.close_connection = True
            return
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _authenticate(self, account: str) -> None:
        carrier = self.carrier
        both = base64.b64encode(f"{carrier.account}:{carrier.token}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {both}" or account != carrier.account:
            raise CarrierError(20003, "Authenticate")

    def _show(self, sid: str | None, query: Query, _: Query) -> Answer:
        carrier = self.carrier
        if sid is not None:
            for message in carrier.find({}):
                if message.sid == sid:
                    return 200, carrier.shown(message)
            raise CarrierError(20404, "The requested resource was not found")
        size = min(int(query.get("PageSize", "50")), 1000)
        page = int(query.get("Page", "0"))
        found = carrier.find(query)
        there = found[page * size : (page + 1) * size]
        path = urllib.parse.urlsplit(self.path).path
        more = len(found) > (page + 1) * size
        ask = urllib.parse.urlencode(dict(query) | {"PageSize": str(size), "Page": str(page + 1)})
        return 200, {
            "messages": [carrier.shown(message) for message in there],
            "page": page,
            "page_size": size,
            "start": page * size,
            "end": page * size + len(there) - 1,
            "uri": self.path,
            "first_page_uri": f"{path}?PageSize={size}&Page=0",
            "previous_page_uri": None,
            "next_page_uri": f"{path}?{ask}" if more else None,
        }

    def _send(self, sid: str | None, _: Query, form: Query) -> Answer:
        if sid is not None:
            raise CarrierError(20404, "The requested resource was not found")
        return 201, self.carrier.send(form)


@contextmanager
def serving(carrier: Exchange, port: int = 0) -> Iterator[str]:
    """The carrier on a port of this machine, 0 for any free one; its base URL."""
    handler = type("Handler", (_Handler,), {"carrier": carrier})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        carrier.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
