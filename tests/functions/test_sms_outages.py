"""Sms while a neighbour is away, runs that overlap, and who may start one."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import redis
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from google.auth import crypt, jwt

from infra.local.stack import Ports, Stack
from simulator.carrier import Carrier
from simulator.carrier_http import serving
from tests.functions.desk import ACCOUNT, TOKEN, Desk, database, sms_environ
from tests.functions.inbox import Inbox
from tests.functions.process import Function, eventually, running
from tests.functions.proxy import silent_port, wire

MINUTE = timedelta(minutes=1)


@pytest.fixture
def desk(stack: Stack, inbox: Inbox) -> Desk:
    store = redis.Redis.from_url(database(stack))
    store.flushdb()
    return Desk(store, Carrier(ACCOUNT, TOKEN, silence_s=3), inbox)


@contextmanager
def door(stack: Stack, desk: Desk, logs: Path, **changes: str) -> Iterator[Function]:
    """Sms, with the desk's carrier and some settings changed."""
    with serving(desk.carrier) as url:
        environ = sms_environ(stack, desk.inbox, url) | changes
        with running("sms", environ, logs) as function:
            yield function


def test_without_redis_a_run_is_503(stack: Stack, desk: Desk, logs: Path) -> None:
    listener, port = silent_port()
    listener.close()
    with door(stack, desk, logs, REDIS_URL=f"redis://127.0.0.1:{port}/0") as sms:
        answer = desk.run(sms)
        assert (answer.status_code, answer.json()["error"]) == (503, "no_store")
        assert int(answer.headers["Retry-After"]) > 0
        assert '"metric":"redis_down"' in sms.log.read_text()


def test_a_message_is_not_lost_or_sent_again_while_its_outcome_cannot_be_published(
    stack: Stack, desk: Desk, logs: Path
) -> None:
    customer = desk.person()
    desk.put(customer)
    with wire(desk.inbox.address) as pubsub:
        with door(stack, desk, logs, PUBSUB_EMULATOR_HOST=pubsub.address) as sms:
            pubsub.hold()
            for _ in range(2):
                answer = desk.run(sms)
                assert (answer.status_code, answer.json()["error"]) == (503, "not_published")
            assert desk.pending() == 1
            pubsub.release()
            eventually(lambda: desk.run(sms).status_code == 200)
        assert len(desk.arrived(customer)) == 1
        assert desk.pending() == 0
        assert {each["status"] for each in desk.outcomes(customer)} == {"sent"}


def test_a_carrier_that_cannot_be_reached_stops_the_run_and_nothing_is_lost(
    stack: Stack, desk: Desk, logs: Path
) -> None:
    customer = desk.person()
    desk.put(customer)
    nowhere = f"http://127.0.0.1:{Ports.free().ingest}"
    with door(stack, desk, logs, TWILIO_API_URL=nowhere) as sms:
        answer = desk.run(sms).json()
        assert answer == {"counts": {"later": 1}, "stopped": "no connection"}
    with door(stack, desk, logs) as sms:
        assert desk.counts(sms, after=MINUTE) == {"sent": 1}
    assert len(desk.arrived(customer)) == 1


def test_a_token_that_the_carrier_does_not_take_sends_nothing_and_loses_nothing(
    stack: Stack, desk: Desk, logs: Path
) -> None:
    customer = desk.person()
    desk.put(customer)
    with door(stack, desk, logs, TWILIO_AUTH_TOKEN="an old token") as sms:
        assert desk.run(sms).json()["stopped"] == "status 401"
    with door(stack, desk, logs) as sms:
        assert desk.counts(sms, after=MINUTE) == {"sent": 1}


def test_an_attempt_is_unknown_only_once_the_carrier_could_be_asked_or_a_day_has_passed(
    stack: Stack, desk: Desk, logs: Path
) -> None:
    asked, never = desk.person(), desk.person()
    for customer in (asked, never):
        desk.put(customer)
    desk.carrier.planned.extend(["broken", "broken"])
    with door(stack, desk, logs) as sms:
        assert desk.counts(sms) == {"later": 2}
    nowhere = f"http://127.0.0.1:{Ports.free().ingest}"
    with door(stack, desk, logs, TWILIO_API_URL=nowhere) as sms:
        assert desk.counts(sms, after=60 * MINUTE) == {"later": 2}
        assert desk.counts(sms, after=timedelta(hours=22)) == {"later": 2}
        assert desk.counts(sms, after=timedelta(hours=2)) == {"unknown": 2}
    assert desk.carrier.messages == []


