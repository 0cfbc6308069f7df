"""Scoring and targeting in the stream: on the DirectRunner, with a real Redis and real files."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import polars as pl
import pytest
from apache_beam.metrics.metric import MetricsFilter
from redis import Redis

from beam_pipeline.domain.features import FEATURE_HASH, FEATURE_ROWS, FEATURES
from beam_pipeline.domain.offers import HOLDOUT, OFFERS, Offer
from beam_pipeline.domain.schemas import INTERESTS, PLAYS, PUBLISH_TIME, TIMESTAMP
from beam_pipeline.domain.score import Model, logistic
from beam_pipeline.domain.targeting import draw
from beam_pipeline.edges import targets as targeted
from beam_pipeline.edges.features import FeaturesConfig
from beam_pipeline.edges.models import CurrentModel, ModelsConfig
from beam_pipeline.edges.objects import FolderObjects
from beam_pipeline.edges.redis import connect
from beam_pipeline.edges.targets import Targets
from beam_pipeline.transforms import score
from beam_pipeline.transforms.frames import Rows, register_coders
from beam_pipeline.transforms.score import Score, Targeting
from beam_pipeline.transforms.write import WriteTo
from infra.local.stack import Stack
from tests.domain.test_score import model
from tests.e2e.traffic import CUSTOMERS, reference, traffic
from tests.edges.test_models import point, promote
from tests.transforms.collect import Known, Shelf, run_stream

REFERENCE = reference()
MESSAGES = [post.message() for post in traffic(seed=31, requests=24)]
BUNDLES = [MESSAGES[at : at + 4] for at in range(0, len(MESSAGES), 4)]
ELIGIBLE = {n for n in range(CUSTOMERS) if n % 3 < 2}
"""Free and silver: the reference of the traffic has levels in turn, and all are active."""

_numbers = itertools.count(1)


@dataclass(frozen=True)
class FreshTargets:
    """Opens decisions with an empty memory, as a new process would."""

    url: str
    number: int = field(default_factory=lambda: next(_numbers))

    def open(self) -> Targets:
        """The decisions, for this configuration alone."""
        return Targets(connect(self.url))


def know_features(url: str, customers: set[int]) -> None:
    """Give each of these customers a row of features: the customer's number, over a hundred."""
    rows = [
        (n, date(2026, 3, 1), *(n / 100 for _ in FEATURES), FEATURE_HASH) for n in sorted(customers)
    ]
    FeaturesConfig(url).open().write(
        "features", pl.DataFrame(rows, schema=FEATURE_ROWS, orient="row")
    )


def judge(**changes: Any) -> Model:
    """A model by whose score a customer is chosen who has a number of 20 or more."""
    coefficients = (30.0, *(0.0 for _ in FEATURES[1:]))
    flat = {"mean": (0.195,) * len(FEATURES), "scale": (1.0,) * len(FEATURES), "intercept": 0.0}
    return model(coefficients=coefficients, **{**flat, **changes})


def targets_of(shelf: Shelf) -> pl.DataFrame:
    """The targets that were written, each once."""
    return shelf.rows("targets").unique().sort("offer", "customer_id")


def test_whom_the_model_chooses_is_decided_on_by_the_first_accepted_play(
    redis: Redis, stack: Stack, tmp_path: Path
) -> None:
    promote(FolderObjects(tmp_path), judge())
    know_features(stack.redis, set(range(30)))
    targeting = Targeting(ModelsConfig(str(tmp_path)), FreshTargets(stack.redis), 0.0)
    shelf = run_stream(BUNDLES, REFERENCE, targeting=targeting)
    first = shelf.rows("plays").unique("customer_id", keep="first", maintain_order=True)
    chosen = first.filter(
        pl.col("customer_id").is_in(sorted(ELIGIBLE)) & pl.col("customer_id").is_between(20, 29)
    ).sort("customer_id")
    found = targets_of(shelf)
    assert found["customer_id"].equals(chosen["customer_id"])
    assert found["decided_at"].equals(chosen["published_at"].alias("decided_at"))
    expected = logistic(30 * (chosen["customer_id"].to_numpy() / 100 - 0.195))
    assert np.allclose(found["score"].to_numpy(), expected, rtol=1e-12)
    assert set(found["model_version"]) == {"v1"}
    assert shelf.rows("targets").height == found.height


