"""Answers, refusals and bodies: the part of HTTP that every door does the same way."""

from __future__ import annotations

import io
import zlib
from collections.abc import Mapping
from typing import IO

import msgspec
from flask import Request, Response

MAX_BODY_BYTES = 1024 * 1024
"""The most that a body may hold, before and after decompression."""

DRAIN_BYTES = 32 * 1024 * 1024
"""How much of a body that is too large is read away so that the sender hears the answer."""

_CHUNK = 64 * 1024
_NO_HEADERS: Mapping[str, str] = {}


class Refusal(Exception):
    """A request that is answered with an error: the caller's to mend or to repeat."""

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] = _NO_HEADERS
    ) -> None:
        super().__init__(status, code, detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers

    def response(self) -> Response:
        """The refusal as `{"error", "detail"}`."""
        return answer(self.status, {"error": self.code, "detail": self.detail}, self.headers)


def answer(status: int, body: object, headers: Mapping[str, str] = _NO_HEADERS) -> Response:
    """A JSON response; `None` as the body gives an empty one."""
    data = b"" if body is None else msgspec.json.encode(body)
    response = Response(data, status=status, mimetype="application/json")
    if body is None:
        del response.headers["Content-Type"]
    response.headers["Cache-Control"] = "no-store"
    response.headers.update(headers)
    return response


def allow(request: Request, method: str) -> None:
    """Let one method in.

    Raises:
        Refusal: 405 for another.
    """
    if request.method != method:
        raise Refusal(405, "method_not_allowed", f"use {method}", {"Allow": method})


def read_body(request: Request) -> bytes:
    """The body as it was received, at most MAX_BODY_BYTES of it.

    Raises:
        Refusal: 413 when it is larger, 400 when the sender ended it too early.
    """
    try:
        body = _take(request.stream, MAX_BODY_BYTES + 1)
        if len(body) > MAX_BODY_BYTES:
            _drain(request)
            raise Refusal(413, "too_large", f"a body holds at most {MAX_BODY_BYTES} bytes")
    except OSError:
        raise Refusal(400, "broken_body", "the body ended before its end") from None
    return body


def decompress(encoding: str, body: bytes) -> bytes:
    """The body without its Content-Encoding; never more than MAX_BODY_BYTES are unpacked.

    Raises:
        Refusal: 415 for an encoding other than gzip, 413 when there is too much in it,
            400 when it is no gzip.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name != "gzip":
        raise Refusal(415, "unsupported_encoding", "Content-Encoding may be gzip or absent")
    try:
        return _gunzip(body)
    except zlib.error:
        raise Refusal(400, "not_gzip", "the body is not what Content-Encoding says") from None


def _gunzip(body: bytes) -> bytes:
    parts: list[bytes] = []
    room = MAX_BODY_BYTES
    while body:
        member = zlib.decompressobj(wbits=31)
        part = member.decompress(body, room + 1)
        room -= len(part)
        if room < 0:
            raise Refusal(413, "too_large", f"a body unpacks to at most {MAX_BODY_BYTES} bytes")
        if not member.eof:
            raise zlib.error("cut short")
        parts.append(part)
        body = member.unused_data
    return b"".join(parts)


def _take(stream: IO[bytes], size: int) -> bytes:
    parts: list[bytes] = []
    while size > 0:
        part = stream.read(min(size, _CHUNK))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _drain(request: Request) -> None:
    """Read on, keeping nothing, so that the sender is not cut off before it hears why.

    The framework reads what is left of every body into memory before it answers; an empty
    stream in its place keeps that bounded too.
    """
    left = DRAIN_BYTES
    while left > 0:
        part = request.stream.read(_CHUNK)
        if not part:
            break
        left -= len(part)
    request.stream = io.BytesIO()
