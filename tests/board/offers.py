"""Offers, targets and messages of invented customers, with a true effect: what comes later."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import polars as pl

from beam_pipeline.domain.schemas import TIMESTAMP

TARGETS = pl.Schema(
    {
        "customer_id": pl.Int64(),
        "offer": pl.String(),
        "score": pl.Float64(),
        "model_version": pl.String(),
        "decided_at": TIMESTAMP,
        "channel": pl.String(),
        "explore": pl.Boolean(),
    }
)
MESSAGES = pl.Schema(
    {
        "message_id": pl.String(),
        "customer_id": pl.Int64(),
        "offer": pl.String(),
        "status": pl.String(),
        "reason": pl.String(),
        "attempts": pl.Int32(),
        "at": TIMESTAMP,
    }
)
OFFER = "GOLD_1DAY"
CHANNELS = ("screen", "sms", "screen", "holdout")


def targets(start: datetime) -> list[dict[str, Any]]:
    """A target a minute: every fourth held out, every tenth by chance."""
    return [
        {
            "customer_id": number,
            "offer": OFFER,
            "score": 0.2 + number % 50 / 100,
            "model_version": "2026-03-01-1",
            "decided_at": start + timedelta(minutes=number),
            "channel": CHANNELS[number % 4],
            "explore": number % 10 == 0,
        }
        for number in range(160)
    ]


def messages(start: datetime) -> list[dict[str, Any]]:
    """A message to every customer of the channel sms; every fifth held back."""
    reached = [target for target in targets(start) if target["channel"] == "sms"]
    return [
        {
            "message_id": f"{OFFER}:{target['customer_id']}",
            "customer_id": target["customer_id"],
            "offer": OFFER,
            "status": "held" if place % 5 == 0 else "sent",
            "reason": "quiet_hours" if place % 5 == 0 else None,
            "attempts": 1,
            "at": target["decided_at"] + timedelta(seconds=20),
        }
        for place, target in enumerate(reached)
    ]


def upgrades(start: datetime) -> list[dict[str, Any]]:
    """Upgrades: one in four of those offered, one in ten of those held out."""
    return [
        {
            "event_id": f"upgrade-{target['customer_id']}",
            "customer_id": target["customer_id"],
            "ad": "ADV_REDUCED_1DAY",
            "action": "upgraded",
            "offer_id": None,
            "at": target["decided_at"] + timedelta(minutes=5),
            "published_at": target["decided_at"] + timedelta(minutes=5),
            "is_late": False,
        }
        for target in targets(start)
        if target["customer_id"] % (40 if target["channel"] == "holdout" else 16) in (1, 2, 3, 5, 6)
    ]