def test_runs_that_overlap_send_every_message_once(stack: Stack, desk: Desk, logs: Path) -> None:
    """Each takes over what another holds, which is one of its five tries: so there are four."""
    customers = [desk.person() for _ in range(60)]
    for customer in customers:
        desk.put(customer)
    statuses: list[int] = []
    with door(stack, desk, logs) as one, door(stack, desk, logs) as other:
        runs = [
            threading.Thread(target=lambda sms=sms: statuses.append(desk.run(sms).status_code))
            for sms in (one, other) * 2
        ]
        for run in runs:
            run.start()
        for run in runs:
            run.join()
        for _ in range(3):
            desk.run(one, after=MINUTE)
    assert set(statuses) == {200}
    assert [len(desk.arrived(customer)) for customer in customers] == [1] * 60
    assert {desk.record(customer)["status"] for customer in customers} == {"sent"}
    assert desk.pending() == 0


def test_what_a_live_run_has_taken_is_left_to_it(stack: Stack, desk: Desk, logs: Path) -> None:
    desk.add({"nothing": "to read"})
    with door(stack, desk, logs, ENCORE_SMS_IDLE_S="3600") as sms:
        assert desk.counts(sms) == {"waiting": 1}
        assert desk.counts(sms) == {}


@pytest.mark.parametrize(
    "missing",
    [
        {"ENCORE_KEYS": ""},
        {"TWILIO_AUTH_TOKEN": ""},
        {"TWILIO_FROM": ""},
        {"REDIS_URL": ""},
        {"ENCORE_AUTH": "iam"},
        {"ENCORE_AUTH": "oidc"},
        {"ENCORE_SMS_LANGUAGE": "fr"},
    ],
)
def test_without_what_it_needs_the_door_stays_shut(
    stack: Stack, desk: Desk, logs: Path, missing: dict[str, str]
) -> None:
    with door(stack, desk, logs, **missing) as sms:
        assert desk.run(sms).status_code == 503
        assert sms.get("/healthz").json()["error"] == "not_configured"


def test_in_korean_if_so_set(stack: Stack, desk: Desk, logs: Path) -> None:
    customer = desk.person()
    desk.put(customer)
    with door(stack, desk, logs, ENCORE_SMS_LANGUAGE="ko") as sms:
        desk.run(sms)
    assert "골드" in desk.arrived(customer)[0]


class Google:
    """A key pair, and where its certificate is published."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        start = datetime.now(UTC) - timedelta(days=1)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=9))
            .sign(self.key, hashes.SHA256())
        )
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        self.published = json.dumps({"one": pem}).encode()

    def token(self, audience: str, **changes: Any) -> str:
        """A token as Google signs it for the scheduler."""
        private = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        now = int(time.time())
        claims = {
            "iss": "https://accounts.google.com",
            "aud": audience,
            "email": "scheduler@example.iam.gserviceaccount.com",
            "email_verified": True,
            "iat": now,
            "exp": now + 600,
        } | changes
        signer = crypt.RSASigner.from_string(private, key_id="one")  # type: ignore[no-untyped-call]
        return str(jwt.encode(signer, claims).decode())  # type: ignore[no-untyped-call]


@contextmanager
def certificates(google: Google) -> Iterator[str]:
    """Where the keys are to be had."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(google.published)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/certs"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_with_oidc_only_the_scheduler_starts_a_run(stack: Stack, desk: Desk, logs: Path) -> None:
    google, stranger = Google(), Google()
    with certificates(google) as certs:
        oidc = {
            "ENCORE_AUTH": "oidc",
            "ENCORE_KEYS": "",
            "ENCORE_SCHEDULER_ACCOUNT": "scheduler@example.iam.gserviceaccount.com",
            "ENCORE_OIDC_CERTIFICATES": certs,
        }
        with door(stack, desk, logs, **oidc) as sms:
            here = "https://" + sms.url.removeprefix("http://")

            def status(token: str) -> int:
                headers = {"Authorization": f"Bearer {token}"}
                return sms.post("/v1/send", b"{}", headers=headers, sign=False).status_code

            assert status(google.token(here)) == 200
            assert status("token") == 401
            assert status("no.token.atall") == 401
            assert status(stranger.token(here)) == 401
            assert status(google.token("https://elsewhere.example")) == 401
            assert status(google.token(here, exp=int(time.time()) - 300)) == 401
            assert status(google.token(here, iss="https://evil.example")) == 401
            assert status(google.token(here, email="other@example.com")) == 403
            assert status(google.token(here, email_verified=False)) == 403
            assert sms.post("/v1/send", b"{}").status_code == 401


def test_when_the_keys_of_google_cannot_be_had_a_run_is_503(
    stack: Stack, desk: Desk, logs: Path
) -> None:
    nowhere = f"http://127.0.0.1:{Ports.free().ingest}/certs"
    oidc = {
        "ENCORE_AUTH": "oidc",
        "ENCORE_SCHEDULER_ACCOUNT": "x@example.com",
        "ENCORE_OIDC_CERTIFICATES": nowhere,
    }
    with door(stack, desk, logs, **oidc) as sms:
        headers = {"Authorization": f"Bearer {Google().token('https://x')}"}
        assert sms.post("/v1/send", b"{}", headers=headers, sign=False).status_code == 503
