"""Who is calling: HMAC-SHA256 signatures, made by servers that share a key with us.

A caller sends three headers: `Encore-Key-Id`, `Encore-Timestamp` (unix seconds, a fraction is
allowed, so that one caller can sign the same body twice in a second) and `Encore-Signature`,
the hexadecimal HMAC-SHA256 with its secret over `{timestamp}.` and then the payload. The
payload is the body as sent, before anything is unpacked; for a GET it is `GET ` and the path
with its query.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Request

from functions.shared.http import Refusal

WINDOW_S = 300
"""How far a timestamp may lie from our clock, either way, in seconds."""

_TIMESTAMP = re.compile(r"\d{1,11}(\.\d{1,9})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller that has proved itself."""

    key_id: str
    signature: bytes
    """The 32 bytes that this request was signed with; empty when nothing had to be signed."""
    lifetime_s: int
    """For how long from now this signature would be believed again."""


class Guard:
    """Believes a request only when one of the live keys has signed it within the window."""

    def __init__(self, keys: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._keys = {key_id: secret.encode() for key_id, secret in keys.items()}
        self._clock = clock

    def verify(self, request: Request, payload: bytes) -> Caller:
        """Who signed `payload`.

        Raises:
            Refusal: 401, with nothing in it that tells an unknown key from a wrong signature.
        """
        headers = request.headers
        key_id = headers.get("Encore-Key-Id", "")
        timestamp = headers.get("Encore-Timestamp", "")
        claimed = headers.get("Encore-Signature", "")
        if not (key_id and timestamp and claimed):
            raise _unauthenticated(
                "unsigned", "Encore-Key-Id, Encore-Timestamp and Encore-Signature are needed"
            )
        if _TIMESTAMP.fullmatch(timestamp) is None:
            raise _unauthenticated("bad_timestamp", "Encore-Timestamp is in unix seconds")
        secret = self._keys.get(key_id)
        digest = _digest(secret or b"no such key", timestamp, payload)
        same = hmac.compare_digest(digest.hex().encode(), claimed.lower().encode())
        if secret is None or not same:
            raise _unauthenticated("bad_signature", "no live key has made this signature")
        age = self._clock() - float(timestamp)
        if abs(age) > WINDOW_S:
            raise _unauthenticated(
                "stale_signature", f"Encore-Timestamp is more than {WINDOW_S} s from our clock"
            )
        return Caller(key_id, digest, int(WINDOW_S - age) + 1)


def payload(request: Request, body: bytes) -> bytes:
    """What a caller signs besides the timestamp."""
    if request.method != "GET":
        return body
    query = b"?" + request.query_string if request.query_string else b""
    return b"GET " + request.path.encode() + query


def sign(secret: str, timestamp: str, payload: bytes) -> str:
    """The value of `Encore-Signature`."""
    return _digest(secret.encode(), timestamp, payload).hex()


def _digest(secret: bytes, timestamp: str, payload: bytes) -> bytes:
    return hmac.digest(secret, timestamp.encode() + b"." + payload, hashlib.sha256)


def _unauthenticated(code: str, detail: str) -> Refusal:
    return Refusal(401, code, detail, {"WWW-Authenticate": "Encore-HMAC-SHA256"})
