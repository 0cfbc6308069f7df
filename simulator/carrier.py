"""A carrier for text messages that speaks the part of Twilio's HTTP API which we use.

It takes messages, lists them and shows one; it has no way to take a message at most once, since
Twilio has none. It keeps what has arrived, answers wrongly when told to, and sends the replies
of recipients to a webhook, signed as Twilio signs them. A number that has replied STOP is
refused from then on, as there.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import random
import re
import secrets
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx

from simulator.carrier_http import VERSION, CarrierError, Unanswered, serving

INVALID_NUMBER = "+15005550001"
"""The number that Twilio keeps for tests of what is no number."""
FAULTS = ("busy", "broken", "lost", "silent", "invalid")
"""429; 500 before accepting; 500 after accepting; no answer after accepting; 400."""

_E164 = re.compile(r"\+[1-9]\d{7,14}", re.ASCII)


@dataclass(frozen=True)
class Message:
    """A message that has been accepted."""

    sid: str
    to: str
    sender: str
    body: str
    at_s: float


@dataclass
class Carrier:
    """What has arrived, and how the next requests are answered."""

    account: str
    token: str
    shares: Mapping[str, float] = field(default_factory=dict)
    """Of each fault, the share of messages that it befalls."""
    seed: int = 0
    silence_s: float = 60.0
    """How long an answer that never comes is kept open."""
    record: Path | None = None
    """Where each accepted message is appended, a JSON object a line."""
    messages: list[Message] = field(default_factory=list)
    planned: deque[str] = field(default_factory=deque)
    """Faults of the next messages, "" for none; before any that comes by chance."""
    stopped: set[str] = field(default_factory=set)
    closing: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def fault(self) -> str:
        """What befalls the next message; "" for nothing."""
        with self._lock:
            if self.planned:
                return self.planned.popleft()
            drawn = self._random.random()
        for name in FAULTS:
            drawn -= self.shares.get(name, 0.0)
            if drawn < 0:
                return name
        return ""

    def accept(self, to: str, sender: str, body: str) -> Message:
        """Take a message.

        Raises:
            CarrierError: for what is no number, or has replied STOP.
        """
        if to == INVALID_NUMBER or not _E164.fullmatch(to):
            raise CarrierError(21211, "The 'To' number is not a valid phone number.")
        if not body:
            raise CarrierError(21602, "Message body is required.")
        with self._lock:
            if to in self.stopped:
                raise CarrierError(21610, "Attempt to send to unsubscribed recipient")
            message = Message("SM" + secrets.token_hex(16), to, sender, body, time.time())
            self.messages.append(message)
            if self.record is not None:
                with self.record.open("a") as file:
                    file.write(json.dumps(self.shown(message)) + "\n")
        return message

    def send(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Take a message as the API does, or do wrong what the next fault says.

        Raises:
            CarrierError: for an answer that is an error.
            Unanswered: when no answer comes.
        """
        fault = self.fault()
        if fault == "busy":
            raise CarrierError(20429, "Too Many Requests")
        if fault == "broken":
            raise CarrierError(20500, "An internal server error has occurred")
        to = INVALID_NUMBER if fault == "invalid" else form.get("To", "")
        message = self.accept(to, form.get("From", ""), form.get("Body", ""))
        if fault == "lost":
            raise CarrierError(20500, "An internal server error has occurred")
        if fault == "silent":
            self.closing.wait(self.silence_s)
            raise Unanswered
        return self.shown(message, "queued")

    def find(self, query: Mapping[str, str]) -> list[Message]:
        """The messages of a list query, the newest first."""
        with self._lock:
            found = list(reversed(self.messages))
        for name, value in query.items():
            match name:
                case "To":
                    found = [each for each in found if each.to == value]
                case "From":
                    found = [each for each in found if each.sender == value]
                case "DateSent":
                    found = [each for each in found if _day(each) == value[:10]]
                case "DateSent>":
                    found = [each for each in found if _day(each) >= value[:10]]
                case "DateSent<":
                    found = [each for each in found if _day(each) <= value[:10]]
        return found

    def shown(self, message: Message, status: str = "sent") -> dict[str, Any]:
        """A message as the API shows it."""
        at = formatdate(message.at_s)
        return {
            "sid": message.sid,
            "account_sid": self.account,
            "api_version": VERSION,
            "to": message.to,
            "from": message.sender,
            "body": message.body,
            "status": status,
            "direction": "outbound-api",
            "date_created": at,
            "date_updated": at,
            "date_sent": None if status == "queued" else at,
            "error_code": None,
            "error_message": None,
            "num_media": "0",
            "num_segments": "1",
            "messaging_service_sid": None,
            "price": None,
            "price_unit": "USD",
            "uri": f"/{VERSION}/Accounts/{self.account}/Messages/{message.sid}.json",
            "subresource_uris": {},
        }

    def reply(self, webhook: str, sender: str, to: str, body: str) -> int:
        """Send what a recipient has replied to a webhook; the status it answers with."""
        if body.strip().upper() == "STOP":
            self.stopped.add(sender)
        elif body.strip().upper() == "START":
            self.stopped.discard(sender)
        form = {"MessageSid": "SM" + secrets.token_hex(16), "AccountSid": self.account}
        form |= {"From": sender, "To": to, "Body": body, "NumMedia": "0"}
        signed = {"X-Twilio-Signature": signature(self.token, webhook, form)}
        return httpx.post(webhook, data=form, headers=signed, timeout=30).status_code


def signature(token: str, url: str, form: Mapping[str, str]) -> str:
    """X-Twilio-Signature: HMAC-SHA1 over the URL and the sorted fields, base64."""
    text = url + "".join(f"{name}{form[name]}" for name in sorted(form))
    return base64.b64encode(hmac.digest(token.encode(), text.encode(), hashlib.sha1)).decode()


def _day(message: Message) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(message.at_s))


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise ValueError
    return share


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: a carrier until it is interrupted."""
    parser = argparse.ArgumentParser(
        prog="python -m simulator.carrier",
        description="A carrier for text messages on this machine that speaks Twilio's HTTP API.",
    )
    parser.add_argument("--port", type=int, default=8094, help="default: %(default)s")
    parser.add_argument("--account", default="ACencore", help="default: %(default)s")
    parser.add_argument("--token", default="carrier-token", help="default: %(default)s")
    parser.add_argument("--record", type=Path, help="append what arrives to this NDJSON file")
    parser.add_argument("--seed", type=int, default=0, help="of the faults; default: %(default)s")
    for name, what in zip(FAULTS, _FAULT_HELP, strict=True):
        parser.add_argument(
            f"--{name}", type=_share, default=0.0, metavar="SHARE", help=f"share {what}"
        )
    chosen = parser.parse_args(arguments)
    shares = {name: getattr(chosen, name) for name in FAULTS}
    carrier = Carrier(chosen.account, chosen.token, shares, chosen.seed, record=chosen.record)
    try:
        with serving(carrier, chosen.port) as url:
            print(url, flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except OSError as error:
        print(f"Cannot listen on port {chosen.port}: {error.strerror}.", file=sys.stderr)
        return 2
    return 0


_FAULT_HELP = (
    "answered 429",
    "answered 500 and not taken",
    "answered 500 and taken all the same",
    "taken and never answered",
    "answered 400, not a valid number",
)


if __name__ == "__main__":
    sys.exit(main())
