"""From the play to the carrier, under any policy: who must not be written to never is."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from beam_pipeline.domain.features import FEATURE_HASH, FEATURE_ROWS, FEATURES
from beam_pipeline.domain.offers import HOLDOUT, OFFERS, SCREEN, may_upgrade
from beam_pipeline.domain.score import Model
from beam_pipeline.domain.targeting import eligible, proposals, scored
from beam_pipeline.edges.features import FeaturesSink
from beam_pipeline.edges.lookups import RedisReferences
from beam_pipeline.edges.targets import Targets
from infra.local.stack import Stack
from tests.domain.test_score import model
from tests.functions.desk import OFFER, Desk, database
from tests.functions.process import Function


@dataclass(frozen=True)
class State:
    """What is on file of a customer at a moment."""

    level: int | None
    status: int | None
    consent: bool


@dataclass(frozen=True)
class Someone:
    """A customer when it is decided, and when it is time to send."""

    then: State
    now: State
    phone: bool
    feature: float | None


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """The usual half of the time."""
    return st.one_of(st.just(usual), st.sampled_from((usual, *others)))


STATES = st.builds(State, mostly(0, 1, 2, 3, None), mostly(1, 0, None), mostly(True, False))
PEOPLE = st.builds(
    lambda then, now, phone, feature: Someone(then, now or then, phone, feature),
    STATES,
    st.none() | STATES,
    mostly(True, False),
    st.none() | st.floats(0, 1),
)
MODELS = st.none() | st.builds(
    lambda intercept, threshold: model(intercept=intercept, threshold=threshold),
    st.floats(-3, 3),
    st.floats(0.01, 0.99),
)
SHARES = st.sampled_from((0.0, 0.05, 0.5, 1.0))


@given(
    people=st.lists(PEOPLE, min_size=5, max_size=20),
    live=MODELS,
    explore=SHARES,
    holdout=st.sampled_from((0.0, 0.1, 0.5, 0.9)),
    by_sms=mostly(True, False),
)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_nobody_at_gold_closed_held_out_or_without_consent_is_ever_written_to(
    desk: Desk,
    sms: Function,
    stack: Stack,
    people: list[Someone],
    live: Model | None,
    explore: float,
    holdout: float,
    by_sms: bool,
) -> None:
    by_id = {put_on_file(desk, each.then, each.phone): each for each in people}
    know(desk, by_id)
    targets = decide(desk, stack, list(by_id), live, explore, (holdout, by_sms))
    channels = dict(targets.select("customer_id", "channel").iter_rows())
    for customer, each in by_id.items():
        change(desk, customer, each)
    answer = desk.run(sms)
    assert answer.status_code == 200, answer.text
    for customer, each in by_id.items():
        told = desk.arrived(customer)
        allowed = (
            channels.get(customer) not in (None, HOLDOUT, SCREEN)
            and may_upgrade(each.then.status, each.then.level)
            and may_upgrade(each.now.status, each.now.level)
            and each.now.consent
            and each.phone
        )
        assert len(told) == allowed, (customer, each, channels.get(customer))


def put_on_file(desk: Desk, state: State, phone: bool) -> int:
    """A customer who is new; the id."""
    return desk.person(state.consent, "" if phone else None, level=state.level, status=state.status)


def change(desk: Desk, customer: int, each: Someone) -> None:
    """What is on file when it is time to send."""
    traits = json.loads(desk.store.get(f"customer:{customer}"))
    traits |= {"level": each.now.level, "status": each.now.status}
    contact = json.loads(desk.store.get(f"contact:{customer}")) | {"consent": each.now.consent}
    desk.store.set(f"customer:{customer}", json.dumps(traits))
    desk.store.set(f"contact:{customer}", json.dumps(contact))


def know(desk: Desk, by_id: dict[int, Someone]) -> None:
    """The features of those who have any."""
    rows = [
        (customer, desk.now.date(), *(each.feature for _ in FEATURES), FEATURE_HASH)
        for customer, each in by_id.items()
        if each.feature is not None
    ]
    frame = pl.DataFrame(rows, schema=FEATURE_ROWS, orient="row")
    FeaturesSink(desk.store).write("features", frame)


def decide(
    desk: Desk,
    stack: Stack,
    customers: list[int],
    live: Model | None,
    explore: float,
    terms: tuple[float, bool],
) -> pl.DataFrame:
    """Targets of customers who have each just played, as the pipeline decides them."""
    offer = replace(OFFERS[OFFER], holdout=terms[0], by_sms=terms[1])
    decisions = Targets(desk.store, {offer.id: offer})
    published = int((desk.now - timedelta(minutes=1)).timestamp() * 1000)
    ids = np.array(customers, np.int64)
    found = decisions.candidates(ids, np.full(len(ids), published))
    traits = RedisReferences(database(stack)).open().customers(found["customer_id"].to_numpy())
    found = found.filter(pl.Series(eligible(traits)) | found["again"])
    return decisions.decide(proposals(scored(found, live), [offer], explore))
