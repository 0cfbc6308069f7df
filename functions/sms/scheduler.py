"""Whether it is the scheduler that calls: its OIDC token, made out to this service."""

from __future__ import annotations

from flask import Request
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.requests import Request as Transport
from google.oauth2 import id_token

from functions.shared.http import Refusal

GOOGLE = "https://www.googleapis.com/oauth2/v1/certs"
ISSUERS = ("accounts.google.com", "https://accounts.google.com")
SKEW_S = 30


class Scheduler:
    """Believes tokens that Google has signed for one service account and this service."""

    def __init__(self, account: str, certificates: str | None) -> None:
        self._account = account
        self._certificates = certificates or GOOGLE

    def verify(self, request: Request) -> None:
        """Let the scheduler in.

        Raises:
            Refusal: 401 without a token that is good here, 403 for another account's, 503
                when Google's keys cannot be had.
        """
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise _unauthenticated("a bearer token is needed")
        try:
            claims = id_token.verify_token(  # type: ignore[no-untyped-call]
                token,
                Transport(),  # type: ignore[no-untyped-call]
                audience=f"https://{request.host}",
                certs_url=self._certificates,
                clock_skew_in_seconds=SKEW_S,
            )
        except TransportError:
            raise Refusal(503, "no_certificates", "try again", {"Retry-After": "5"}) from None
        except (ValueError, GoogleAuthError):
            raise _unauthenticated("this token is not good here") from None
        if claims.get("iss") not in ISSUERS:
            raise _unauthenticated("this token is not of Google")
        if claims.get("email") != self._account or claims.get("email_verified") is not True:
            raise Refusal(403, "wrong_account", "this account may not")


def _unauthenticated(detail: str) -> Refusal:
    return Refusal(401, "unauthenticated", detail, {"WWW-Authenticate": "Bearer"})
