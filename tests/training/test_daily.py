"""Closing days: the same from files and BigQuery, in one run or day by day, once or twice."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from redis import Redis

from beam_pipeline import daily
from beam_pipeline import main as pipeline
from beam_pipeline.domain.daily import INPUTS, Span, close
from beam_pipeline.domain.examples import TRAINING_EXAMPLES
from beam_pipeline.domain.features import FEATURES, features
from beam_pipeline.domain.schemas import AD_EVENTS, PLAYS, PROFILES
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.bigquery_days import BigQueryLedger
from beam_pipeline.edges.bigquery_read import query
from beam_pipeline.edges.features import FeaturesConfig, read_features
from beam_pipeline.edges.redis import connect
from infra.local.stack import Stack
from simulator.cli import main as simulate
from tests.training.conftest import bigquery_flags

NOW = datetime(2026, 4, 1, tzinfo=UTC)
FIRST, LAST = date(2026, 3, 10), date(2026, 3, 13)


def some_plays(count: int = 1_500, seed: int = 1) -> pl.DataFrame:
    """PLAYS published from three days before FIRST to a day after LAST, some of them late."""
    rng = np.random.default_rng(seed)
    start = datetime(2026, 3, 7, tzinfo=UTC)
    minutes = np.sort(rng.integers(0, 8 * 24 * 60, count))
    published = [start + timedelta(minutes=int(m), milliseconds=7) for m in minutes]
    lag = [timedelta(minutes=int(m)) for m in rng.choice([0, 1, 130, 3000], count)]
    return pl.DataFrame(
        {
            **{name: [None] * count for name in PLAYS},
            "event_id": [f"e{n}" for n in range(count)],
            "customer_id": rng.integers(0, 60, count),
            "track_id": rng.integers(0, 30, count),
            "played_at": [moment - late for moment, late in zip(published, lag, strict=True)],
            "local_hour": rng.integers(0, 24, count),
            "is_mobile": rng.random(count) < 0.6,
            "zip": ["72132"] * count,
            "published_at": published,
            "is_late": [late > timedelta(hours=2) for late in lag],
            "joined": [0] * count,
        },
        schema=PLAYS,
    )


def some_offers(count: int = 500, seed: int = 2) -> pl.DataFrame:
    """AD_EVENTS over the same days: offers, and clicks on two of five of them."""
    rng = np.random.default_rng(seed)
    start, rows = datetime(2026, 3, 8, tzinfo=UTC), []
    for number in range(count):
        at = start + timedelta(minutes=int(rng.integers(0, 7 * 24 * 60)))
        customer = int(rng.integers(0, 70))
        offer = f"gold-1day:{customer}"
        ad = "ADV_REDUCED_1DAY"
        rows.append((f"s{number}", customer, ad, "shown", offer, at, at, False))
        if rng.random() < 0.4:
            clicked = at + timedelta(minutes=int(rng.integers(1, 80)))
            rows.append((f"c{number}", customer, ad, "clicked", offer, clicked, clicked, False))
    return pl.DataFrame(rows, schema=AD_EVENTS, orient="row").sort("published_at")


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a bounded run would have left."""
    folder = tmp_path_factory.mktemp("left")
    some_plays().write_parquet(folder / "plays.parquet")
    some_offers().write_parquet(folder / "ad_events.parquet")
    return folder


def run(*flags: str) -> int:
    """The command, at a moment when all these days are closed."""
    return daily.main(list(flags), NOW)


def close_files(left: Path, output: Path, *flags: str) -> None:
    """Close days of files into a folder."""
    assert run("--input", str(left), "--output", str(output), *flags) == 0


def contents(folder: Path) -> dict[str, bytes]:
    """Every file's bytes."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*.parquet")}


def written(folder: Path, dataset: str) -> pl.DataFrame:
    """A dataset's days together."""
    return pl.read_parquet(folder / dataset / "*.parquet")


