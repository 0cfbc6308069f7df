"""Settings out of environment variables: who may call, and the small readers for values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

import msgspec

MIN_SECRET = 16
AuthMode = Literal["hmac", "iam", "none"]


class SettingsError(ValueError):
    """An environment in which a door must not open; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Auth:
    """Who may call.

    `hmac` believes signatures of `keys`; `iam` leaves the question to the platform in front;
    `none` believes everybody and is for one's own machine alone.
    """

    mode: AuthMode
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Auth:
        """From ENCORE_AUTH (hmac unless said otherwise), ENCORE_KEYS and ENCORE_KEYS_FILE.

        Raises:
            SettingsError: for another mode, and for hmac without a usable key.
        """
        mode = environ.get("ENCORE_AUTH", "hmac")
        if mode not in ("hmac", "iam", "none"):
            raise SettingsError("ENCORE_AUTH is hmac, iam or none")
        if mode != "hmac":
            return cls(cast(AuthMode, mode))
        return cls("hmac", _keys(environ))


def _keys(environ: Mapping[str, str]) -> dict[str, str]:
    text = environ.get("ENCORE_KEYS", "")
    path = environ.get("ENCORE_KEYS_FILE", "")
    if not text and path:
        try:
            text = Path(path).read_text()
        except OSError as error:
            raise SettingsError(f"ENCORE_KEYS_FILE cannot be read: {error.strerror}") from None
    if not text:
        raise SettingsError(
            "no keys: set ENCORE_KEYS or ENCORE_KEYS_FILE to a JSON object of key id and secret, "
            "or ENCORE_AUTH to iam or none"
        )
    try:
        keys = msgspec.json.decode(text, type=dict[str, str])
    except msgspec.MsgspecError:
        raise SettingsError("the keys are not a JSON object of key id and secret") from None
    if not keys or any(len(secret) < MIN_SECRET for secret in keys.values()):
        raise SettingsError(f"a key's secret has at least {MIN_SECRET} characters")
    return keys


def required(environ: Mapping[str, str], name: str) -> str:
    """A value that has to be there."""
    value = environ.get(name, "")
    if not value:
        raise SettingsError(f"{name} is not set")
    return value


def number(environ: Mapping[str, str], name: str, default: float, low: float = 0.0) -> float:
    """A number that is at least `low`."""
    text = environ.get(name, "")
    try:
        value = float(text) if text else default
    except ValueError:
        raise SettingsError(f"{name} is not a number") from None
    if not low <= value < 1e12:
        raise SettingsError(f"{name} is at least {low:g}")
    return value
