"""Sms: sends what is in the outbox when told that it is time, and hears STOP and START."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import parse_qsl

import redis
from flask import Request, Response
from twilio.request_validator import RequestValidator
from werkzeug.datastructures import MultiDict

from functions.shared.clock import now_ms
from functions.shared.http import Refusal, allow, answer, read_body
from functions.shared.logs import log
from functions.shared.publish import NotPublished, Publisher
from functions.shared.signing import Guard, payload
from functions.sms.carrier import Twilio
from functions.sms.ledger import Ledger
from functions.sms.outbox import Outbox
from functions.sms.people import People
from functions.sms.run import Run
from functions.sms.scheduler import Scheduler
from functions.sms.settings import Settings

STOP = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
START = frozenset({"START", "UNSTOP", "YES"})
EMPTY_REPLY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


class Sms:
    """Two ways in: the scheduler's, and the carrier's."""

    def __init__(
        self,
        settings: Settings,
        client: redis.Redis,
        carrier: Twilio,
        publisher: Publisher,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._client = client
        self._carrier = carrier
        self._publisher = publisher
        self._clock = clock
        self._guard = Guard(settings.auth.keys, clock)
        self._scheduler = Scheduler(settings.scheduler, settings.certificates)
        self._ledger = Ledger(client, settings.cap)
        self._webhook = RequestValidator(settings.carrier.token)

    def __call__(self, request: Request) -> Response:
        """Answer a request; every refusal is a response, never an exception."""
        try:
            return self._route(request)
        except Refusal as refusal:
            return refusal.response()
        except redis.RedisError as error:
            log("ERROR", "redis is not answering", metric="redis_down", why=type(error).__name__)
            return _later("no_store").response()

    def _route(self, request: Request) -> Response:
        match request.path:
            case "/healthz":
                allow(request, "GET")
                return answer(200, {"status": "ok"})
            case "/v1/send":
                allow(request, "POST")
                return self._send(request)
            case "/v1/inbound":
                allow(request, "POST")
                return self._hear(request)
        raise Refusal(404, "not_found", "there is /v1/send, /v1/inbound and /healthz")

    def _send(self, request: Request) -> Response:
        body = read_body(request)
        if self._settings.caller == "oidc":
            self._scheduler.verify(request)
        elif self._settings.caller == "hmac":
            self._guard.verify(request, payload(request, body))
        run = Run(
            outbox=Outbox(self._client),
            ledger=self._ledger,
            people=People(self._client),
            carrier=self._carrier,
            publisher=self._publisher,
            language=self._settings.language,
            now_ms=now_ms(request, self._settings.simulated_time, self._clock),
            clock=self._clock,
            idle_s=self._settings.idle_s,
            budget_s=self._settings.budget_s,
        )
        try:
            run.go()
        except NotPublished as error:
            log("ERROR", "not published", metric="sms_not_published", why=str(error))
            raise _later("not_published") from error
        return answer(200, {"counts": dict(run.counts), "stopped": run.stopped})

    def _hear(self, request: Request) -> Response:
        """Take what somebody has replied, once it is sure that it comes from the carrier."""
        text = read_body(request).decode(errors="replace")
        form: MultiDict[str, str] = MultiDict(parse_qsl(text, keep_blank_values=True))
        signature = request.headers.get("X-Twilio-Signature", "")
        url = self._settings.webhook_url or _address(request)
        if not self._webhook.validate(url, form, signature):  # type: ignore[no-untyped-call]
            raise Refusal(403, "bad_signature", "the carrier has not signed this")
        word = _word(form)
        if word and form.get("From"):
            self._ledger.hear(form["From"], word)
            log("INFO", "consent changed", metric=f"sms_{word}")
        return Response(EMPTY_REPLY, mimetype="text/xml")


def _word(form: MultiDict[str, str]) -> str | None:
    """`stop` or `start`, if that is what was replied."""
    said = (form.get("OptOutType") or form.get("Body", "")).strip().strip(".!").upper()
    if said in STOP:
        return "stop"
    return "start" if said in START else None


def _address(request: Request) -> str:
    """The URL that a request came to, as whoever sent it knows it."""
    scheme = request.headers.get("X-Forwarded-Proto", request.scheme)
    query = "?" + request.query_string.decode("latin-1") if request.query_string else ""
    return f"{scheme}://{request.host}{request.path}{query}"


def _later(code: str) -> Refusal:
    return Refusal(503, code, "try again later", {"Retry-After": "30"})
