import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from elasticsearch import Elasticsearch

from beam_pipeline.domain.schemas import (
    AD_EVENTS,
    DATASETS,
    DEAD_LETTERS,
    HEALTH,
    INTERESTS,
    LISTENING,
    MESSAGES,
    PLAYS,
)
from beam_pipeline.edges.elasticsearch import (
    ElasticsearchConfig,
    ElasticsearchSink,
    apply_templates,
)
from infra.local.stack import Stack
from tests.edges.rows import ad_events, health, interests, listening, outcomes, plays
from tests.edges.stored import documents, stored


@pytest.fixture
def sink(elastic: Elasticsearch, stack: Stack) -> ElasticsearchSink:
    return ElasticsearchConfig(stack.elasticsearch).open()


def test_a_play_is_stored_with_every_column_as_it_was(
    sink: ElasticsearchSink, elastic: Elasticsearch
) -> None:
    frame = plays(500)
    assert sink.write("plays", frame).is_empty()
    assert stored(elastic, "plays-*", PLAYS).equals(frame.sort(PLAYS.names()[:4]))


def test_a_document_names_its_customer_and_event_and_its_index_the_day_played(
    sink: ElasticsearchSink, elastic: Elasticsearch
) -> None:
    frame = plays(40, hours=24)
    sink.write("plays", frame)
    elastic.indices.refresh(index="plays-*")
    hits = elastic.search(index="plays-*", size=100)["hits"]["hits"]
    assert {(hit["_index"], hit["_id"]) for hit in hits} == {
        (f"plays-{play['played_at']:%Y.%m.%d}", f"{play['customer_id']}-{play['event_id']}")
        for play in frame.iter_rows(named=True)
    }
    assert len({hit["_index"] for hit in hits}) == 2


def test_the_time_that_only_a_restart_needs_is_not_stored(
    sink: ElasticsearchSink, elastic: Elasticsearch
) -> None:
    frame = plays(2).with_columns(pl.col("published_at").alias("publish_time"))
    assert sink.write("plays", frame).is_empty()
    assert all(set(d) == set(PLAYS) for d in documents(elastic, "plays-*").values())


def test_writing_again_changes_nothing(sink: ElasticsearchSink, elastic: Elasticsearch) -> None:
    frame = plays(300)
    sink.write("plays", frame)
    before = documents(elastic, "plays-*")
    again = frame.with_columns(pl.col("published_at").dt.offset_by("1h"))
    assert sink.write("plays", again.sample(fraction=0.5, seed=1)).is_empty()
    assert documents(elastic, "plays-*") == before


def test_a_play_that_knows_more_replaces_one_that_knew_less_in_any_order(
    sink: ElasticsearchSink, elastic: Elasticsearch
) -> None:
    frame = plays(20)
    less = frame.with_columns(pl.lit(0, pl.Int8).alias("joined"), pl.lit(None).alias("title"))
    more = frame.with_columns(pl.lit(2, pl.Int8).alias("joined"), pl.lit("Known").alias("title"))
    sink.write("plays", pl.concat([less.cast(PLAYS)[:10], more.cast(PLAYS)]))
    sink.write("plays", less.cast(PLAYS))
    assert {d["title"] for d in documents(elastic, "plays-*").values()} == {"Known"}


def test_a_smaller_count_never_replaces_a_larger_one(
    sink: ElasticsearchSink, elastic: Elasticsearch
) -> None:
    sink.write("listening", listening([(5, "artist", "Zoë / 2", 7, 3), (30, "all", "all", 9, 4)]))
    sink.write("listening", listening([(5, "artist", "Zoë / 2", 6, 5), (30, "all", "all", 10, 4)]))
    found = documents(elastic, "listening")
    assert {key: (d["plays"], d["listeners"]) for key, d in found.items()} == {
        "2026-09-21T12:00Z/5/artist/Zoë / 2": (7, 3),
        "2026-09-21T12:00Z/30/all/all": (10, 4),
    }
    assert stored(elastic, "listening", LISTENING).height == 2


def test_names_that_are_longer_than_an_id_may_be_are_counted_apart(
    sink: ElasticsearchSink, elastic: Elasticsearch
) -> None:
    names = ["가" * 400, "가" * 400 + "b", "short"]
    frame = listening([(5, "artist", name, 1, 1) for name in names])
    assert sink.write("listening", frame).is_empty()
    assert sink.write("listening", frame).is_empty()
    assert {d["key"] for d in documents(elastic, "listening").values()} == set(names)