def test_closing_days_twice_changes_no_byte(left: Path, tmp_path: Path) -> None:
    flags = ("--since", str(FIRST), "--day", str(LAST))
    close_files(left, tmp_path, *flags)
    once = contents(tmp_path)
    close_files(left, tmp_path, *flags, "--shards", "2")
    assert contents(tmp_path) == once
    assert len(once) == 4 + 5


def test_days_closed_one_by_one_equal_days_closed_together(left: Path, tmp_path: Path) -> None:
    close_files(left, tmp_path / "together", "--since", str(FIRST), "--day", str(LAST))
    for number in range(4):
        close_files(left, tmp_path / "single", "--day", str(FIRST + timedelta(days=number)))
    assert contents(tmp_path / "single") == contents(tmp_path / "together")


def test_a_day_has_the_accepted_plays_that_were_published_on_it(left: Path, tmp_path: Path) -> None:
    close_files(left, tmp_path, "--since", str(FIRST), "--day", str(LAST))
    profiles = written(tmp_path, "profiles")
    assert profiles.schema == PROFILES
    plays = some_plays()
    for day in (FIRST, LAST):
        there = plays.filter(pl.col("published_at").dt.date() == day)
        assert profiles.filter(pl.col("day") == day)["plays"].sum() == there.height
        by_customer = dict(there.group_by("customer_id").len().iter_rows())
        assert by_customer == dict(
            profiles.filter(pl.col("day") == day).select("customer_id", "plays").iter_rows()
        )


def test_examples_of_the_last_hours_wait_for_the_next_day(left: Path, tmp_path: Path) -> None:
    close_files(left, tmp_path, "--since", str(FIRST), "--day", str(LAST))
    shown = some_offers().filter(pl.col("action") == "shown")
    settled_until = datetime(2026, 3, 13, 21, tzinfo=UTC)
    there = shown.filter(
        pl.col("published_at").is_between(datetime(2026, 3, 9, tzinfo=UTC), settled_until)
    )
    examples = written(tmp_path, "training_examples")
    assert examples.schema == TRAINING_EXAMPLES
    assert set(examples["shown_event_id"]) == set(there["event_id"])
    close_files(left, tmp_path, "--day", str(LAST + timedelta(days=1)))
    whole = written(tmp_path, "training_examples").filter(pl.col("as_of") == LAST)
    assert whole.height == shown.filter(pl.col("published_at").dt.date() == LAST).height


def test_a_day_that_is_not_over_gives_its_settled_examples_and_is_written_again_when_closed(
    left: Path, tmp_path: Path
) -> None:
    files = ("--input", str(left), "--output", str(tmp_path))
    close_files(left, tmp_path, "--since", str(FIRST), "--day", str(LAST - timedelta(days=1)))
    noon = datetime(2026, 3, 13, 12, tzinfo=UTC)
    before = contents(tmp_path)
    shown = some_offers().filter(pl.col("action") == "shown")
    today = shown.filter(pl.col("published_at") >= datetime(2026, 3, 13, tzinfo=UTC))
    for minutes in (180, 30):
        flags = ("--day", str(LAST), "--so-far", "--settled-after", str(minutes), *files)
        assert daily.main(flags, noon) == 0
        examples = written(tmp_path, "training_examples").filter(pl.col("as_of") == LAST)
        settled = pl.col("published_at") + timedelta(minutes=minutes) <= noon
        assert set(examples["shown_event_id"]) == set(today.filter(settled)["event_id"])
        profiled = {name: held for name, held in before.items() if name.startswith("profiles")}
        after = contents(tmp_path)
        assert {name: after[name] for name in after if name.startswith("profiles")} == profiled
    close_files(left, tmp_path, "--day", str(LAST))
    close_files(left, tmp_path / "straight", "--since", str(FIRST), "--day", str(LAST))
    closed = contents(tmp_path / "straight")
    assert {name: contents(tmp_path)[name] for name in closed} == closed


