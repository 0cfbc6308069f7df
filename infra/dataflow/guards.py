"""Rebuild in Redis what keeps customers from being chosen or written to twice, from BigQuery.

    python infra/dataflow/guards.py --redis URL --bigquery PROJECT.DATASET

For a Redis that is new, or put back from an export that is older than the last decisions. Decisions
and offers at login come from the targets, the records of text messages from the messages; a message
of which BigQuery knows no end counts as `unknown`, so it is never sent again. A message without a
target, whose row was lost with Redis, is a decision too: taken when the message came to its end.
What Redis has already is left as it is, so running this again changes nothing. Replies of STOP
cannot be had from BigQuery: the carrier keeps them too, refuses such a number, and sms learns it
again from that.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import msgspec
import polars as pl
from redis import Redis
from redis.exceptions import RedisError

from beam_pipeline.domain.offers import HOLDOUT, OFFERS, SMS, Decision, Target, offer_id, until_ms
from beam_pipeline.domain.schemas import TARGETS
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.bigquery_read import QueryFailed, query
from beam_pipeline.edges.redis import connect
from beam_pipeline.edges.targets import decision_key, epoch_ms

ROWS_A_PIPELINE = 2_000
LOST = "redis_lost"
"""The reason in the record of a message of which nobody knows whether it was sent."""

RECORD = """
-- Keeps a message's record unless there is one.
-- KEYS record  ARGV status, at (ms), attempts, reason or ''
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('HSET', KEYS[1], 'status', ARGV[1], 'at', ARGV[2], 'attempts', ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'reason', ARGV[4]) end
return 1
"""


def rebuild(client: Redis, targets: pl.DataFrame, messages: pl.DataFrame) -> tuple[int, int]:
    """Put back what Redis lacks: how many decisions, and how many records of messages.

    Args:
        client: Redis.
        targets: rows of TARGETS, one an offer and customer.
        messages: rows of MESSAGES, the latest of each message.
    """
    ends = {row["message_id"]: row for row in messages.iter_rows(named=True)}
    targets = pl.concat([targets.select(list(TARGETS)).cast(TARGETS), _orphans(targets, messages)])
    decided = recorded = 0
    for start in range(0, targets.height, ROWS_A_PIPELINE):
        part = targets[start : start + ROWS_A_PIPELINE].to_dicts()
        guards, shown = (client.pipeline(transaction=False) for _ in range(2))
        for row in part:
            offer, customer, channel = row["offer"], row["customer_id"], row["channel"]
            decided_at = epoch_ms(row["decided_at"])
            decision = Decision(
                decided_at, channel, row["explore"], row["score"], row["model_version"]
            )
            guards.set(decision_key(offer, customer), msgspec.json.encode(decision), nx=True)
            if channel != HOLDOUT and offer in OFFERS:
                target = Target(until_ms(OFFERS[offer], decided_at), channel)
                shown.hsetnx(f"target:{customer}", offer, msgspec.json.encode(target).decode())
        shown.execute()
        decided += sum(bool(answer) for answer in guards.execute())
        recorded += _records(client, [row for row in part if row["channel"] == SMS], ends)
    return decided, recorded


def _orphans(targets: pl.DataFrame, messages: pl.DataFrame) -> pl.DataFrame:
    """TARGETS of messages whose target nobody has."""
    alone = messages.join(targets, on=["offer", "customer_id"], how="anti").unique(
        ["offer", "customer_id"], maintain_order=True
    )
    return alone.select(
        "customer_id",
        "offer",
        pl.lit(None, pl.Float64).alias("score"),
        pl.lit(None, pl.String).alias("model_version"),
        pl.col("at").alias("decided_at"),
        pl.lit(SMS).alias("channel"),
        pl.lit(False).alias("explore"),
    ).cast(TARGETS)


def _records(
    client: Redis, targets: Sequence[dict[str, object]], ends: dict[str, dict[str, object]]
) -> int:
    """The records of the messages of these targets."""
    keep = client.register_script(RECORD)
    pipeline = client.pipeline(transaction=False)
    for row in targets:
        message = offer_id(str(row["offer"]), int(str(row["customer_id"])))
        end = ends.get(message) or {
            "status": "unknown", "at": row["decided_at"], "attempts": 0, "reason": LOST,
        }  # fmt: skip
        at = epoch_ms(end["at"])  # type: ignore[arg-type]
        values: list[str | int] = [str(end["status"]), at, str(end["attempts"])]
        values.append(str(end["reason"] or ""))
        keep(keys=[f"sms:message:{message}"], args=values, client=pipeline)
    return sum(pipeline.execute())


def parser() -> argparse.ArgumentParser:
    """What `--help` says."""
    top = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    top.add_argument("--redis", required=True, metavar="URL", help="or secret:NAME of one")
    top.add_argument("--bigquery", required=True, metavar="PROJECT.DATASET")
    top.add_argument("--bigquery-endpoint", metavar="URL", help="an emulator's address")
    top.add_argument("--bigquery-grpc-endpoint", metavar="HOST:PORT", help="an emulator's address")
    return top


def main(arguments: Sequence[str]) -> int:
    """Rebuild; 1 when a store cannot be reached or refuses."""
    args = parser().parse_args(arguments)
    project, _, dataset = args.bigquery.partition(".")
    config = BigQueryConfig(project, dataset, args.bigquery_endpoint, args.bigquery_grpc_endpoint)
    try:
        targets = query(config, "SELECT * FROM targets_current")
        messages = query(config, "SELECT * FROM messages_current")
        client = connect(args.redis)
        decided, recorded = rebuild(client, targets, messages)
        client.close()
    except (QueryFailed, RedisError) as error:
        print(f"Cannot rebuild: {error}", file=sys.stderr)  # noqa: T201
        return 1
    told = f"{decided} of {targets.height} decisions put back, {recorded} records of messages"
    print(told)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
