"""Ingest: from a signed request to acknowledged messages, and what to say about it."""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Request, Response

from functions.ingest import lines
from functions.ingest.settings import Settings
from functions.shared.admission import Admission
from functions.shared.clock import told
from functions.shared.http import Refusal, allow, answer, decompress, read_body
from functions.shared.logs import log
from functions.shared.publish import Message, NotPublished, Publisher
from functions.shared.signing import Caller, Guard

KINDS = {"/v1/plays": "play", "/v1/ad-events": "ad"}
PUBLISHED_AT = "Encore-Published-At"
RETRY_AFTER_S = 2


class Ingest:
    """Takes batches of events; says 202 only for what Pub/Sub has acknowledged."""

    def __init__(
        self,
        settings: Settings,
        admission: Admission,
        publisher: Publisher,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._guard = Guard(settings.auth.keys, clock)
        self._admission = admission
        self._publisher = publisher
        self._clock = clock

    def __call__(self, request: Request) -> Response:
        """Answer a request; every refusal is a response, never an exception."""
        try:
            return self._route(request)
        except Refusal as refusal:
            return refusal.response()

    def _route(self, request: Request) -> Response:
        if request.path == "/healthz":
            allow(request, "GET")
            return answer(200, {"status": "ok"})
        kind = KINDS.get(request.path)
        if kind is None:
            raise Refusal(404, "not_found", "there is /v1/plays, /v1/ad-events and /healthz")
        allow(request, "POST")
        return self._take(request, kind)

    def _take(self, request: Request, kind: str) -> Response:
        raw = read_body(request)
        caller = self._caller(request, raw)
        body = decompress(request.headers.get("Content-Encoding", ""), raw)
        charset = request.mimetype_params.get("charset", "")
        events = lines.split(request.mimetype, charset, body)
        published_ms, attributes = self._published_at(request)
        if not events:
            raise Refusal(400, "no_events", "there is no event in the body")
        self._admission.enter(caller, len(events))
        result = lines.judge(kind, events, published_ms)
        try:
            self._publisher.publish(_messages(kind, result, attributes))
        except NotPublished as error:
            self._admission.leave(caller)
            log("ERROR", "not published", metric="ingest_not_published", why=str(error))
            raise Refusal(
                503,
                "not_published",
                "the events were not taken; send all of them again",
                {"Retry-After": str(RETRY_AFTER_S)},
            ) from error
        return answer(
            202 if result.good else 400,
            {
                "accepted": len(result.good),
                "rejected": [refused.for_caller() for refused in result.refused],
            },
        )

    def _caller(self, request: Request, raw: bytes) -> Caller:
        auth = self._settings.auth
        if auth.mode == "hmac":
            return self._guard.verify(request, raw)
        return Caller(auth.mode, b"", 0)

    def _published_at(self, request: Request) -> tuple[int, dict[str, str]]:
        """The moment in ms that times are held against, and the attribute that carries it."""
        told_ms = told(request, PUBLISHED_AT) if self._settings.simulated_time else None
        if told_ms is None:
            return int(self._clock() * 1000), {}
        return told_ms, {"published_at": request.headers[PUBLISHED_AT]}


def _messages(kind: str, result: lines.Sorted, attributes: dict[str, str]) -> list[Message]:
    """At most two: the good lines, and what is to be known of the others."""
    common = {"schema": lines.SCHEMA, "source": "ingest", **attributes}
    messages: list[Message] = []
    if result.good:
        count = str(len(result.good))
        messages.append(Message(b"\n".join(result.good), {"kind": kind, "count": count, **common}))
    if result.refused:
        count = str(len(result.refused))
        data = b"\n".join(refused.for_pipeline(kind) for refused in result.refused)
        messages.append(Message(data, {"kind": "rejected", "count": count, **common}))
    return messages