def test_before_a_promotion_only_explored_customers_are_targets(
    redis: Redis, stack: Stack, tmp_path: Path
) -> None:
    targeting = Targeting(ModelsConfig(str(tmp_path)), FreshTargets(stack.redis), 0.3)
    shelf = run_stream(BUNDLES, REFERENCE, targeting=targeting)
    listened = ELIGIBLE & set(shelf.rows("plays")["customer_id"])
    chance = draw("gold-1day", "explore", np.arange(CUSTOMERS)) < 0.3
    found = targets_of(shelf)
    assert set(found["customer_id"]) == {n for n in listened if chance[n]}
    assert found["explore"].all()
    assert found["score"].null_count() == found.height > 3


def test_a_run_after_another_writes_the_decisions_of_the_other(
    redis: Redis, stack: Stack, tmp_path: Path
) -> None:
    """The model is another one by then, and some are Gold: what is decided stays decided."""
    promote(FolderObjects(tmp_path), judge())
    know_features(stack.redis, set(range(CUSTOMERS)))
    first = run_stream(
        BUNDLES,
        REFERENCE,
        targeting=Targeting(ModelsConfig(str(tmp_path)), FreshTargets(stack.redis), 0.1),
    )
    upgraded = {n: who._replace(level="gold") for n, who in REFERENCE.customers.items()}
    later = type(REFERENCE)(upgraded, REFERENCE.tracks, REFERENCE.places)
    again = run_stream(
        BUNDLES,
        later,
        targeting=Targeting(ModelsConfig(str(tmp_path / "none")), FreshTargets(stack.redis), 0.0),
    )
    assert targets_of(again).equals(targets_of(first))
    shown = targets_of(first).filter(pl.col("channel") != HOLDOUT).height
    assert redis.xlen("sms:outbox") == shown > 5