def test_a_play_with_two_copies_counts_once_the_better_joined_one(tmp_path: Path) -> None:
    plays = some_plays(20)
    copies = plays.with_columns(
        pl.lit(2, pl.Int8).alias("joined"), pl.lit(value=True).alias("is_mobile")
    )
    pl.concat([plays, copies]).write_parquet(tmp_path / "plays.parquet")
    close_files(tmp_path, tmp_path / "days", "--since", "2026-03-01", "--day", "2026-03-20")
    profiles = written(tmp_path / "days", "profiles")
    assert profiles["plays"].sum() == profiles["mobile"].sum() == 20


def test_bigquery_gives_the_same_days_as_files_and_redis_the_same_features(
    left: Path, tmp_path: Path, big: BigQueryConfig, stack: Stack
) -> None:
    sink = big.open()
    sink.write("plays", pl.concat([some_plays(), some_plays().head(200)]))
    sink.write("ad_events", pl.concat([some_offers(), some_offers().head(99)]))
    sink.close()
    span = ("--since", str(FIRST), "--day", str(LAST))
    close_files(left, tmp_path, *span)
    redis = connect(stack.redis)
    redis.flushdb()
    for _ in range(2):
        assert run(*bigquery_flags(big), *span, "--redis", stack.redis) == 0
    everything = "SELECT * FROM {} WHERE {} >= '2000-01-01'"
    stored = query(big, everything.format("profiles", "day")).cast(PROFILES)
    expected = written(tmp_path, "profiles")
    assert stored.sort("day", "customer_id").equals(expected.sort("day", "customer_id"))
    stored = query(big, everything.format("training_examples", "as_of")).cast(TRAINING_EXAMPLES)
    order = ("shown_at", "customer_id", "shown_event_id")
    assert stored.sort(order).equals(written(tmp_path, "training_examples").sort(order))
    as_of = LAST + timedelta(days=1)
    customers = expected["customer_id"].unique().sort()
    moments = pl.DataFrame({"customer_id": customers, "as_of": [as_of] * len(customers)})
    assert read_features(redis, customers.to_list()).equals(features(expected, moments))
    assert 2 * 86_400 < redis.ttl(f"features:{customers[0]}") <= 3 * 86_400  # type: ignore[operator]
    redis.close()


def test_days_are_replaced_whole_also_by_nothing_and_no_other_day(big: BigQueryConfig) -> None:
    profiles = close(Span(FIRST, LAST), {"plays": [some_plays().select(list(INPUTS["plays"]))]})[0]
    days = Span(FIRST, LAST).days
    counts = """SELECT day, COUNT(*) AS n FROM profiles WHERE day > '2000-01-01'
    GROUP BY day ORDER BY day"""
    halves = [profiles.filter(pl.col("customer_id") % 2 == half) for half in (0, 1)]
    ledger = BigQueryLedger(big)
    ledger.replace("profiles", days, halves)
    before = query(big, counts)["n"].to_list()
    assert before == profiles.group_by("day").len().sort("day")["len"].to_list()
    ledger.replace("profiles", days[1:3], [profiles.head(0)])
    assert query(big, counts)["day"].to_list() == [days[0], days[3]]
    ledger.replace("profiles", days, [profiles.head(0)])
    assert query(big, counts).is_empty()


def test_features_in_redis_are_replaced_as_a_whole_and_survive_to_the_last_bit(
    stack: Stack,
) -> None:
    closed = close(Span(FIRST, LAST), {"plays": [some_plays().select(list(INPUTS["plays"]))]})
    sink, client = FeaturesConfig(stack.redis).open(), connect(stack.redis)
    client.flushdb()
    sink.write("features", closed.features)
    sink.write("features", closed.features.with_columns(mobile_share=pl.lit(1 / 3)))
    customers = closed.features["customer_id"].to_list()
    found = read_features(client, [10**12, *customers])
    assert found.equals(closed.features.with_columns(mobile_share=pl.lit(1 / 3)))
    one = json.loads(client.get(f"features:{customers[0]}"))  # type: ignore[arg-type]
    assert set(one) == {"as_of", *FEATURES, "feature_hash"}
    foreign = closed.features.with_columns(feature_hash=pl.lit("0123456789abcdef"))
    sink.write("features", foreign)
    assert read_features(client, customers).is_empty()
    _close(client)
    sink.close()


