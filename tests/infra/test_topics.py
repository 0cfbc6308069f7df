"""The topic, its subscription and the heartbeat, in the real emulator."""

from collections.abc import Iterator

import pytest
from google.api_core.exceptions import DeadlineExceeded
from google.cloud.pubsub_v1 import SubscriberClient

from infra.local import topics
from infra.local.stack import Stack


@pytest.fixture
def subscriber(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[SubscriberClient]:
    """The official client against the emulator."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", stack.pubsub)
    with SubscriberClient() as client:
        yield client


def test_the_subscription_keeps_acknowledged_messages_for_seven_days(
    stack: Stack, subscriber: SubscriberClient
) -> None:
    ends = stack.endpoints
    path = subscriber.subscription_path(ends.project, ends.subscription)
    found = subscriber.get_subscription(subscription=path)
    assert found.retain_acked_messages
    assert found.message_retention_duration.days == 7
    assert found.topic == subscriber.topic_path(ends.project, ends.topic)


def test_making_topic_and_subscription_again_changes_nothing(stack: Stack) -> None:
    assert stack.pubsub
    topics.create(stack.ports.pubsub)


def test_the_heart_beats_until_its_context_ends(stack: Stack, subscriber: SubscriberClient) -> None:
    topics.create(stack.ports.pubsub, "beats", "beats-heard")
    path = subscriber.subscription_path(stack.endpoints.project, "beats-heard")
    with topics.Heartbeat(stack.ports.pubsub, "beats"):
        heard = subscriber.pull(subscription=path, max_messages=1, timeout=30)
    [first] = heard.received_messages
    assert dict(first.message.attributes) == {"kind": "heartbeat"}
    subscriber.acknowledge(subscription=path, ack_ids=[first.ack_id])
    assert any(beats(subscriber, path) == 0 for _ in range(10))


def beats(subscriber: SubscriberClient, path: str) -> int:
    """How many messages come within three seconds, longer than a heart takes to beat."""
    try:
        found = subscriber.pull(subscription=path, max_messages=100, timeout=3, retry=None)
    except DeadlineExceeded:
        return 0
    ids = [one.ack_id for one in found.received_messages]
    if ids:
        subscriber.acknowledge(subscription=path, ack_ids=ids)
    return len(ids)
