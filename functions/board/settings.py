"""What the board is told by its environment, read in this one place at the first request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from functions.shared.environment import required


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of the board."""

    elasticsearch_url: str
    elasticsearch_api_key: str | None = field(repr=False)
    redis_url: str | None
    """Where the pipeline keeps its progress; without it the page cannot say how far that is."""
    customers: bool
    """Whether customer ids are shown."""
    model: str | None
    """Path, http(s) or gs:// address of models/current.json; None shows no model card."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """From the environment.

        Raises:
            SettingsError: when ELASTICSEARCH_URL is not set.
        """
        return cls(
            elasticsearch_url=required(environ, "ELASTICSEARCH_URL"),
            elasticsearch_api_key=environ.get("ELASTICSEARCH_API_KEY") or None,
            redis_url=environ.get("REDIS_URL") or None,
            customers=environ.get("BOARD_CUSTOMERS") == "1",
            model=environ.get("BOARD_MODEL") or None,
        )
