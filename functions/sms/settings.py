"""What sms is told by its environment, read in this one place at the first request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from beam_pipeline.domain.offers import Language
from functions.shared.environment import Auth, SettingsError, number, required

Caller = Literal["oidc", "hmac", "none"]


@dataclass(frozen=True, slots=True)
class Carrier:
    """How the carrier is reached."""

    account: str
    token: str = field(repr=False)
    sender: str
    """The number that messages come from, +1…"""
    url: str | None
    """The API's address; None is Twilio's own."""
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of sms."""

    project: str
    topic: str
    emulator: str | None
    """host:port of the Pub/Sub emulator; None is Google's own service."""
    redis_url: str
    caller: Caller
    """Who may say that it is time to send: the scheduler's account, a signed request, anybody."""
    auth: Auth
    scheduler: str
    """The e-mail of the scheduler's service account, for oidc."""
    certificates: str | None
    """Where the keys of OIDC tokens are; None is Google's own."""
    carrier: Carrier
    webhook_url: str | None
    """The address that Twilio was told; None: the one that a request came to."""
    language: Language
    simulated_time: bool
    """Whether the header Encore-Now is listened to."""
    cap: int
    """Messages that a customer gets in a UTC month, at most."""
    budget_s: float
    """For how long one run goes on."""
    idle_s: float
    """After how long without a word a run is taken for dead, and what it had begun taken over."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """From the environment.

        Raises:
            SettingsError: when sms must not open; the text says which value is to blame.
        """
        caller = environ.get("ENCORE_AUTH", "hmac")
        language = environ.get("ENCORE_SMS_LANGUAGE") or "en"
        if caller not in ("oidc", "hmac", "none"):
            raise SettingsError("ENCORE_AUTH is oidc, hmac or none")
        if language not in ("en", "ko"):
            raise SettingsError("ENCORE_SMS_LANGUAGE is en or ko")
        return cls(
            project=required(environ, "ENCORE_PROJECT"),
            topic=environ.get("ENCORE_TOPIC") or "events",
            emulator=environ.get("PUBSUB_EMULATOR_HOST") or None,
            redis_url=required(environ, "REDIS_URL"),
            caller=cast(Caller, caller),
            auth=Auth.read(environ) if caller == "hmac" else Auth("none"),
            scheduler=required(environ, "ENCORE_SCHEDULER_ACCOUNT") if caller == "oidc" else "",
            certificates=environ.get("ENCORE_OIDC_CERTIFICATES") or None,
            carrier=Carrier(
                account=required(environ, "TWILIO_ACCOUNT_SID"),
                token=required(environ, "TWILIO_AUTH_TOKEN"),
                sender=required(environ, "TWILIO_FROM"),
                url=environ.get("TWILIO_API_URL") or None,
                timeout_s=number(environ, "TWILIO_TIMEOUT_S", 10, low=0.1),
            ),
            webhook_url=environ.get("TWILIO_WEBHOOK_URL") or None,
            language=cast(Language, language),
            simulated_time=environ.get("ENCORE_SIMULATED_TIME") == "1",
            cap=int(number(environ, "ENCORE_SMS_CAP", 4)),
            budget_s=number(environ, "ENCORE_SMS_BUDGET_S", 40, low=1),
            idle_s=number(environ, "ENCORE_SMS_IDLE_S", 120),
        )
