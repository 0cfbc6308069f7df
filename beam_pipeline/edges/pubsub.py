"""Pub/Sub as the stream's source, and the seek with which a local restart begins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import apache_beam as beam
import grpc
from apache_beam.io.gcp.pubsub import PubsubMessage, ReadFromPubSub
from apache_beam.pvalue import PBegin, PCollection
from google.cloud import pubsub  # type: ignore[attr-defined]
from google.cloud.pubsub_v1 import SubscriberClient
from google.protobuf.timestamp_pb2 import Timestamp
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from beam_pipeline.domain.dedup import DEDUP_HORIZON
from beam_pipeline.domain.instants import Instant
from beam_pipeline.domain.lines import Block
from beam_pipeline.domain.reasons import InvalidEvent
from beam_pipeline.domain.replay import REPLAY_OF, home_of

EMULATOR = "PUBSUB_EMULATOR_HOST"
"""The variable by which Google's clients know of an emulator: HOST:PORT."""

DISORDER = timedelta(minutes=10)
"""How far apart messages may be written from the order in which they were published."""

RETAINED = timedelta(days=7)
"""How long the subscription keeps acknowledged messages."""


class _EmulatorClient(SubscriberClient):
    """A client whose channel to an emulator takes answers of any size.

    Google's takes any size of the service, but 4 MB of an emulator. Ten large requests are more,
    and one pull that fails four times ends the local runner's reading for good.
    """

    def __init__(self) -> None:
        unlimited = [("grpc.max_receive_message_length", -1)]
        channel = grpc.insecure_channel(os.environ[EMULATOR], unlimited)
        super().__init__(transport=SubscriberGrpcTransport(channel=channel))


class ReadBlocks(beam.PTransform):
    """A subscription → PCollection[Block], one block a message.

    Where PUBSUB_EMULATOR_HOST names an emulator, the client that the local runner makes for itself
    is one that takes answers of any size.

    Args:
        subscription: "projects/P/subscriptions/S".
    """

    def __init__(self, subscription: str) -> None:
        super().__init__()
        self._subscription = subscription

    def expand(self, begin: PBegin) -> PCollection[Block]:
        """Read with attributes."""
        if EMULATOR in os.environ:
            pubsub.SubscriberClient = _EmulatorClient
        return (
            begin
            | "Read messages"
            >> ReadFromPubSub(subscription=self._subscription, with_attributes=True)
            | "As blocks" >> beam.Map(block_of).with_output_types(Block)
        )


def block_of(message: PubsubMessage) -> Block:
    """The block that a message carries.

    `published_at` of the attributes counts where it is a time, else Pub/Sub's publish time. A
    line of a replayed dead letter that is refused again is that letter again, by its id.
    """
    attributes: Mapping[str, str] = message.attributes or {}
    publish_time_ms = _milliseconds(message.publish_time)
    published_ms = publish_time_ms
    if "published_at" in attributes:
        try:
            published_ms = Instant.parse(attributes["published_at"]).ms
        except InvalidEvent:
            published_ms = publish_time_ms
    id_, first_line = message.message_id, 0
    if REPLAY_OF in attributes:
        id_, first_line = home_of(attributes[REPLAY_OF])
    return Block(
        kind=attributes.get("kind", ""),
        schema=attributes.get("schema", "1"),
        payload=message.data,
        published_ms=published_ms,
        publish_time_ms=publish_time_ms,
        id=id_,
        source=attributes.get("source", "pubsub"),
        attributes=dict(attributes),
        first_line=first_line,
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def seek(subscription: str, progress_ms: int | None, now: datetime) -> datetime:
    """Take a subscription back to where a restarted pipeline has to begin.

    The DirectRunner acknowledges before it processes and forgets its state, so everything that
    the state would hold is read again: from the publish time that the stores have reached, less
    the disorder and the dedup horizon. Writing it all again changes nothing.

    Args:
        subscription: "projects/P/subscriptions/S".
        progress_ms: publish time, in ms, of the newest plays that all stores hold; None to begin
            with the oldest message that is retained.
        now: the current time, aware.

    Returns:
        The moment that was sought.
    """
    if progress_ms is None:
        moment = now - RETAINED
    else:
        reached = datetime.fromtimestamp(progress_ms / 1000, UTC)
        moment = reached - DISORDER - DEDUP_HORIZON
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    with SubscriberClient() as client:
        client.seek(request={"subscription": subscription, "time": stamp}, timeout=60)
    return moment
