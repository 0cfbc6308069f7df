import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from google.api_core.exceptions import BadRequest
from google.cloud import bigquery

from beam_pipeline.domain.schemas import DATASETS, DEAD_LETTERS, PLAYS, PROFILES
from beam_pipeline.edges.bigquery import BigQueryConfig, BigQuerySink, Stream, record_batches
from beam_pipeline.edges.loads import load_parquet
from beam_pipeline.edges.retry import Outage
from beam_pipeline.edges.sinks import Refused
from tests.edges.gate import gate
from tests.edges.rows import ad_events, health, interests, listening, outcomes, plays

Big = tuple[BigQueryConfig, bigquery.Client]


def rows(client: bigquery.Client, source: str, schema: pl.Schema) -> pl.DataFrame:
    """Every row of a table or view as a frame, sorted."""
    result = client.query_and_wait(f"SELECT {', '.join(schema)} FROM edges.{source}")
    frame = pl.DataFrame([tuple(row) for row in result], schema=schema, orient="row")
    return frame.sort(schema.names()[:4])


def count(client: bigquery.Client, table: str, column: str) -> int:
    """Rows of a table as they were appended."""
    sql = f"SELECT COUNT(*) FROM edges.{table} WHERE {column} > TIMESTAMP '2000-01-01'"
    (row,) = client.query_and_wait(sql)
    return int(row[0])


@pytest.fixture
def sink(big: Big) -> BigQuerySink:
    return big[0].open()


def test_every_column_comes_back_as_it_was(sink: BigQuerySink, big: Big) -> None:
    letters = pl.DataFrame(
        [("m/1", datetime(2026, 9, 21, tzinfo=UTC), "ingest", "not_utf8", None, b"\xff\x00", "{}")],
        schema=DEAD_LETTERS,
        orient="row",
    )
    written = {
        "plays": plays(500),
        "interests": interests([(1, 2, "달빛", 1, 2, 3)]),
        "listening": listening([(5, "artist", 'Zoë "Z"', 7, 3)]),
        "ad_events": ad_events(10),
        "messages": outcomes(20),
        "dead_letters": letters,
        "health": health([(0, 5, 1)]),
    }
    for dataset, frame in written.items():
        assert sink.write(dataset, frame).is_empty()
        found = rows(big[1], f"{dataset}_current", DATASETS[dataset])
        assert found.equals(frame.sort(frame.columns[:4])), dataset
    sink.close()


def test_the_time_that_only_a_restart_needs_is_not_stored(sink: BigQuerySink, big: Big) -> None:
    frame = plays(2).with_columns(pl.col("published_at").alias("publish_time"))
    assert sink.write("plays", frame).is_empty()
    assert rows(big[1], "plays_current", PLAYS).height == 2
    sink.close()


def test_rows_that_are_appended_again_count_once(sink: BigQuerySink, big: Big) -> None:
    frame = plays(300)
    later = frame.with_columns(pl.col("published_at").dt.offset_by("1h"))
    for part in (later[:100], frame, later, frame[200:]):
        assert sink.write("plays", part).is_empty()
    assert count(big[1], "plays", "played_at") == 800
    assert rows(big[1], "plays_current", PLAYS).equals(frame.sort(PLAYS.names()[:4]))
    sink.close()


def test_a_row_that_bigquery_refuses_is_a_dead_letter_and_its_neighbours_are_stored(
    big: Big,
) -> None:
    moment = datetime(2026, 9, 22, tzinfo=UTC)
    config, client = big
    sink = BigQuerySink(
        config.writer(), f"projects/{config.project}/datasets/edges", clock=lambda: moment
    )
    frame = plays(6).with_columns(
        pl.when(pl.col("event_id").is_in(["1-1", "1-4"]))
        .then(None)
        .otherwise("track_id")
        .alias("track_id")
    )
    letters = sink.write("plays", frame)
    assert letters.schema == DEAD_LETTERS
    assert [json.loads(p)["event_id"] for p in letters["payload"]] == ["1-1", "1-4"]
    assert letters["detail"].str.contains("track_id").all()
    assert letters["received_at"].unique().to_list() == [moment]
    assert json.loads(letters["attributes"][0]) == {"dataset": "plays", "store": "bigquery"}
    stored = rows(client, "plays_current", PLAYS)["event_id"].to_list()
    assert sorted(stored) == ["1-0", "1-2", "1-3", "1-5"]
    assert sink.write("plays", frame)["id"].to_list() == letters["id"].to_list()
    assert sink.write("dead_letters", letters).is_empty()
    sink.close()


