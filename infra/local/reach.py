"""Who was to be reached, who was, and what each store says about it.

What listeners did with offers they account for themselves. Of targets and messages the simulator
knows nothing: Redis is what decides (a customer is a target
once, a message is sent once), so the other stores are compared with it; and what the carrier has
recorded is compared with what we say that we have sent.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from infra.local.reconcile import BIGQUERY, ELASTICSEARCH, Held, Line
from infra.local.stores import Stores

CARRIER = "carrier"


def reconcile(key: Path, stores: Stores, texts: Path) -> list[Line]:
    """Compare offers, targets, messages and texts.

    `key` is the listeners' own account, `texts` the carrier's record.
    """
    stores.refresh()
    ended = stores.ended_messages()
    return [
        _offers(key, stores),
        _targets(stores),
        _messages(stores, ended),
        _texts(stores, ended, texts),
    ]


def _offers(key: Path, stores: Stores) -> Line:
    """Shown, clicked and upgraded, each on its own."""
    account = pl.read_parquet(key / "ad_events.parquet", columns=["action", "offer_id"])
    offered = account.drop_nulls("offer_id").group_by("action").len()
    expected = {str(action): int(count) for action, count in offered.iter_rows()}
    held = {
        ELASTICSEARCH: Held.counts_of(
            expected, stores.counts_by("ad_events", "action", having="offer_id")
        ),
        BIGQUERY: Held.counts_of(expected, stores.row_actions()),
    }
    return Line("events of offers", sum(expected.values()), held)


def _targets(stores: Stores) -> Line:
    decided = stores.decisions()
    held = {
        ELASTICSEARCH: Held.of(decided, stores.document_ids("targets")),
        BIGQUERY: Held.of(decided, stores.row_targets()),
    }
    return Line("targets", decided.len(), held)


def _messages(stores: Stores, ended: Mapping[str, str]) -> Line:
    """Each with what became of it."""
    held = {
        ELASTICSEARCH: Held.of(_outcomes(ended), _outcomes(stores.document_messages())),
        BIGQUERY: Held.of(_outcomes(ended), _outcomes(stores.row_messages())),
    }
    return Line("messages", len(ended), held)


def _texts(stores: Stores, ended: Mapping[str, str], texts: Path) -> Line:
    """By number: all that we call sent has arrived, and nothing has arrived twice."""
    sent = _numbers(stores, [name for name, status in ended.items() if status == "sent"])
    record = stores.messages_on_record()
    begun = _numbers(stores, [name for name, _, attempts in record if attempts])
    arrived = Counter(json.loads(line)["to"] for line in _lines(texts))
    missing, extra = (sent - arrived).total(), (arrived - begun).total()
    return Line("texts sent", sent.total(), {CARRIER: Held(arrived.total(), missing, extra)})


def _outcomes(messages: Mapping[str, str]) -> pl.Series:
    return pl.Series([" ".join(pair) for pair in messages.items()], dtype=pl.String)


def _numbers(stores: Stores, message_ids: Iterable[str]) -> Counter[str | None]:
    customers = [int(name.rpartition(":")[2]) for name in message_ids]
    return Counter(stores.phones(customers))


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []
