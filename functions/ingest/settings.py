"""What ingest is told by its environment, read in this one place at the first request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from functions.shared.environment import Auth, SettingsError, number, required

MAX_EVENTS = 1000
"""Events a request, at most."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of ingest."""

    project: str
    topic: str
    emulator: str | None
    """host:port of the Pub/Sub emulator; None is Google's own service."""
    auth: Auth
    simulated_time: bool
    """Whether the header Encore-Published-At is listened to."""
    publish_deadline_s: float
    redis_url: str | None
    """Where the rate limit and the signatures of all instances are kept."""
    rate_events: float
    """Events a second that one key may send in the long run; 0 is no limit."""
    rate_burst: float
    """Events that one key may send at once after a pause."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """From the environment.

        Raises:
            SettingsError: when ingest must not open; the text says which value is to blame.
        """
        rate = number(environ, "ENCORE_RATE_EVENTS", 50_000)
        burst = number(environ, "ENCORE_RATE_BURST", max(10 * rate, MAX_EVENTS))
        if rate and burst < MAX_EVENTS:
            raise SettingsError(f"ENCORE_RATE_BURST is at least {MAX_EVENTS}, a whole request")
        return cls(
            project=required(environ, "ENCORE_PROJECT"),
            topic=environ.get("ENCORE_TOPIC") or "events",
            emulator=environ.get("PUBSUB_EMULATOR_HOST") or None,
            auth=Auth.read(environ),
            simulated_time=environ.get("ENCORE_SIMULATED_TIME") == "1",
            publish_deadline_s=number(environ, "ENCORE_PUBLISH_DEADLINE_S", 5.0, low=0.1),
            redis_url=environ.get("REDIS_URL") or None,
            rate_events=rate,
            rate_burst=burst,
        )
