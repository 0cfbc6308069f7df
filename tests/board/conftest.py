"""A well-filled Elasticsearch for the board: three simulated hours, and plain lists of the same."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from elasticsearch import Elasticsearch

from beam_pipeline.edges.elasticsearch import ElasticsearchConfig, apply_templates
from beam_pipeline.edges.redis import ProgressConfig
from functions.board.catalogue import load
from functions.board.data import Data
from functions.board.progress import ProgressReader
from infra.local.stack import Stack
from tests.board.fill import Simulated, fill
from tests.board.offers import MESSAGES, TARGETS, messages, targets, upgrades

START = datetime(2026, 3, 1, 22, tzinfo=UTC)
NOW = START + timedelta(hours=2, minutes=47, seconds=30)
"""The board's clock in these tests: the top lists' two windows lie on two days."""


@dataclass
class Filled:
    """Where the data are, and the same as plain dictionaries by dataset."""

    elasticsearch: str
    redis: str
    rows: dict[str, list[dict[str, Any]]]
    customers: list[dict[str, str]]
    """The reference data's, with names and phones."""

    def client(self) -> Elasticsearch:
        """A client of its own."""
        return Elasticsearch(self.elasticsearch, request_timeout=30)

    def data(self, *, customers: bool = True, now: datetime = NOW) -> Data:
        """The board's reader with nothing cached, its clock at `now`."""
        progress = ProgressReader(self.redis)
        return Data(
            self.client(), progress, load(), customers=customers, clock=lambda: now.timestamp()
        )


@pytest.fixture(scope="session")
def filled(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """Three hours of plays with every fault, offers, targets and messages."""
    config = ElasticsearchConfig(stack.elasticsearch)
    client, sink = config.client(), config.open()
    for index in client.indices.get(index="*"):
        client.indices.delete(index=index)
    apply_templates(client, replicas=0)
    simulated = Simulated(tmp_path_factory.mktemp("simulated"), START, hours=3)
    simulated.write()
    frames = fill(simulated, sink)
    frames["targets"] = pl.DataFrame(targets(START), schema=TARGETS)
    frames["messages"] = pl.DataFrame(messages(START), schema=MESSAGES)
    offers = pl.DataFrame(upgrades(START), schema=frames["ad_events"].schema)
    frames["ad_events"] = pl.concat([frames["ad_events"], offers])
    for name, frame in (("targets", None), ("messages", None), ("ad_events", offers)):
        assert sink.write(name, frames[name] if frame is None else frame).is_empty()
    for store, minutes in (("elasticsearch", 1), ("bigquery", 2)):
        newest = int((NOW - timedelta(minutes=minutes)).timestamp() * 1000)
        ProgressConfig(stack.redis).open().record(store, newest, newest)
    client.indices.refresh()
    identity = ["customer_id", "event_id"]
    for name in ("plays", "ad_events"):
        frames[name] = frames[name].unique(identity, keep="first", maintain_order=True)
    rows = {name: frame.to_dicts() for name, frame in frames.items()}
    with (simulated.folder / "customers.csv").open(newline="") as stream:
        customers = list(csv.DictReader(stream))
    yield Filled(stack.elasticsearch, stack.redis, rows, customers)
    for index in client.indices.get(index="*"):
        client.indices.delete(index=index)
