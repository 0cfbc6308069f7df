"""What has arrived on a topic, by a topic and subscription of the test's own."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.api_core.exceptions import DeadlineExceeded
from google.pubsub_v1 import PubsubMessage, SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from infra.local import topics
from infra.local.stack import Stack

_numbers = itertools.count(1)


@dataclass
class Inbox:
    """A topic with everything that is published to it."""

    address: str
    project: str
    topic: str
    subscription: str
    messages: list[PubsubMessage] = field(default_factory=list)

    @classmethod
    def new(cls, stack: Stack) -> Inbox:
        """A topic that nobody else knows."""
        address = stack.pubsub
        name = f"doors-{next(_numbers)}"
        topics.create(stack.ports.pubsub, name, f"{name}-inbox")
        return cls(address, stack.endpoints.project, name, f"{name}-inbox")

    def wait(self, count: int, deadline_s: float = 20.0) -> list[PubsubMessage]:
        """All messages so far, once there are at least `count`."""
        deadline = time.monotonic() + deadline_s
        while len(self.messages) < count:
            assert time.monotonic() < deadline, f"{len(self.messages)} of {count} messages"
            self._pull(2.0)
        return self.messages

    def drain(self) -> list[PubsubMessage]:
        """All messages so far, after a pull that found nothing more."""
        while self._pull(1.0):
            pass
        return self.messages

    def lines(self, kind: str) -> list[Any]:
        """The JSON objects of all messages of a kind so far."""
        return [
            json.loads(line)
            for message in self.messages
            if message.attributes["kind"] == kind
            for line in message.data.split(b"\n")
        ]

    def _pull(self, timeout_s: float) -> int:
        with grpc.insecure_channel(self.address) as channel:
            client = SubscriberClient(
                transport=SubscriberGrpcTransport(host=self.address, channel=channel)
            )
            path = f"projects/{self.project}/subscriptions/{self.subscription}"
            try:
                found = client.pull(
                    request={"subscription": path, "max_messages": 100},
                    timeout=timeout_s,
                    retry=None,
                ).received_messages
            except DeadlineExceeded:
                return 0
            if found:
                acks = [each.ack_id for each in found]
                client.acknowledge(request={"subscription": path, "ack_ids": acks})
            self.messages += [each.message for each in found]
            return len(found)
