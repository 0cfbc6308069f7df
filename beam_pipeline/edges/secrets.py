"""Secrets by reference: what a command line may name and only a worker may know.

`secret:projects/P/secrets/NAME/versions/V` stands for a version in Secret Manager. It is resolved
where a client is opened, so neither a job's parameters nor its graph hold the value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from google.cloud import secretmanager

PREFIX = "secret:"


def resolve(text: str, access: Callable[[str], str] | None = None) -> str:
    """The value that a reference stands for; any other text is its own value.

    Raises:
        google.api_core.exceptions.GoogleAPICallError: when Secret Manager does not give it.
    """
    if not text.startswith(PREFIX):
        return text
    return (access or _access)(text.removeprefix(PREFIX))


@lru_cache(maxsize=16)
def _access(name: str) -> str:
    client = secretmanager.SecretManagerServiceClient()
    return client.access_secret_version(request={"name": name}).payload.data.decode()
