"""Twilio through its official client: every answer sorted into what may be done next."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ConnectTimeout, RequestException
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from urllib3.exceptions import MaxRetryError, NewConnectionError

from functions.sms.settings import Carrier

LOOKED_THROUGH = 100
"""Messages to one number, the newest first, that are looked through for a code."""
UNSUBSCRIBED = 21610
NOT_DELIVERED = ("failed", "undelivered", "canceled")


class Refused(Exception):
    """Terminal: the carrier has said no to this message. `code` is Twilio's."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


class NotTaken(Exception):
    """Transient: the message has certainly not been taken, nor would the next one be now."""


class Unclear(Exception):
    """Nobody knows whether the message has been taken; it must not be sent again."""


class Twilio:
    """Sends messages, and finds them again."""

    def __init__(self, settings: Carrier) -> None:
        silent = logging.getLogger("encore.sms.silent")
        silent.disabled = True
        http = TwilioHttpClient(timeout=settings.timeout_s, logger=silent)
        self._client = Client(settings.account, settings.token, http_client=http)
        if settings.url:
            self._client.api.base_url = settings.url
        self._sender = settings.sender

    def send(self, to: str, body: str) -> str:
        """Send a message once; the carrier's id of it.

        Raises:
            Refused, NotTaken, Unclear: each means what it says; no text of them holds a number.
        """
        with _sorted():
            message = self._client.messages.create(to=to, from_=self._sender, body=body)
        if not message.sid:
            raise Unclear("no id")
        return str(message.sid)

    def find(self, to: str, code: str, since: datetime) -> str | None:
        """The state of the message to `to` that holds `code`, from the day of `since` on.

        None when there is none. The carrier's clock may lie a day off ours, no more.

        Raises:
            NotTaken: when the carrier cannot be asked.
        """
        try:
            with _sorted():
                found = self._client.messages.list(to=to, limit=LOOKED_THROUGH)
        except (Refused, Unclear) as error:
            raise NotTaken("cannot be asked") from error
        earliest = since - timedelta(days=1)
        for message in found:
            created = message.date_created or datetime.max.replace(tzinfo=UTC)
            if created >= earliest and code in (message.body or ""):
                return str(message.status)
        return None


@contextmanager
def _sorted() -> Iterator[None]:
    """Turn what the client raises into the three things that can be done about it."""
    try:
        yield
    except TwilioRestException as error:
        raise _meaning(error) from None
    except ConnectTimeout:
        raise NotTaken("no connection") from None
    except RequestsConnectionError as error:
        raise _never_began(error) from None
    except (TwilioException, RequestException, ValueError, KeyError, TypeError) as error:
        raise Unclear(type(error).__name__) from None


def _meaning(error: TwilioRestException) -> Exception:
    if error.status in (401, 403, 429):
        return NotTaken(f"status {error.status}")
    if 400 <= error.status < 500 and error.status != 408:
        return Refused(error.code)
    return Unclear(f"status {error.status}")


def _never_began(error: RequestsConnectionError) -> Exception:
    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError):
        return NotTaken("no connection")
    return Unclear("connection lost")
