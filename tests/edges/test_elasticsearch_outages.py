import logging
from collections.abc import Callable
from urllib.parse import urlsplit

import polars as pl
import pytest
from elasticsearch import Elasticsearch

from beam_pipeline.domain.schemas import PLAYS
from beam_pipeline.edges.elasticsearch import ElasticsearchConfig, ElasticsearchSink
from beam_pipeline.edges.retry import Outage
from infra.local.stack import Stack
from tests.edges.gate import gate, moody
from tests.edges.rows import interests, plays
from tests.edges.stored import documents, stored


def test_an_outage_is_waited_out_and_said_twice_in_the_log(
    elastic: Elasticsearch, stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    address = urlsplit(stack.elasticsearch)
    with gate("127.0.0.1", address.port or 0) as door:
        client = ElasticsearchConfig(f"http://127.0.0.1:{door.port}", timeout=5).client()
        sink = ElasticsearchSink(client, Outage("Elasticsearch", opens_after(3, door.open)))
        sink.write("plays", plays(50, seed=1))
        door.close()
        with caplog.at_level(logging.INFO, "beam_pipeline"):
            assert sink.write("plays", plays(50, seed=2)).is_empty()
            sink.write("interests", interests([(1, 1, "A", 1, 2, 3)]))
        sink.close()
    assert len(documents(elastic, "plays-*")) == 100
    assert [r.getMessage().split(" ")[1] for r in caplog.records] == ["does", "is"]


def opens_after(tries: int, action: Callable[[], None]) -> Callable[[float], None]:
    """A sleep that takes no time and at the last of some tries ends the outage."""
    left = [tries]

    def sleep(_: float) -> None:
        left[0] -= 1
        if not left[0]:
            action()
        assert left[0] > -100, "the outage is over and yet it is waited"

    return sleep


def test_an_answer_that_is_not_about_the_documents_is_waited_out(
    elastic: Elasticsearch, stack: Stack
) -> None:
    with moody(stack.elasticsearch) as moods:
        client = ElasticsearchConfig(moods.url).client()
        sink = ElasticsearchSink(client, Outage("Elasticsearch", lambda _: None))
        moods.statuses = [429, 500, 502, 503, 504, 401, 403]
        assert sink.write("plays", plays(10)).is_empty()
        moods.statuses = [429, 500, 502, 503, 504, 401, 403]
        assert sink.write("interests", interests([(1, 1, "A", 1, 2, 3)])).is_empty()
        sink.close()
    assert len(documents(elastic, "plays-*")) == 10
    assert len(documents(elastic, "interests")) == 1


def test_only_the_documents_that_were_not_taken_are_sent_again(
    elastic: Elasticsearch, stack: Stack
) -> None:
    frame = plays(40, hours=24)
    elastic.indices.create(index="plays-2026.09.22", settings={"blocks": {"write": True}})

    def lift(_: float) -> None:
        assert len(documents(elastic, "plays-2026.09.21")) == first_day
        elastic.indices.put_settings(index="plays-2026.09.22", settings={"blocks.write": False})

    first_day = frame.filter(pl.col("played_at").dt.day() == 21).height
    assert 0 < first_day < 40
    sink = ElasticsearchSink(elastic, Outage("Elasticsearch", lift))
    assert sink.write("plays", frame).is_empty()
    assert stored(elastic, "plays-*", PLAYS).equals(frame.sort(PLAYS.names()[:4]))


def test_a_full_cluster_is_not_the_documents_fault(elastic: Elasticsearch) -> None:
    def make_room(_: float) -> None:
        elastic.cluster.put_settings(persistent={"cluster.max_shards_per_node": None})

    elastic.indices.create(index="plays-2000.01.01")
    elastic.cluster.put_settings(persistent={"cluster.max_shards_per_node": 1})
    try:
        sink = ElasticsearchSink(elastic, Outage("Elasticsearch", make_room))
        assert sink.write("plays", plays(3)).is_empty()
    finally:
        make_room(0)
    assert len(documents(elastic, "plays-2026.09.21")) == 3


def test_a_body_that_is_too_large_is_cut_until_it_is_taken(
    elastic: Elasticsearch, stack: Stack
) -> None:
    frame = plays(100)
    with moody(stack.elasticsearch) as moods:
        moods.most_bytes = 5_000
        sink = ElasticsearchConfig(moods.url).open()
        assert sink.write("plays", frame).is_empty()
        moods.most_bytes = 700
        huge = plays(3, seed=2).with_columns(
            pl.when(pl.col("event_id") == "2-1")
            .then(pl.lit("x" * 1000))
            .otherwise("title")
            .alias("title")
        )
        letters = sink.write("plays", huge)
        sink.close()
    assert letters["detail"].str.contains("too large").to_list() == [True]
    assert stored(elastic, "plays-*", PLAYS).height == 102


def test_frames_of_many_megabytes_go_out_in_several_bodies(
    elastic: Elasticsearch, stack: Stack
) -> None:
    frame = plays(2_000).with_columns(pl.lit("x" * 6_000).alias("title"))
    with moody(stack.elasticsearch) as moods:
        sink = ElasticsearchConfig(moods.url).open()
        assert sink.write("plays", frame).is_empty()
        sink.close()
        assert moods.requests == 3
    elastic.indices.refresh(index="plays-*")
    assert elastic.count(index="plays-*")["count"] == 2_000
