"""The way in: signed requests to the ingest function, tried again until they are answered."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from simulator.errors import UsageError

PATHS = {"play": "/v1/plays", "ad": "/v1/ad-events"}
ANSWERED = frozenset({202, 400})
TRY_AGAIN = frozenset({429, 500, 502, 503, 504})
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
TIMEOUT = httpx.Timeout(30.0, connect=5.0)


class Refused(Exception):
    """The function will not take what we send, now or later; its text is for people."""


class _HungUpError(Exception):
    """Thrown into a request to break it off."""


@dataclass(frozen=True)
class Caller:
    """Who signs: a key id and its secret."""

    key_id: str
    secret: bytes

    def headers(self, payload: bytes, timestamp: str) -> dict[str, str]:
        """HMAC-SHA256 over the timestamp (unix seconds), a point, and the payload.

        The payload is the body as it is sent, or `GET ` and the path.
        """
        message = f"{timestamp}.".encode() + payload
        return {
            "Encore-Key-Id": self.key_id,
            "Encore-Timestamp": timestamp,
            "Encore-Signature": hmac.new(self.secret, message, hashlib.sha256).hexdigest(),
        }


@dataclass(frozen=True)
class Answer:
    """What became of a request: for each refused line, by its place, the reason given.

    `tries` requests were made; after `unsure` of them nobody knows whether they were taken.
    """

    refused: dict[int, str]
    tries: int
    unsure: int
    answered_ms: int


@dataclass(eq=False)
class Door:
    """Posts NDJSON to the ingest function over kept-alive connections; safe to share by threads."""

    url: str
    caller: Caller | None
    stop: threading.Event
    patience_s: float = 120.0
    clock: Callable[[], float] = time.time
    client: httpx.Client = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _last_us: int = 0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise UsageError(f"{self.url} is not an address that can be posted to.")
        limits = httpx.Limits(max_keepalive_connections=64)
        self.client = httpx.Client(base_url=self.url, timeout=TIMEOUT, limits=limits)

    def post(
        self, kind: str, lines: bytes, published_at: str | None, *, cut: bool = False
    ) -> Answer | None:
        """Post lines until they are answered; None when told to stop before that.

        Waits out 429, 5xx and broken connections with growing pauses. With `cut`, a first try
        breaks off in the middle of its body. Raises Refused for any other answer, and when
        `patience_s` have passed without one.
        """
        body = gzip.compress(lines, compresslevel=1, mtime=0)
        if cut:
            self._break_off(kind, body, published_at)
        tries = unsure = 0
        pause = FIRST_PAUSE_S
        began = time.monotonic()
        while True:
            tries += 1
            try:
                response = self._send(kind, body, published_at)
            except httpx.HTTPError as error:
                unsure += not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                last = f"{type(error).__name__} {error}"
            else:
                if response.status_code in ANSWERED:
                    answered_ms = int(self.clock() * 1000)
                    return Answer(_refusals(response), tries, unsure, answered_ms)
                if response.status_code not in TRY_AGAIN:
                    raise Refused(_complaint(self.url + PATHS[kind], response))
                unsure += response.status_code in {500, 502, 504}
                pause = max(pause, _retry_after(response))
                last = f"it answers {response.status_code}"
            if time.monotonic() - began > self.patience_s:
                raise Refused(f"{self.url} took nothing for {self.patience_s:g} s: {last}.")
            if self.stop.wait(pause * random.uniform(0.5, 1.0)):
                return None
            pause = min(pause * 2, LONGEST_PAUSE_S)

    def close(self) -> None:
        """Let the connections go."""
        self.client.close()

    def get(self, path: str) -> dict[str, Any] | None:
        """What a signed GET answers with 200; None for any other answer, or none at all."""
        headers = self._signed(b"GET " + path.encode())
        try:
            response = self.client.get(path, headers=headers)
            answer: dict[str, Any] | None = response.json() if response.status_code == 200 else None
        except (httpx.HTTPError, ValueError):
            return None
        return answer

    def _send(self, kind: str, body: bytes, published_at: str | None) -> httpx.Response:
        headers = self._headers(body, published_at)
        return self.client.post(PATHS[kind], content=body, headers=headers)

    def _break_off(self, kind: str, body: bytes, published_at: str | None) -> None:
        """Send half a body and hang up."""

        def half() -> Iterator[bytes]:
            yield body[: len(body) // 2]
            raise _HungUpError

        headers = self._headers(body, published_at) | {"Content-Length": str(len(body))}
        with suppress(_HungUpError, httpx.HTTPError):
            self.client.post(PATHS[kind], content=half(), headers=headers)

    def _headers(self, body: bytes, published_at: str | None) -> dict[str, str]:
        headers = {"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
        if published_at is not None:
            headers["Encore-Published-At"] = published_at
        return headers | self._signed(body)

    def _signed(self, payload: bytes) -> dict[str, str]:
        return self.caller.headers(payload, self._timestamp()) if self.caller else {}

    def _timestamp(self) -> str:
        """Now in unix seconds, never the same twice: a repeated signature is refused."""
        with self._lock:
            self._last_us = max(self._last_us + 1, int(self.clock() * 1e6))
            return f"{self._last_us // 1_000_000}.{self._last_us % 1_000_000:06d}"


def _refusals(response: httpx.Response) -> dict[int, str]:
    try:
        rejected: list[dict[str, Any]] = response.json()["rejected"]
        return {int(line["index"]): str(line["reason"]) for line in rejected}
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(_complaint(str(response.url), response)) from error


def _complaint(url: str, response: httpx.Response) -> str:
    return f"{url} answers {response.status_code}: {response.text[:200].strip() or 'nothing more'}"


def _retry_after(response: httpx.Response) -> float:
    try:
        return min(float(response.headers.get("Retry-After", "0")), 60.0)
    except ValueError:
        return 1.0
