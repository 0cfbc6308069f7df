from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from google.cloud import bigquery

from beam_pipeline.domain.schemas import PLAYS
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.bigquery_loads import LEAST_ROWS, BigQueryLoadsConfig
from beam_pipeline.main import main
from tests.edges.rows import NOON, plays
from tests.edges.test_bigquery import Big, count, rows


def loads(client: bigquery.Client) -> int:
    """How many load jobs there have been."""
    return sum(job.job_type == "load" for job in client.list_jobs(all_users=True))


def test_a_bundle_that_is_tried_again_in_its_run_adds_nothing_and_another_run_does(
    big: Big,
) -> None:
    config, client = big
    frame = plays(LEAST_ROWS)
    for run in ("run-1", "run-1", "run-2"):
        sink = BigQueryLoadsConfig(config, run).open()
        assert sink.write("plays", frame).is_empty()
        sink.close()
    assert count(client, "plays", "played_at") == 2 * LEAST_ROWS
    assert rows(client, "plays_current", PLAYS).equals(frame.sort(frame.columns[:4]))


def test_few_rows_are_appended_and_many_are_one_job(big: Big) -> None:
    config, client = big
    before = loads(client)
    sink = BigQueryLoadsConfig(config, "run").open()
    sink.write("plays", plays(LEAST_ROWS - 1))
    assert loads(client) == before
    sink.write("plays", plays(LEAST_ROWS, seed=2))
    assert loads(client) == before + 1
    assert count(client, "plays", "played_at") == 2 * LEAST_ROWS - 1
    sink.close()


def test_a_bad_row_becomes_a_dead_letter_and_its_neighbours_are_stored(big: Big) -> None:
    config, client = big
    frame = plays(LEAST_ROWS)
    bad = frame.with_columns(
        pl.when(pl.int_range(pl.len()) == 7).then(None).otherwise("event_id").alias("event_id")
    )
    sink = BigQueryLoadsConfig(config, "run").open()
    letters = sink.write("plays", bad)
    assert letters["source"].to_list() == ["bigquery"]
    assert count(client, "plays", "played_at") == LEAST_ROWS - 1
    sink.close()


def test_a_dataset_that_is_not_stored_is_a_mistake(big: Big) -> None:
    sink = BigQueryLoadsConfig(BigQueryConfig("p", "d", big[0].endpoint, "127.0.0.1:1"), "r").open()
    with pytest.raises(ValueError, match="profiles"):
        sink.write("profiles", plays(LEAST_ROWS))
    sink.close()


def test_a_run_over_files_goes_into_bigquery_by_load_jobs(big: Big, tmp_path: Path) -> None:
    config, client = big
    assert config.endpoint
    assert config.grpc_endpoint
    log, customers = tmp_path / "log.csv", tmp_path / "customers.csv"
    moments = (NOON + timedelta(seconds=n) for n in range(LEAST_ROWS))
    lines = [f'{n},{n % 90},7,"{at:%Y-%m-%d %H:%M:%S}",1,"72132"' for n, at in enumerate(moments)]
    log.write_text("\n".join([*lines, lines[0]]) + "\n")
    heading = "CustID,Name,Gender,Address,zip,SignDate,Status,Level,Campaign,LinkedWithApps"
    customers.write_text(heading + "\n")
    before = loads(client)
    words = ["--plays", str(log), "--customers", str(customers)]
    words += ["--bigquery", f"{config.project}.{config.dataset}"]
    words += ["--bigquery-endpoint", config.endpoint]
    words += ["--bigquery-grpc-endpoint", config.grpc_endpoint]
    assert main(words) == 0
    assert loads(client) > before
    assert rows(client, "plays_current", PLAYS).height == LEAST_ROWS
    (health,) = client.query_and_wait(
        "SELECT SUM(received), SUM(accepted), SUM(duplicate) FROM edges.health_current"
    )
    assert tuple(health) == (LEAST_ROWS + 1, LEAST_ROWS, 1)
