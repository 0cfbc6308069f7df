"""A simulated month of offers whose true effect is known: what is said of it holds it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from beam_pipeline.domain.schemas import AD_EVENTS, TARGETS
from beam_pipeline.domain.targeting import draw
from functions.board import effect
from infra.local.stack import Stack
from simulator.cli import main
from tests.bigquery.conftest import Warehouse, new_warehouse

START = datetime(2026, 3, 2, tzinfo=UTC)
UPLIFT = 0.25


@dataclass(frozen=True)
class Month:
    """What the stores hold of it."""

    targets: pl.DataFrame
    upgrades: pl.DataFrame


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    """Decisions and upgrades of 31 days; the scores say nothing, so every band has the effect."""
    folder = tmp_path_factory.mktemp("month")
    customers, tracks, out = folder / "customers.csv", folder / "tracks.csv", folder / "out"
    assert main(["customers", "--count", "3000", "--seed", "3", "--output", str(customers)]) == 0
    assert main(["tracks", "--count", "50", "--seed", "3", "--output", str(tracks)]) == 0
    given = ["--customers", customers, "--tracks", tracks, "--output", out, "--seed", 4]
    flags = ["--start", "2026-03-02", "--days", "31", "--rate", "0.05", "--offers", "0.3"]
    truth = ["--base-upgrades", "0.1", "--uplift", UPLIFT, "--holdout", "0.3"]
    assert main(["plays", *map(str, [*given, *flags, *truth])]) == 0
    return Month(_targets(out / "key"), _upgrades(out / "key"))


def _targets(key: Path) -> pl.DataFrame:
    decided = pl.read_parquet(key / "offers.parquet")
    ids = decided["customer_id"].to_numpy()
    return decided.select(
        "customer_id",
        "offer",
        pl.Series("score", draw("gold-1day", "a score", ids)),
        pl.lit("v1").alias("model_version"),
        "decided_at",
        pl.when(pl.col("arm") == "holdout")
        .then(pl.lit("holdout"))
        .otherwise(pl.lit("sms"))
        .alias("channel"),
        pl.lit(False).alias("explore"),
    ).cast(TARGETS)


def _upgrades(key: Path) -> pl.DataFrame:
    events = pl.read_parquet(key / "ad_events.parquet").filter(action="upgraded")
    return events.select(list(AD_EVENTS)).cast(AD_EVENTS)


@pytest.fixture
def ledger(stack: Stack) -> Iterator[Warehouse]:
    """A dataset for the month alone."""
    with new_warehouse(stack, "month") as made:
        yield made


def test_the_ledgers_interval_holds_the_true_effect_and_so_does_that_of_each_half(
    month: Month, ledger: Warehouse
) -> None:
    halves = month.targets.with_columns(pl.col("score").mul(2).floor().mul(0.5).add(0.25))
    sink = ledger.config.open()
    for dataset, frame in (("targets", halves), ("ad_events", month.upgrades)):
        assert sink.write(dataset, pl.concat([frame, frame[:50]])).is_empty()
    sink.close()
    until = START + timedelta(days=31)
    (row,) = ledger.ask("offer_uplift", since=START, until=until)
    bands = ledger.ask("offer_uplift_by_score", since=START, until=until)
    assert [band[1] for band in bands] == [2, 7]
    for found in (row, *(band[:1] + band[2:] for band in bands)):
        _, treated, held_out, *_, uplift, plus_minus = found
        assert _number(treated) > _number(held_out) > 100
        assert abs(_number(uplift) - UPLIFT) < _number(plus_minus) < UPLIFT


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return float(value)


def test_the_boards_interval_holds_the_true_effect(month: Month) -> None:
    answers: list[Any] = [
        {"hits": {"hits": [{"_source": row} for row in _documents(frame)]}}
        for frame in (month.targets, month.upgrades)
    ]
    whole, *bands = effect.rows(answers)
    assert whole["low"] < UPLIFT < whole["high"]
    assert whole["low"] > 0
    assert len(bands) == 10
    assert sum(band["low"] < UPLIFT < band["high"] for band in bands) >= 9


def _documents(frame: pl.DataFrame) -> list[dict[str, Any]]:
    times = frame.with_columns(pl.col(pl.Datetime).dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ"))
    return times.to_dicts()
