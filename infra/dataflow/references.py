"""Secrets by reference: `secret:projects/P/secrets/S/versions/N` stands for a value.

Command lines, templates and schedules carry the reference; the value is fetched where it is used,
with the identity of whoever runs there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

PREFIX = "secret:"
Fetch = Callable[[str], str]


def fetch(name: str) -> str:
    """The value of a version of a secret, from Secret Manager."""
    from google.cloud.secretmanager import SecretManagerServiceClient

    with SecretManagerServiceClient() as client:
        answer = client.access_secret_version(name=name, timeout=60)
    return str(answer.payload.data.decode())


def resolve(text: str, fetcher: Fetch = fetch) -> str:
    """The value that a reference stands for; any other text as it is."""
    return fetcher(text.removeprefix(PREFIX)) if text.startswith(PREFIX) else text


def resolve_flags(arguments: Sequence[str], fetcher: Fetch = fetch) -> list[str]:
    """A command line with the values of its `--flag=secret:…`."""
    resolved = []
    for word in arguments:
        flag, equals, value = word.partition("=")
        resolved.append(f"{flag}{equals}{resolve(value, fetcher)}" if equals else word)
    return resolved
