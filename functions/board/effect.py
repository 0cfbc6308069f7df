"""What the offers change: who upgraded within 24 hours, among those offered and those held out.

Of each offer as a whole, and by tenths of the score: whether it works where the model expects it.
Elasticsearch cannot join, so the newest targets and the upgrades of the same time come here and
are joined by customer. The ledger's own figure, over all time, is a view in BigQuery.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from typing import Any

from functions.board.searches import Row, Search
from functions.board.units import DAY_MS
from functions.board.view import Times

MOST = 10_000
"""Targets, and upgrades, that are looked at: the newest."""
_TARGET = ("customer_id", "offer", "channel", "score")
_HELD_OUT = "holdout"
_Z = 1.959964
"""For an interval that covers 95 %."""


def searches(times: Times, customers: Iterable[str] | None) -> list[Search]:
    """The targets of the range and the upgrades since; `rows` reads both answers."""
    return [
        _newest("targets", "decided_at", list(_TARGET), times, customers),
        _newest("ad_events", "at", ["customer_id"], times, customers, {"action": "upgraded"}),
    ]


def _newest(
    index: str,
    time: str,
    columns: list[str],
    times: Times,
    customers: Iterable[str] | None,
    where: Mapping[str, str] | None = None,
) -> Search:
    filters: list[dict[str, Any]] = [{"range": {time: {"gte": times.from_ms}}}]
    filters += [{"term": {field: value}} for field, value in (where or {}).items()]
    if customers is not None:
        filters.append({"terms": {"customer_id": list(customers)}})
    return Search(
        index,
        {
            "query": {"bool": {"filter": filters}},
            "size": MOST,
            "sort": [{time: "desc"}],
            "track_total_hits": False,
            "_source": [time, *columns],
        },
    )


def rows(answers: list[Mapping[str, Any]]) -> list[Row]:
    """One row an offer, the one with most customers first, and after it one a tenth of the score.

    `band` is the tenth, 0 to 9; None in the row of all, those without a score among them.
    """
    targets, upgrades = ([hit["_source"] for hit in a["hits"]["hits"]] for a in answers)
    moments: dict[Any, list[float]] = {}
    for event in upgrades:
        moments.setdefault(event["customer_id"], []).append(_ms(event["at"]))
    arms: dict[str, dict[int | None, dict[bool, Arm]]] = {}
    for target in targets:
        decided = _ms(target["decided_at"])
        upgraded = any(
            decided <= at < decided + DAY_MS for at in moments.get(target["customer_id"], ())
        )
        bands = arms.setdefault(target["offer"], {})
        for band in {None, _band(target.get("score"))}:
            arm = bands.setdefault(band, {True: Arm(), False: Arm()})
            arm[target["channel"] == _HELD_OUT].add(upgraded)
    order = sorted(arms.items(), key=lambda item: (-item[1][None][False].customers, item[0]))
    return [
        _row(offer, band, arm[False], arm[True])
        for offer, bands in order
        for band, arm in sorted(bands.items(), key=lambda item: (item[0] is not None, item[0]))
    ]


def _band(score: float | None) -> int | None:
    """The tenth that a score lies in."""
    return None if score is None else min(int(score * 10), 9)


@dataclass(slots=True)
class Arm:
    """Customers of one arm and how many of them upgraded."""

    customers: int = 0
    upgraded: int = 0

    def add(self, upgraded: bool) -> None:
        """One customer more."""
        self.customers += 1
        self.upgraded += upgraded

    @property
    def rate(self) -> float | None:
        """The share that upgraded; None where there is nobody."""
        return self.upgraded / self.customers if self.customers else None


def _row(offer: str, band: int | None, offered: Arm, held: Arm) -> Row:
    low, high = difference(offered, held) or (None, None)
    known = offered.rate is not None and held.rate is not None
    return {
        "offer": offer,
        "band": band,
        "offered": offered.customers,
        "rate_offered": offered.rate,
        "holdout": held.customers,
        "rate_held": held.rate,
        "uplift": (offered.rate or 0.0) - (held.rate or 0.0) if known else None,
        "low": low,
        "high": high,
    }


def difference(one: Arm, other: Arm) -> tuple[float, float] | None:
    """The 95 % interval of the difference of two shares; None where an arm is empty.

    Newcombe's hybrid score interval, method 10 of "Interval estimation for the difference
    between independent proportions", Statistics in Medicine 17 (1998).
    """
    if not (one.customers and other.customers):
        return None
    p, q = one.upgraded / one.customers, other.upgraded / other.customers
    (p_low, p_high), (q_low, q_high) = _wilson(one), _wilson(other)
    low = p - q - sqrt((p - p_low) ** 2 + (q_high - q) ** 2)
    high = p - q + sqrt((p_high - p) ** 2 + (q - q_low) ** 2)
    return low, high


def _wilson(arm: Arm) -> tuple[float, float]:
    n, p = arm.customers, arm.upgraded / arm.customers
    middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return middle - half, middle + half


def _ms(moment: str | int) -> float:
    if isinstance(moment, int):
        return moment
    return datetime.fromisoformat(moment).timestamp() * 1000
