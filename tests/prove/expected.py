"""What every store has to hold after a run: the simulator's key, and the strays beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl

from beam_pipeline.domain.schemas import AD_EVENTS, HEALTH, INTERESTS, LISTENING, PLAYS, TIMESTAMP
from tests.prove.strays import Stray, rejects

MINUTES = {"minute": TIMESTAMP, "count": pl.Int64()}


@dataclass(frozen=True)
class Expected:
    """The truth about a run, dataset by dataset, with the columns of the data dictionary."""

    summary: Mapping[str, Any]
    plays: pl.DataFrame
    ad_events: pl.DataFrame
    interests: pl.DataFrame
    listening: pl.DataFrame
    health: pl.DataFrame
    rejects: pl.DataFrame
    """received_at, kind, reason: a row a rejected line."""
    duplicates: pl.DataFrame
    """minute, count."""
    door: pl.DataFrame
    """Lines that the function refused: who, the `reason` it gave and the one it should give."""
    profiles: pl.DataFrame

    @classmethod
    def read(cls, key: Path, strays: Sequence[Stray]) -> Expected:
        """From the key's folder."""
        told = json.loads((key / "summary.json").read_text(encoding="utf-8"))
        beside = rejects(list(strays))
        door = pl.read_parquet(key / "rejects.parquet")
        refused = door.select(
            pl.col("published_at").cast(TIMESTAMP).alias("received_at"), "kind", "reason"
        )
        copies = pl.read_parquet(key / "duplicates.parquet")
        return cls(
            summary=_with_strays(told, beside),
            plays=_read(key, "plays", PLAYS),
            ad_events=_read(key, "ad_events", AD_EVENTS),
            interests=_read(key, "interests", INTERESTS),
            listening=_read(key, "listening", LISTENING),
            health=_health(_read(key, "health", HEALTH), beside),
            rejects=pl.concat([refused, beside]),
            duplicates=by_minute(copies, "published_at"),
            door=door,
            profiles=pl.read_parquet(key / "profiles.parquet"),
        )

    @property
    def sent(self) -> int:
        """Lines that went through the function's door."""
        return int(self.summary["received"] - self.summary["strays"])

    def struck(self) -> dict[str, int]:
        """How often each fault struck, where the key tells."""
        made = self.door["flaw"] != ""
        reason = self.door["reason"]
        played = self.plays["played_at"]
        behind = self.plays["published_at"] - played
        return {
            "repeats at just 30 minutes": self._on_the_edge(),
            "sent again": self.summary["duplicate"],
            "sent again beyond the horizon": self.summary["again"],
            "earlier than the play before": int((played.diff().dt.total_milliseconds() < 0).sum()),
            "an hour late or more": int((behind >= timedelta(hours=1)).sum()),
            "too late to be counted": self.summary["late"],
            "malformed, of many kinds": int(made.sum()),
            "a clock too far ahead": int((~made & (reason == "clock_skew")).sum()),
            "older than 30 days": int((~made & (reason == "too_old")).sum()),
            "nobody's customer": self.summary["unknown_customer"],
            "nobody's track": self.summary["unknown_track"],
            "no such zip": self.plays["state"].null_count(),
            "of an unknown schema or kind": self.summary["strays"],
            "requests cut off": self.summary["cut"],
        }

    def _on_the_edge(self) -> int:
        """Interests there are only because the half hour of a repeat holds both its ends."""
        once = self.interests.filter(pl.col("since") == pl.col("latest"), pl.col("peak") == 3)
        edge = once.select("customer_id", "track_id", pl.col("since").dt.offset_by("-30m"))
        plays = self.plays.filter(~pl.col("is_late"))
        return edge.join(
            plays,
            left_on=edge.columns,
            right_on=["customer_id", "track_id", "played_at"],
            how="semi",
        ).height


def by_minute(events: pl.DataFrame, moment: str) -> pl.DataFrame:
    """How many events each minute has: minute, count."""
    minute = pl.col(moment).cast(TIMESTAMP).dt.truncate("1m").alias("minute")
    counted = events.group_by(minute).agg(count=pl.len())
    return counted.cast(MINUTES)  # type: ignore[arg-type]


def _read(key: Path, dataset: str, schema: pl.Schema) -> pl.DataFrame:
    return pl.read_parquet(key / f"{dataset}.parquet").select(schema.names()).cast(schema)  # type: ignore[arg-type]


def _with_strays(summary: Mapping[str, Any], beside: pl.DataFrame) -> dict[str, Any]:
    reasons = dict(summary["rejected_by_reason"])
    for reason, count in beside.group_by("reason").len().iter_rows():
        reasons[reason] = reasons.get(reason, 0) + count
    return {
        **summary,
        "strays": beside.height,
        "received": summary["received"] + beside.height,
        "rejected": summary["rejected"] + beside.height,
        "rejected_by_reason": dict(sorted(reasons.items())),
    }


def _health(health: pl.DataFrame, beside: pl.DataFrame) -> pl.DataFrame:
    """Stray lines are received and rejected in their minute, and nothing else."""
    counted = by_minute(beside, "received_at")
    zero = [pl.lit(0, pl.Int64()).alias(name) for name in HEALTH if name != "minute"]
    more = counted.with_columns(zero).with_columns(received="count", rejected="count")
    every = pl.concat([health, more.select(HEALTH.names())])
    return every.group_by("minute").agg(pl.exclude("minute").sum()).sort("minute")
