"""Publishing to a Pub/Sub topic, many messages a request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud import pubsub_v1
from google.pubsub_v1 import PublisherClient, PublishRequest, PubsubMessage

MESSAGES_A_REQUEST = 1_000
BYTES_A_REQUEST = 5_000_000
"""Pub/Sub takes 1,000 messages and 10 MB a request; attributes need room too."""
TIMEOUT_SECONDS = 60.0


class NotPublished(Exception):
    """Pub/Sub did not take messages; the text is its own."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish."""

    data: bytes
    attributes: Mapping[str, str]


class Topic:
    """One topic, "projects/P/topics/T", of the emulator where PUBSUB_EMULATOR_HOST names it."""

    def __init__(self, name: str) -> None:
        self._name = name
        try:
            transport = pubsub_v1.PublisherClient().transport
        except (GoogleAPIError, GoogleAuthError) as error:
            raise NotPublished(str(error)) from error
        self._client = PublisherClient(transport=transport)

    def publish(self, messages: Sequence[Outgoing]) -> Iterator[int]:
        """Publish in order; gives how many are acknowledged after each request.

        Raises:
            NotPublished: what was given before is safe, of the rest some may have arrived.
        """
        done = 0
        for part in _requests(messages):
            request = PublishRequest(
                topic=self._name,
                messages=[
                    PubsubMessage(data=message.data, attributes=dict(message.attributes))
                    for message in part
                ],
            )
            try:
                self._client.publish(request=request, timeout=TIMEOUT_SECONDS)
            except (GoogleAPIError, GoogleAuthError) as error:
                raise NotPublished(str(error)) from error
            done += len(part)
            yield done


def _requests(messages: Sequence[Outgoing]) -> Iterator[Sequence[Outgoing]]:
    start = size = 0
    for number, message in enumerate(messages):
        if number - start == MESSAGES_A_REQUEST or size + len(message.data) > BYTES_A_REQUEST:
            if number > start:
                yield messages[start:number]
            start, size = number, 0
        size += len(message.data)
    if start < len(messages):
        yield messages[start:]
