"""Getting messages to Pub/Sub: all of a request's in one call, or none that counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import grpc
from google.api_core.exceptions import (
    Aborted,
    DeadlineExceeded,
    GoogleAPIError,
    InternalServerError,
    ResourceExhausted,
    ServiceUnavailable,
    Unknown,
)
from google.api_core.retry import Retry, if_exception_type
from google.pubsub_v1 import PublisherClient, PublishRequest, PubsubMessage
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

_TRANSIENT = if_exception_type(
    Aborted, DeadlineExceeded, InternalServerError, ResourceExhausted, ServiceUnavailable, Unknown
)


@dataclass(frozen=True, slots=True)
class Message:
    """A message as Pub/Sub carries it."""

    data: bytes
    attributes: Mapping[str, str]


class NotPublished(RuntimeError):
    """Pub/Sub did not acknowledge in time: transient, the caller tries again."""


class Publisher(Protocol):
    """Takes messages; returns when they are safe."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Publish all of them.

        Raises:
            NotPublished: when they were not acknowledged; some may have arrived all the same.
        """


class PubSub:
    """Publishes to one topic and waits for the acknowledgement, `deadline_s` at most.

    One Publish call carries all messages of a request, so that they are acknowledged
    together. Calls of other threads share the channel and are not held up.
    """

    def __init__(self, project: str, topic: str, emulator: str | None, deadline_s: float) -> None:
        self._topic = f"projects/{project}/topics/{topic}"
        self._deadline_s = deadline_s
        self._retry = Retry(
            predicate=_TRANSIENT, initial=0.1, maximum=2.0, multiplier=2.0, timeout=deadline_s
        )
        self._client = PublisherClient(transport=_transport(emulator))

    def publish(self, messages: Sequence[Message]) -> None:
        request = PublishRequest(
            topic=self._topic,
            messages=[
                PubsubMessage(data=message.data, attributes=dict(message.attributes))
                for message in messages
            ],
        )
        try:
            self._client.publish(request=request, retry=self._retry, timeout=self._deadline_s)
        except GoogleAPIError as error:
            raise NotPublished(type(error).__name__) from error


def _transport(emulator: str | None) -> PublisherGrpcTransport | None:
    if not emulator:
        return None
    return PublisherGrpcTransport(host=emulator, channel=grpc.insecure_channel(emulator))
