"""Dead letters in the ledger: read a day at a time, and held against the events beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby

import polars as pl

from beam_pipeline.domain.replay import Identity
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.bigquery_read import query

_LETTERS = """
SELECT id, received_at, source, reason, detail, payload, attributes
FROM {dataset}.dead_letters_between(@since, @until)
WHERE reason IN UNNEST(@reasons)
ORDER BY received_at, id
"""
_STORED = """
SELECT DISTINCT customer_id, event_id
FROM {dataset}.{table}
WHERE {time} >= @since AND {time} <= @until AND customer_id IN UNNEST(@customers)
"""
_TABLES = {"play": ("plays", "played_at"), "ad": ("ad_events", "at")}


def days(since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """[since, until) cut at midnights, UTC: a day's letters are what memory has to hold."""
    while since < until:
        midnight = (since + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        yield since, min(midnight, until)
        since = midnight


def letters(
    config: BigQueryConfig, reasons: Sequence[str], since: datetime, until: datetime
) -> pl.DataFrame:
    """The dead letters of these reasons received in [since, until), the oldest first.

    Columns of DEAD_LETTERS, one row an id. Raises QueryFailed.
    """
    return query(
        config,
        _LETTERS.format(dataset=config.dataset),
        {"since": since, "until": until, "reasons": list(reasons)},
    )


def stored(config: BigQueryConfig, identities: Sequence[Identity]) -> set[tuple[str, int, str]]:
    """Which of these events the ledger holds, as (kind, customer, event id). Raises QueryFailed."""
    found: set[tuple[str, int, str]] = set()
    by_kind = sorted(identities, key=lambda identity: identity.kind)
    for kind, group in groupby(by_kind, key=lambda identity: identity.kind):
        wanted = list(group)
        table, time = _TABLES[kind]
        moments = [identity.at_ms for identity in wanted]
        rows = query(
            config,
            _STORED.format(dataset=config.dataset, table=table, time=time),
            {
                "since": _moment(min(moments)),
                "until": _moment(max(moments)),
                "customers": sorted({identity.customer_id for identity in wanted}),
            },
        )
        found |= {(kind, customer, event) for customer, event in rows.iter_rows()}
    return found


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