def _close(client: Redis) -> None:
    client.flushdb()
    client.close()


def test_bad_input_gives_one_sentence_and_exit_code_2(
    left: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ("--input", str(left), "--output", str(tmp_path / "days"))
    for flags, words in (
        (("--day", "2026-03-14"), "required"),
        (("--day", "soon", *files), "date"),
        (("--day", "2026-04-01", *files), "not closed yet"),
        (("--day", "2026-03-14", "--since", "2026-03-15", *files), "after"),
        (("--day", "2026-03-14", "--so-far", *files), "of today, 2026-04-01, alone"),
        (("--day", "2026-03-14", "--settled-after", "9", *files), "goes with --so-far"),
        (("--day", "2026-03-14", "--settled-after", "x", *files), "number of minutes"),
        (("--day", "2026-03-14", "--input", str(tmp_path)), "needs --output"),
        (("--day", "2026-03-14", "--input", str(tmp_path), *files[2:]), "no plays.parquet"),
        (("--day", "2026-03-14", "--bigquery", "here", *files[2:]), "--output goes with"),
        (("--day", "2026-03-14", "--bigquery", "here"), "PROJECT.DATASET"),
        (("--day", "2026-03-14", *files, "--wrong"), "--wrong"),
        (("--day", "2026-03-14", *files, "--shards", "0"), "at least 1"),
    ):
        assert run(*flags) == 2
        told = capsys.readouterr()
        assert words in told.err
        assert told.err.count("\n") == 1
    assert not (tmp_path / "days").exists()


def test_the_simulators_own_account_of_labels_and_propensities_is_met_exactly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people, tracks, sim = (str(tmp_path / name) for name in ("c.csv", "t.csv", "run"))
    assert simulate(["customers", "--count", "500", "--output", people]) == 0
    assert simulate(["tracks", "--count", "300", "--output", tracks]) == 0
    known = ("--customers", people, "--tracks", tracks)
    span = ("--start", "2026-03-02", "--days", "5", "--rate", "0.05")
    offers = ("--offers", "0.4", "--offers-after", "2", "--faults", "usual")
    assert simulate(["plays", *span, *offers, *known, "--output", sim]) == 0
    events = ("--plays", f"{sim}/plays.ndjson", "--ad-events", f"{sim}/ad-events.ndjson")
    left = tmp_path / "out"
    assert pipeline.main([*events, *known, "--output", str(left)]) == 0
    close_files(left, tmp_path / "days", "--since", "2026-03-02", "--day", "2026-03-07")
    capsys.readouterr()
    asked = pl.read_parquet(f"{sim}/key/asked.parquet").rename({"clicked": "truth"})
    law = json.loads(Path(sim, "key", "summary.json").read_text())["laws"]["before"]
    examples = written(tmp_path / "days", "training_examples")
    accepted = pl.read_parquet(left / "ad_events.parquet").filter(
        pl.col("offer_id").is_not_null(), action="shown"
    )
    both = examples.join(
        asked.select("customer_id", "shown_event_id", "truth", "propensity"),
        on=["customer_id", "shown_event_id"],
    )
    assert both.height == examples.height == accepted.height > 100
    assert (both["clicked"] == both["truth"]).all()
    pull = sum(weight * both[f"{name}_share"] for name, weight in law["weights"].items())
    recomputed = 1 / (1 + np.exp(-law["steepness"] * (np.asarray(pull) - law["middle"])))
    assert np.abs(recomputed - both["propensity"].to_numpy()).max() < 1e-12