def test_a_minute_of_health_keeps_its_highest_received(
    sink: ElasticsearchSink, elastic: Elasticsearch
) -> None:
    for received in (5, 9, 7):
        sink.write("health", health([(0, received, 1), (1, 1, 0)]))
    assert stored(elastic, "health", HEALTH)["received"].to_list() == [9, 1]


def test_an_ad_event_is_stored_once(sink: ElasticsearchSink, elastic: Elasticsearch) -> None:
    for _ in range(2):
        sink.write("ad_events", ad_events(10))
    assert stored(elastic, "ad_events", AD_EVENTS).equals(ad_events(10))


def test_interests_merge_to_smallest_since_and_largest_latest_and_peak_in_any_order(
    elastic: Elasticsearch, stack: Stack
) -> None:
    parts = [
        interests([(1, 1, None, 10, 20, 3), (1, 2, "B", 0, 0, 3), (1, 1, "A", 30, 40, 5)]),
        interests([(1, 1, "A", 5, 15, 4), (2, 1, "A", 1, 2, 3)]),
        interests([(1, 1, None, 7, 8, 3)]),
    ]
    expected = interests([(1, 1, "A", 5, 40, 5), (1, 2, "B", 0, 0, 3), (2, 1, "A", 1, 2, 3)])
    for order in ([0, 1, 2], [2, 1, 0], [1, 1, 0, 2, 0]):
        for restarts in (False, True):
            sink = ElasticsearchConfig(stack.elasticsearch).open()
            for number in order:
                if restarts:
                    sink = ElasticsearchConfig(stack.elasticsearch).open()
                assert sink.write("interests", parts[number]).is_empty()
            assert stored(elastic, "interests", INTERESTS).equals(expected)
            elastic.indices.delete(index="interests")


def test_an_interest_that_says_nothing_new_is_not_written(
    sink: ElasticsearchSink, elastic: Elasticsearch
) -> None:
    for since in (1, 2):
        sink.write("interests", interests([(1, 1, "A", since, 5, 3)]))
    assert elastic.get(index="interests", id="1-1")["_version"] == 1