def test_bundles_that_fail_after_the_decision_lose_no_target(
    redis: Redis, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis has decided, the bundle is lost, and is tried again: three times of four."""
    promote(FolderObjects(tmp_path), judge())
    know_features(stack.redis, set(range(CUSTOMERS)))
    tries, decide = itertools.count(1), score._DecideFn.process

    def lost(self: Any, subjects: pl.DataFrame) -> Any:
        rows = list(decide(self, subjects))
        if rows and next(tries) % 4:
            raise ConnectionError("the worker is gone")
        return rows

    monkeypatch.setattr(score._DecideFn, "process", lost)
    targeting = Targeting(ModelsConfig(str(tmp_path)), FreshTargets(stack.redis), 0.1)
    shelf = run_stream(BUNDLES, REFERENCE, targeting=targeting)
    assert next(tries) > 8
    guards = {int(key.rpartition(b":")[2]) for key in redis.scan_iter("decision:*")}
    assert set(targets_of(shelf)["customer_id"]) == guards
    held_out = targets_of(shelf).filter(channel=HOLDOUT).height
    assert redis.xlen("sms:outbox") == len(guards) - held_out


def test_a_model_promoted_meanwhile_is_taken_up_and_a_broken_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
    redis: Redis,
    stack: Stack,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Before each frame is scored, somebody promotes something else."""
    objects = FolderObjects(tmp_path)
    know_features(stack.redis, set(range(CUSTOMERS)))

    def promoted(version: str, content: bytes | None = None) -> Callable[[], None]:
        one = judge(version=version, threshold=0.001)
        return lambda: promote(objects, one, content)

    foreign = judge(version="v3", feature_hash="0" * 16).to_json()
    _turns[:] = [
        promoted("v1"),
        promoted("v2", b"{"),
        promoted("v3", foreign),
        lambda: point(objects, b"no pointer"),
        promoted("v4"),
        promoted("v5"),
    ]
    monkeypatch.setattr("beam_pipeline.transforms.score.PLAYS_AT_ONCE", 1)
    targeting = Targeting(Eventful(tmp_path), FreshTargets(stack.redis), 0.0)
    register_coders()
    pipeline = beam.Pipeline(runner="BundleBasedDirectRunner")
    played = [Rows("plays", one_play(n)) for n in (0, 1, 3, 4, 6, 7)]
    decided = (
        pipeline
        | "Plays" >> beam.Create([*played, Rows("interests", INTERESTS.to_frame())])
        | "Score" >> Score(Known(REFERENCE), targeting)
    )
    shelf = Shelf()
    decided | "Write" >> WriteTo([shelf])
    result = pipeline.run()
    result.wait_until_finish()
    versions = dict(shelf.rows("targets").select("customer_id", "model_version").iter_rows())
    assert [versions[n] for n in sorted(versions)] == ["v1", "v1", "v1", "v1", "v4", "v5"]
    alarm = result.metrics().query(MetricsFilter().with_name("model_alarm"))["counters"]
    assert [counter.committed for counter in alarm] == [3]
    told = [line for line in caplog.messages if line.startswith("model not taken up (v1 stays)")]
    assert len(told) == 3


_turns: list[Callable[[], None]] = []
"""What happens before each look at the pointer."""


@dataclass(frozen=True)
class Eventful:
    """Opens a live model that looks each time it is asked, and before that lets a turn happen."""

    place: Path

    def __hash__(self) -> int:
        return id(_turns)

    def open(self) -> EventfulModel:
        """The holder, with a clock that runs fast."""
        return EventfulModel(FolderObjects(self.place), lambda: 60.0 * next(_numbers))


class EventfulModel(CurrentModel):
    """The live model, but for the turns."""

    def get(self) -> Model | None:
        """As ever."""
        _turns.pop(0)()
        return super().get()


def one_play(customer: int) -> pl.DataFrame:
    """An accepted play."""
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    row = {"event_id": "p", "customer_id": customer, "published_at": at, PUBLISH_TIME: at}
    schema = {**PLAYS, PUBLISH_TIME: TIMESTAMP}
    return pl.DataFrame([{**dict.fromkeys(schema), **row}], schema=schema)


def test_a_second_offer_is_one_entry_more(
    redis: Redis, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = OFFERS["gold-1day"]
    week = Offer("gold-week", "ADV_WEEK", first.words, timedelta(days=7), 1, 0.5, by_sms=False)
    monkeypatch.setattr(targeted, "OFFERS", {**OFFERS, week.id: week})
    monkeypatch.setattr(score, "OFFERS", {**OFFERS, week.id: week})
    targeting = Targeting(ModelsConfig(str(tmp_path)), FreshTargets(stack.redis), 0.5)
    shelf = run_stream(BUNDLES, REFERENCE, targeting=targeting)
    found = targets_of(shelf)
    by_offer = {offer: found.filter(offer=offer) for offer in (first.id, week.id)}
    assert min(frame.height for frame in by_offer.values()) > 3
    for offer, frame in by_offer.items():
        shown = set(frame.filter(pl.col("channel") != HOLDOUT)["customer_id"])
        there = {key for key in redis.scan_iter("target:*") if redis.hexists(key, offer)}
        assert {int(key.rpartition(b":")[2]) for key in there} == shown
        assert len(redis.keys(f"decision:{offer}:*")) == frame.height
    told = by_offer[first.id].filter(pl.col("channel") != HOLDOUT).height
    assert redis.xlen("sms:outbox") == told
