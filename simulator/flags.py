"""Flags: what everything that emits plays understands, and how their values are read.

A reader raises argparse.ArgumentTypeError, which ends as one sentence and exit 2.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar

from simulator.faults import MARGIN_MS, Fault, Faults
from simulator.offers import Terms
from simulator.propensity import CLICK_RATE
from simulator.rules import DAY_MS, HOUR_MS
from simulator.run import Settings

Number = TypeVar("Number", int, float)

SHORT_RUN_MS = 3 * DAY_MS
LONGEST_WAIT_MS = 7 * DAY_MS


def listeners(sub: argparse.ArgumentParser, *, offers: float) -> None:
    """Add the flags of everything that emits plays; `offers` is the default of --offers."""
    sub.add_argument("--customers", type=Path, required=True, metavar="FILE")
    sub.add_argument("--tracks", type=Path, required=True, metavar="FILE")
    sub.add_argument("--rate", type=positive, default=50.0, metavar="R",
                     help="plays a second, averaged over the run (50)")  # fmt: skip
    sub.add_argument("--seed", type=seed, default=1, metavar="S")
    sub.add_argument("--bursts", type=share, default=0.01, metavar="SHARE",
                     help="share of plays in bursts of one track (0.01)")  # fmt: skip
    sub.add_argument("--churn", type=share, default=0.03, metavar="SHARE",
                     help="listeners lost in 30 days (0.03)")  # fmt: skip
    sub.add_argument("--flat", action="store_true", help="every hour alike, no peaks")
    _offers(sub, offers)
    faults = sub.add_argument_group(
        "faults", "each RATE or RATE:SEED; without a seed of its own a fault follows --seed"
    )
    faults.add_argument("--faults", choices=("none", "usual"), default="none",
                        help="the rates to start from: none, or those of a bad day")  # fmt: skip
    for one in fields(Faults):
        text = f"{one.metadata['help']} (usual: {one.metadata['usual']})"
        flag = f"--{one.name.replace('_', '-')}"
        faults.add_argument(flag, type=fault, metavar="RATE", help=text)


def _offers(sub: argparse.ArgumentParser, daily: float) -> None:
    usual = Terms()
    offers = sub.add_argument_group("offers, made by the simulator itself")
    offers.add_argument("--offers", type=share, default=daily, metavar="SHARE",
                        help="share of eligible listeners decided on each day "
                        f"({daily:g})")  # fmt: skip
    offers.add_argument("--offers-after", type=days, metavar="DAYS",
                        help="days before the first offer, to listeners with a past (half the "
                        "run, at most 7; 0, and to anyone, in a run of up to 3 days)")  # fmt: skip
    offers.add_argument("--offer", default=usual.name, metavar="NAME",
                        help=f"begins every offer_id ({usual.name})")  # fmt: skip
    offers.add_argument("--holdout", type=share, default=usual.holdout, metavar="SHARE",
                        help=f"decided on but never shown ({usual.holdout})")  # fmt: skip
    offers.add_argument("--bayes-error", type=bayes_error, default=usual.bayes_error,
                        metavar="SHARE", help="of the best possible prediction of clicks "
                        f"({usual.bayes_error})")  # fmt: skip
    offers.add_argument("--drift", type=moment, metavar="TIME",
                        help="from then on others click")  # fmt: skip
    offers.add_argument("--base-upgrades", type=share, default=usual.base_upgrades,
                        metavar="SHARE", help="upgrades within a day without the offer "
                        f"({usual.base_upgrades})")  # fmt: skip
    offers.add_argument("--uplift", type=share, default=usual.uplift, metavar="SHARE",
                        help=f"what the offer adds to them ({usual.uplift})")  # fmt: skip


def settings(args: argparse.Namespace, span_ms: tuple[int, int]) -> Settings:
    """The settings that the flags of `listeners` describe, for a run over [start, end) ms."""
    base = Faults.usual() if args.faults == "usual" else Faults()
    chosen = {one.name: getattr(args, one.name) for one in fields(Faults)}
    start_ms, end_ms = span_ms
    length = end_ms - start_ms
    wait = args.offers_after
    if wait is None:
        wait = 0 if length <= SHORT_RUN_MS else min(length // 2, LONGEST_WAIT_MS)
    return Settings(
        customers=args.customers,
        tracks=args.tracks,
        seed=args.seed,
        rate=args.rate,
        bursts=args.bursts,
        churn=args.churn,
        flat=args.flat,
        faults=base.replaced({name: one for name, one in chosen.items() if one is not None}),
        terms=Terms(
            daily=args.offers,
            name=args.offer,
            holdout=args.holdout,
            bayes_error=args.bayes_error,
            base_upgrades=args.base_upgrades,
            uplift=args.uplift,
            from_ms=start_ms + wait,
            drift_ms=args.drift,
            strangers_too=wait == 0,
        ),
    )


def count(text: str) -> int:
    return number(text, int, lambda n: n >= 1, "a whole number from 1 on")


def seed(text: str) -> int:
    return number(text, int, lambda n: 0 <= n < 2**63, "a whole number from 0 on")


def positive(text: str) -> float:
    return number(text, float, lambda x: 0 < x < 1e9, "a number above 0")


def share(text: str) -> float:
    return number(text, float, lambda x: 0 <= x <= 0.9, "a share from 0 to 0.9")


def fault(text: str) -> Fault:
    rate, colon, own = text.partition(":")
    return Fault(
        number(rate, float, lambda x: 0 <= x <= 1, "a RATE or RATE:SEED, RATE from 0 to 1"),
        seed(own) if colon else None,
    )


def days(text: str) -> int:
    return int(number(text, float, lambda x: 0 <= x < 1e6, "a number of days") * DAY_MS)


def bayes_error(text: str) -> float:
    wanted = f"a share from 0.005 to below {CLICK_RATE:g}, the share of clicks"
    return number(text, float, lambda x: 0.005 <= x <= CLICK_RATE - 0.02, wanted)


def duration(text: str) -> int:
    unit = {"s": 1_000, "m": 60_000, "h": HOUR_MS}.get(text[-1:])
    value = number(text[:-1] if unit else text, float, lambda x: 0 <= x < 1e9, "a time like 30m")
    return int(value * (unit or 1_000))


def within(text: str) -> int:
    """Nearer to the lateness limit than 5 minutes no play comes (MARGIN_MS), so that its copies
    stay on one side of it.
    """
    length = duration(text)
    if not 0 < length < MARGIN_MS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time above 0 and up to 4m")
    return length


def batch(text: str) -> int:
    return number(text, int, lambda n: 1 <= n <= 1000, "a whole number from 1 to 1000")


def connections(text: str) -> int:
    return number(text, int, lambda n: 1 <= n <= 64, "a whole number from 1 to 64")


def moment(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return int(at.timestamp() * 1000)


def day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date") from None


def number(text: str, kind: type[Number], fits: Callable[[Number], bool], wanted: str) -> Number:
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not fits(value):
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return value