def test_an_interest_that_another_writer_changed_meanwhile_is_merged_again(
    elastic: Elasticsearch, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink, other = (ElasticsearchConfig(stack.elasticsearch).open() for _ in range(2))
    sink.write("interests", interests([(1, 1, "A", 10, 20, 3)]))
    other.write("interests", interests([(1, 1, "A", 10, 21, 3), (1, 2, "B", 4, 4, 3)]))
    read = sink._bulk.read
    between = [interests([(1, 1, "A", 0, 5, 9), (1, 2, "B", 3, 3, 3)])]

    def read_and_be_overtaken(index: str, ids: list[str]) -> list[dict[str, Any]]:
        found = read(index, ids)
        if between:
            other.write("interests", between.pop())
        return found

    monkeypatch.setattr(sink._bulk, "read", read_and_be_overtaken)
    sink.write("interests", interests([(1, 1, "A", 8, 30, 4), (1, 2, "B", 1, 1, 3)]))
    expected = interests([(1, 1, "A", 0, 30, 9), (1, 2, "B", 1, 4, 3)])
    assert not between
    assert stored(elastic, "interests", INTERESTS).equals(expected)


def test_nothing_is_read_of_what_this_sink_wrote_itself(
    sink: ElasticsearchSink, elastic: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("beam_pipeline.edges.interests.MOST_KNOWN", 3)
    asked: list[str] = []
    read = sink._bulk.read

    def counted(index: str, ids: list[str]) -> list[dict[str, Any]]:
        asked.extend(ids)
        return read(index, ids)

    monkeypatch.setattr(sink._bulk, "read", counted)
    for latest in range(3):
        sink.write("interests", interests([(1, n, "A", 0, latest, 3) for n in range(3)]))
    assert asked == []
    sink.write("interests", interests([(1, 3, "A", 0, 9, 3)]))
    sink.write("interests", interests([(1, 0, "A", 0, 9, 3), (1, 3, "A", 0, 10, 3)]))
    assert asked == ["1-0"]
    expected = interests([(1, n, "A", 0, minute, 3) for n, minute in enumerate((9, 2, 2, 10))])
    assert stored(elastic, "interests", INTERESTS).equals(expected)


def test_interests_go_on_after_their_index_was_deleted(
    sink: ElasticsearchSink, elastic: Elasticsearch
) -> None:
    sink.write("interests", interests([(1, 1, "A", 0, 1, 3)]))
    elastic.indices.delete(index="interests")
    sink.write("interests", interests([(1, 1, "A", 0, 2, 3)]))
    assert stored(elastic, "interests", INTERESTS).equals(interests([(1, 1, "A", 0, 2, 3)]))


def test_a_document_that_the_mapping_refuses_is_a_dead_letter_and_its_neighbours_are_stored(
    elastic: Elasticsearch,
) -> None:
    moment = datetime(2026, 9, 22, tzinfo=UTC)
    sink = ElasticsearchSink(elastic, clock=lambda: moment)
    frame = plays(5).with_columns(
        pl.when(pl.col("event_id") == "1-2")
        .then(pl.lit("nowhere"))
        .otherwise("location")
        .alias("location")
    )
    letters = sink.write("plays", frame)
    assert letters.schema == DEAD_LETTERS
    assert len(documents(elastic, "plays-*")) == 4
    letter = letters.row(0, named=True)
    assert letter["id"] == f"elasticsearch/plays/plays-2026.09.21/{frame[2, 1]}-1-2"
    assert (letter["received_at"], letter["source"]) == (moment, "elasticsearch")
    assert letter["reason"] == "refused"
    assert "location" in letter["detail"]
    assert json.loads(letter["payload"])["location"] == "nowhere"
    assert json.loads(letter["attributes"]) == {"dataset": "plays", "store": "elasticsearch"}
    assert sink.write("plays", frame)["id"].to_list() == letters["id"].to_list()


def test_a_column_that_the_mapping_does_not_know_is_refused_and_not_guessed(
    sink: ElasticsearchSink, elastic: Elasticsearch
) -> None:
    letters = sink.write("plays", plays(2).with_columns(pl.lit(1).alias("surprise")))
    assert letters["detail"].str.contains("surprise").all()
    assert "surprise" not in json.dumps(elastic.indices.get_mapping(index="plays-*").body)


def test_an_earlier_outcome_of_a_message_never_replaces_a_later_one(
    sink: ElasticsearchSink, elastic: Elasticsearch
) -> None:
    first = outcomes(10)
    later = first.with_columns(pl.lit("unknown").alias("status"), pl.col("at").dt.offset_by("1m"))
    for frame in (first, later, first):
        assert sink.write("messages", frame).is_empty()
    assert stored(elastic, "messages", MESSAGES).equals(later.sort(MESSAGES.names()[:4]))


def test_an_empty_frame_asks_nothing(stack: Stack) -> None:
    sink = ElasticsearchConfig("http://127.0.0.1:9").open()
    for dataset in ("plays", "interests"):
        assert sink.write(dataset, DATASETS[dataset].to_frame()).is_empty()


def test_a_dataset_without_an_index_is_a_mistake(sink: ElasticsearchSink) -> None:
    with pytest.raises(ValueError, match="dead_letters"):
        sink.write("dead_letters", DEAD_LETTERS.to_frame())


def test_every_index_has_exactly_the_columns_of_its_dataset(elastic: Elasticsearch) -> None:
    for dataset in sorted(ElasticsearchSink.datasets & set(DATASETS)):
        template = elastic.indices.get_index_template(name=f"encore-{dataset}")
        body = template["index_templates"][0]["index_template"]["template"]
        assert set(body["mappings"]["properties"]) == set(DATASETS[dataset])
        assert body["mappings"]["dynamic"] == "strict"


def test_applying_the_templates_again_adds_new_fields_to_indices_that_are_there(
    elastic: Elasticsearch, tmp_path: Path
) -> None:
    elastic.indices.create(index="health")
    body = {
        "index_patterns": ["health"],
        "priority": 300,
        "template": {
            "settings": {},
            "mappings": {"properties": {"unknown_zip": {"type": "long"}}},
        },
    }
    (tmp_path / "health.json").write_text(json.dumps(body))
    try:
        assert apply_templates(elastic, replicas=0, folder=tmp_path) == ["encore-health"]
        fields = elastic.indices.get_mapping(index="health")["health"]["mappings"]["properties"]
        assert {"unknown_zip", "received"} <= set(fields)
    finally:
        apply_templates(elastic, replicas=0)


def test_documents_can_be_searched_a_second_later(
    sink: ElasticsearchSink, elastic: Elasticsearch
) -> None:
    sink.write("plays", plays(3))
    settings = elastic.indices.get_settings(index="plays-2026.09.21")["plays-2026.09.21"]
    assert settings["settings"]["index"]["refresh_interval"] == "1s"
