"""Publishing: everything once, in requests that Pub/Sub takes."""

from __future__ import annotations

import grpc
import pytest
from google.pubsub_v1 import SubscriberClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from beam_pipeline.edges.publishing import (
    BYTES_A_REQUEST,
    MESSAGES_A_REQUEST,
    NotPublished,
    Outgoing,
    Topic,
)
from infra.local import topics
from infra.local.stack import Stack


def pulled(stack: Stack, subscription: str, most: int) -> list[tuple[bytes, dict[str, str]]]:
    path = f"projects/{stack.endpoints.project}/subscriptions/{subscription}"
    found: dict[str, tuple[bytes, dict[str, str]]] = {}
    channel = grpc.insecure_channel(stack.pubsub, [("grpc.max_receive_message_length", -1)])
    with SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)) as client:
        while len(found) < most:
            answer = client.pull(subscription=path, max_messages=300, timeout=30)
            ids = [received.ack_id for received in answer.received_messages]
            client.acknowledge(subscription=path, ack_ids=ids)
            for received in answer.received_messages:
                message = received.message
                found[message.message_id] = (message.data, dict(message.attributes))
    return list(found.values())


def test_messages_arrive_once_with_any_attribute_however_many_there_are(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", stack.pubsub)
    topics.create(stack.ports.pubsub, "published", "published-here")
    large = BYTES_A_REQUEST // 2 + 1
    sent = [Outgoing(b"%d" % n, {"topic": "t", "n": str(n)}) for n in range(MESSAGES_A_REQUEST + 1)]
    sent += [Outgoing(b"x" * large, {"n": f"large {n}"}) for n in range(3)]
    topic = Topic(f"projects/{stack.endpoints.project}/topics/published")
    most = MESSAGES_A_REQUEST
    assert [*topic.publish(sent)] == [most, most + 2, most + 3, most + 4]
    held = sorted(pulled(stack, "published-here", len(sent)), key=repr)
    assert held == sorted([(one.data, dict(one.attributes)) for one in sent], key=repr)


def test_nothing_to_publish_asks_nothing(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", "127.0.0.1:1")
    assert [*Topic("projects/p/topics/t").publish([])] == []


def test_a_topic_that_there_is_not_is_said(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", stack.pubsub)
    topic = Topic(f"projects/{stack.endpoints.project}/topics/nobody-made-it")
    with pytest.raises(NotPublished):
        list(topic.publish([Outgoing(b"{}", {})]))
