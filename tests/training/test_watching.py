"""Watching a model at work: error and calibration by day, and features that stay what they are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from redis import Redis

from beam_pipeline.domain.daily import INPUTS, Span, close
from beam_pipeline.domain.schemas import AD_EVENTS
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.bigquery_days import BigQueryLedger
from beam_pipeline.edges.bigquery_read import query
from beam_pipeline.edges.days import FolderLedger
from beam_pipeline.edges.features import FeaturesConfig
from beam_pipeline.edges.redis import connect
from beam_pipeline.training import skew, train
from infra.local.stack import Stack
from tests.training.conftest import bigquery_flags
from tests.training.synthetic import AFTER, BEFORE, START, crowd
from tests.training.test_daily import FIRST, LAST, some_plays

NOW = datetime(2026, 3, 20, tzinfo=UTC)


def test_after_a_drift_the_live_error_shows_it_and_a_retrain_from_bigquery_repairs_it(
    big: BigQueryConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drift = START + timedelta(days=6)
    before = crowd(n=4_000, seed=1, days=6, weights=BEFORE)
    after = crowd(n=4_000, seed=2, days=6, weights=AFTER, start=drift)
    frames = [
        part.frame.with_columns(shown_event_id=name + part.frame["shown_event_id"])
        for name, part in (("b", before), ("a", after))
    ]
    examples = pl.concat(frames).with_columns(customer_id=pl.int_range(8_000, dtype=pl.Int64))
    days = examples["as_of"].unique().sort().to_list()
    BigQueryLedger(big).replace("training_examples", days, [examples])
    flags = [*bigquery_flags(big), "--models", str(tmp_path)]
    surroundings = train.Surroundings(lambda: NOW, None)
    until = ["--until", f"{drift - timedelta(days=1):%Y-%m-%d}"]
    assert train.main([*flags, *until], surroundings) == train.PROMOTED
    live = json.loads((tmp_path / "current.json").read_text())["live"]["version"]
    scored = _score(examples, tmp_path / live / "model.json")
    _show(big, examples, scored, live)
    found = query(
        big,
        "SELECT * FROM watched_models_between(@since, @until) ORDER BY day",
        {"since": START, "until": START + timedelta(days=12)},
    )
    by_hand = examples.with_columns(scored).group_by("as_of", maintain_order=True)
    for (day, own), row in zip(by_hand, found.iter_rows(named=True), strict=True):
        assert (row["day"], row["model_version"], row["examples"]) == (day[0], live, own.height)
        wrong = (own["score"] >= 0.5) != own["clicked"]
        assert row["error"] == pytest.approx(wrong.mean())
        assert row["calibration"] == pytest.approx(own["score"].mean() / own["clicked"].mean())  # type: ignore[operator]
        assert row["explored_error"] == pytest.approx(wrong.filter(own["explore"]).mean())
        assert row["explored"] == own["explore"].sum()
    assert found["error"].head(6).max() < 0.10  # type: ignore[operator]
    assert found["error"].tail(6).min() > 0.20  # type: ignore[operator]
    again = train.Surroundings(lambda: NOW + timedelta(hours=1), None)
    since = ["--from", f"{drift:%Y-%m-%d}"]
    assert train.main([*flags, *since], again) == train.PROMOTED
    assert "is live" in capsys.readouterr().out
    retrained = json.loads((tmp_path / "current.json").read_text())["live"]["version"]
    repaired = _score(examples, tmp_path / retrained / "model.json")
    late = examples.with_columns(repaired).filter(pl.col("shown_at") >= drift)
    assert ((late["score"] >= 0.5) != late["clicked"]).mean() < 0.08  # type: ignore[operator]


def _score(examples: pl.DataFrame, file: Path) -> pl.Series:
    from beam_pipeline.domain.score import matrix, read_model, score

    model = read_model(file.read_bytes())
    return pl.Series("score", score(model, matrix(examples, model.features)))


def _show(big: BigQueryConfig, examples: pl.DataFrame, score: pl.Series, version: str) -> None:
    """The decisions and showings that these examples came of."""
    offer = pl.concat_str(pl.lit("gold-1day"), "customer_id", separator=":")
    events = examples.select(
        "customer_id",
        "ad",
        event_id="shown_event_id",
        action=pl.lit("shown"),
        offer_id=offer,
        at="shown_at",
        published_at="shown_at",
        is_late=pl.lit(value=False),
    )
    targets = examples.select(
        "customer_id",
        score,
        "explore",
        offer=pl.lit("gold-1day"),
        model_version=pl.lit(version),
        decided_at="shown_at",
        channel=pl.lit("screen"),
    )
    order = ("customer_id", "offer", "score", "model_version", "decided_at", "channel", "explore")
    sink = big.open()
    sink.write("ad_events", events.select(list(AD_EVENTS)))
    sink.write("targets", targets.select(order))
    sink.close()


@pytest.fixture
def redis(stack: Stack) -> Iterator[Redis]:
    """Redis without a key."""
    client = connect(stack.redis)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


def test_the_skew_check_finds_every_kind_of_difference_and_none_where_there_is_none(
    stack: Stack, redis: Redis, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    span = Span(FIRST, LAST)
    closed = close(span, {"plays": [some_plays().select(list(INPUTS["plays"]))]})
    FolderLedger(tmp_path).replace("profiles", span.days, [closed.profiles])
    sink = FeaturesConfig(stack.redis).open()
    sink.write("features", closed.features)
    flags = ["--days", str(tmp_path), "--redis", stack.redis, "--day", str(span.as_of)]
    assert skew.main(flags, NOW) == skew.EQUAL
    told = json.loads(capsys.readouterr().out)
    assert told["customers"] == told["equal"] == closed.features.height
    one, two, three = closed.features.head(1), closed.features[1:2], closed.features[2]
    nudged = one.with_columns(mobile_share=pl.Series(np.nextafter(one["mobile_share"], 2)))
    sink.write("features", nudged)
    sink.write("features", two.with_columns(as_of=pl.lit(LAST)))
    redis.delete(f"features:{three['customer_id'].item()}")
    assert skew.main(flags, NOW) == skew.SKEWED
    told = json.loads(capsys.readouterr().out)
    assert (told["different"], told["other_day"], told["missing"]) == (1, 1, 1)
    assert told["equal"] == closed.features.height - 3
    assert list(told["worst"]) == ["mobile_share"]
    assert 0 < told["worst"]["mobile_share"] < 1e-15
    sink.close()


def test_bad_input_of_the_skew_check_gives_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    redis = ("--redis", "redis://127.0.0.1:9/0")
    (tmp_path / "profiles").mkdir()
    for flags in (
        ("--days", str(tmp_path / "absent"), *redis),
        ("--days", str(tmp_path), *redis, "--share", "2"),
        ("--days", str(tmp_path), *redis, "--day", "soon"),
        ("--bigquery", "here", *redis),
        redis,
    ):
        assert skew.main(list(flags), NOW) == skew.BAD_INPUT
        assert capsys.readouterr().err.count("\n") == 1
