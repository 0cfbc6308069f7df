"""What offer is told by its environment, read in this one place at the first request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from functions.shared.environment import Auth, number, required


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of offer."""

    auth: Auth
    redis_url: str
    simulated_time: bool
    """Whether the header Encore-Now is listened to."""
    rate: float
    """Requests a second that one key may make in the long run; 0 is no limit."""
    burst: float
    """Requests that one key may make at once after a pause."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """From the environment.

        Raises:
            SettingsError: when offer must not open; the text says which value is to blame.
        """
        rate = number(environ, "ENCORE_RATE_REQUESTS", 2000)
        return cls(
            auth=Auth.read(environ),
            redis_url=required(environ, "REDIS_URL"),
            simulated_time=environ.get("ENCORE_SIMULATED_TIME") == "1",
            rate=rate,
            burst=number(environ, "ENCORE_RATE_BURST", max(10 * rate, 1), low=1),
        )
