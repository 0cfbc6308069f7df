"""A Cloud Storage that fits in a test: the JSON API over HTTP, for the official client.

As strict as the real one where it matters here: preconditions on generations, whole objects, the
checksums that the client verifies. Anything else that is asked of it is answered 501 and kept in
`refused`, so that a test notices.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import google_crc32c


class _Object(NamedTuple):
    content: bytes
    content_type: str
    generation: int
    metadata: dict[str, str]


class FakeStorage:
    """A server on 127.0.0.1 for the length of a `with`; `url` is its address."""

    def __init__(self, *buckets: str) -> None:
        self.buckets: dict[str, dict[str, _Object]] = {name: {} for name in buckets}
        self.refused: list[str] = []
        """Requests that this is not made for."""
        self.lose_answer: Callable[[str], bool] = lambda name: False
        """Asked after an upload was stored: whether the client gets 503 and not the answer."""
        self._generation = 1_700_000_000_000_000
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FakeStorage:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def put(
        self,
        bucket: str,
        name: str,
        content: bytes,
        content_type: str = "",
        metadata: dict[str, str] | None = None,
    ) -> None:
        """Store an object as somebody else would."""
        with self._lock:
            self._generation += 1
            self.buckets[bucket][name] = _Object(
                content, content_type, self._generation, metadata or {}
            )

    def answer(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        """The status, headers and body for one request."""
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        path = [unquote(part) for part in parts.path.strip("/").split("/")]
        with self._lock:
            if method == "POST" and path[:4] == ["upload", "storage", "v1", "b"]:
                return self._upload(path[4], query, headers, body)
            if method == "GET" and path[:3] == ["storage", "v1", "b"] and len(path) == 4:
                return self._bucket(path[3])
            if method == "GET" and path[:3] == ["storage", "v1", "b"] and len(path) == 5:
                return self._list(path[3], query)
            if method == "GET" and path[:3] == ["storage", "v1", "b"] and len(path) == 6:
                return self._metadata(path[3], path[5], query)
            if method == "GET" and path[:4] == ["download", "storage", "v1", "b"]:
                return self._download(path[4], path[6], query)
        self.refused.append(f"{method} {target}")
        return _error(501, "not made for this")

    def _upload(
        self, bucket: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if query.get("uploadType") != "multipart" or bucket not in self.buckets:
            self.refused.append(f"upload to {bucket} {query}")
            return _error(501, "not made for this")
        head = f"content-type: {headers['content-type']}\r\n\r\n".encode()
        about, media = BytesParser(policy=HTTP).parsebytes(head + body).iter_parts()
        told = json.loads(about.get_content())
        found = self.buckets[bucket].get(told["name"])
        wanted = query.get("ifGenerationMatch")
        if wanted is not None and int(wanted) != (found.generation if found else 0):
            return _error(412, "conditionNotMet")
        content = media.get_payload(decode=True)
        assert isinstance(content, bytes)
        kind, metadata = media.get_content_type(), told.get("metadata")
        self.put(bucket, told["name"], content, kind, metadata)
        if self.lose_answer(told["name"]):
            return _error(503, "backendError")
        return _json(self._about(bucket, told["name"]))

    def _bucket(self, bucket: str) -> tuple[int, dict[str, str], bytes]:
        if bucket not in self.buckets:
            return _error(404, f"No such bucket: {bucket}")
        return _json({"kind": "storage#bucket", "id": bucket, "name": bucket, "location": "US"})

    def _metadata(
        self, bucket: str, name: str, query: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        if name not in self.buckets.get(bucket, {}):
            return _error(404, f"No such object: {bucket}/{name}")
        return _json(self._about(bucket, name))

    def _download(
        self, bucket: str, name: str, query: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        found = self.buckets.get(bucket, {}).get(name)
        if found is None:
            return _error(404, f"No such object: {bucket}/{name}")
        if int(query.get("ifGenerationMatch", found.generation)) != found.generation:
            return _error(412, "conditionNotMet")
        headers = {
            "content-type": "application/octet-stream",
            "x-goog-hash": f"crc32c={_crc32c(found.content)}",
            "x-goog-generation": str(found.generation),
        }
        return 200, headers, found.content

    def _list(self, bucket: str, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        items, prefixes = [], set()
        for name in sorted(self.buckets.get(bucket, {})):
            rest = name[len(prefix) :]
            if not name.startswith(prefix):
                continue
            if delimiter and delimiter in rest:
                prefixes.add(prefix + rest.split(delimiter)[0] + delimiter)
            else:
                items.append(self._about(bucket, name))
        return _json({"kind": "storage#objects", "items": items, "prefixes": sorted(prefixes)})

    def _about(self, bucket: str, name: str) -> dict[str, Any]:
        found = self.buckets[bucket][name]
        return {
            "kind": "storage#object",
            "bucket": bucket,
            "name": name,
            "size": str(len(found.content)),
            "contentType": found.content_type,
            "generation": str(found.generation),
            "metageneration": "1",
            "metadata": found.metadata,
            "crc32c": _crc32c(found.content),
        }

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        storage = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._reply()

            def do_POST(self) -> None:
                self._reply()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
                return

            def _reply(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status, told, content = storage.answer(self.command, self.path, headers, body)
                self.send_response(status)
                for name, value in told.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        return Handler


def _json(value: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
    return 200, {"content-type": "application/json"}, json.dumps(value).encode()


def _error(status: int, message: str) -> tuple[int, dict[str, str], bytes]:
    error = {"error": {"code": status, "message": message}}
    return status, {"content-type": "application/json"}, json.dumps(error).encode()


def _crc32c(content: bytes) -> str:
    return base64.b64encode(google_crc32c.value(content).to_bytes(4, "big")).decode()