def test_threads_that_write_to_a_table_for_the_first_time_share_its_stream(
    sink: BigQuerySink, big: Big, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both find that there is none yet; the one that is not used would be open for ever."""
    both = threading.Barrier(2)
    used: list[Stream] = []

    class Slow(Stream):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            both.wait(20)

        def append(self, batch: pa.RecordBatch) -> list[Refused]:
            used.append(self)
            return super().append(batch)

    monkeypatch.setattr("beam_pipeline.edges.bigquery.Stream", Slow)
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(partial(sink.write, "plays"), (plays(3, seed=1), plays(4, seed=2))))
    assert count(big[1], "plays", "played_at") == 7
    assert len(set(used)) == 1
    sink.close()


def test_an_outage_is_waited_out(big: Big) -> None:
    config, client = big
    host, port = str(config.grpc_endpoint).split(":")
    with gate(host, int(port)) as door:
        beyond = BigQueryConfig(config.project, "edges", config.endpoint, f"{host}:{door.port}")
        tries: list[float] = []

        def sleep(seconds: float) -> None:
            tries.append(seconds)
            if len(tries) > 2:
                door.open()
            time.sleep(0.2)  # gRPC does not try a connection again at once

        sink = BigQuerySink(
            beyond.writer(),
            f"projects/{config.project}/datasets/edges",
            Outage("BigQuery", sleep),
        )
        assert sink.write("plays", plays(10, seed=1)).is_empty()
        door.close()
        assert sink.write("plays", plays(10, seed=2)).is_empty()
        sink.close()
    assert tries
    assert rows(client, "plays_current", PLAYS).height == 20


def test_a_stream_that_has_ended_is_opened_again_without_a_word(
    sink: BigQuerySink, big: Big, caplog: pytest.LogCaptureFixture
) -> None:
    sink.write("plays", plays(10, seed=1))
    sink._streams["plays"]._answers = iter(())
    assert sink.write("plays", plays(10, seed=2)).is_empty()
    assert rows(big[1], "plays_current", PLAYS).height == 20
    assert not caplog.records
    sink.close()


def test_a_table_that_is_not_there_yet_is_waited_for(big: Big) -> None:
    config, client = big
    table = client.get_table(f"{config.project}.edges.health")
    client.delete_table(table)

    def create(_: float) -> None:
        client.create_table(table, exists_ok=True)

    sink = BigQuerySink(
        config.writer(),
        f"projects/{config.project}/datasets/edges",
        Outage("BigQuery", create),
    )
    assert sink.write("health", health([(0, 5, 1)])).is_empty()
    assert count(client, "health", "minute") == 1
    sink.close()


def test_a_frame_is_cut_into_requests_by_rows_and_by_bytes() -> None:
    small = list(record_batches(plays(25_000)))
    assert [batch.num_rows for batch in small] == [10_000, 10_000, 5_000]
    large = plays(3_000).with_columns(pl.lit("x" * 10_000).alias("title"))
    sizes = [batch.serialize().size for batch in record_batches(large)]
    assert len(sizes) > 3
    assert max(sizes) < 10_000_000


def test_a_dataset_that_is_not_appended_is_a_mistake(sink: BigQuerySink) -> None:
    with pytest.raises(ValueError, match="profiles"):
        sink.write("profiles", PROFILES.to_frame())


def test_an_empty_frame_asks_nothing() -> None:
    sink = BigQueryConfig("p", "d", "http://127.0.0.1:9", "127.0.0.1:9").open()
    assert sink.write("plays", PLAYS.to_frame()).is_empty()


def test_a_file_is_loaded_once_however_often_it_is_loaded(big: Big, tmp_path: Path) -> None:
    config, client = big
    file = written(plays(1_000), tmp_path / "plays.parquet")
    jobs = [load_parquet(client, file, table(config, "plays")).job_id for _ in range(3)]
    assert len(set(jobs)) == 1
    assert count(client, "plays", "played_at") == 1_000
    other = written(plays(10, seed=2), tmp_path / "other.parquet")
    load_parquet(client, other, table(config, "plays"))
    assert rows(client, "plays_current", PLAYS).height == 1_010


def test_a_load_that_failed_can_be_tried_again(big: Big, tmp_path: Path) -> None:
    config, client = big
    bad = plays(3).with_columns(pl.lit(None, pl.String).alias("event_id"))
    file = written(bad, tmp_path / "plays.parquet")
    for _ in range(2):
        with pytest.raises((BadRequest, ValueError)):
            load_parquet(client, file, table(config, "plays"))
    assert count(client, "plays", "played_at") == 0


def test_loading_in_place_of_what_is_there_leaves_only_the_file(big: Big, tmp_path: Path) -> None:
    config, client = big
    schema: dict[str, Any] = {
        "track_id": pl.Int64(),
        "title": pl.String(),
        "artist": pl.String(),
        "length_s": pl.Int64(),
    }
    for title in ("Old", "New", "Old"):
        frame = pl.DataFrame([(1, title, None, 200)], schema=schema, orient="row")
        file = written(frame, tmp_path / "tracks.parquet")
        load_parquet(client, file, table(config, "tracks"), replace=True)
        assert rows(client, "tracks", pl.Schema(schema))["title"].to_list() == [title]
    assert client.get_table(table(config, "tracks")).schema[0].description == "The track."


def written(frame: pl.DataFrame, path: Path) -> Path:
    """The frame as a Parquet file."""
    frame.write_parquet(path)
    return path


def table(config: BigQueryConfig, name: str) -> str:
    """A table's full name."""
    return f"{config.project}.{config.dataset}.{name}"
