"""A well-filled Elasticsearch for the board, and a chromium on its page."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import timedelta

import polars as pl
import pytest
from playwright.sync_api import Browser, sync_playwright

from beam_pipeline.edges.elasticsearch import ElasticsearchConfig, apply_templates
from beam_pipeline.edges.redis import ProgressConfig
from functions.board.build import build
from infra.local.stack import Stack
from tests.board.browsing import CHROMIUM, FLAGS, Clock, Switch, Visit, visiting
from tests.board.fill import Simulated, fill
from tests.board.filled import NOW, START, Filled
from tests.board.offers import MESSAGES, TARGETS, messages, targets, upgrades
from tests.board.serving import board, serving


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    build()
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def door(filled: Filled) -> Switch:
    return Switch(board(filled.elasticsearch, filled.redis, Clock()))


@pytest.fixture
def url(door: Switch) -> Iterator[str]:
    with serving(door) as address:
        yield address


@pytest.fixture
def visit(browser: Browser, url: str) -> Iterator[Visit]:
    with visiting(browser, url) as found:
        found.open()
        yield found
