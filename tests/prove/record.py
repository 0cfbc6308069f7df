"""The day as a long-playing record: one turn is the time that was played, a groove a fate.

Every spoke is a few minutes of publication. In each groove it is as long as the square root of
the events of that fate, against the groove's own longest. What arrived after the day is the inner
groove. A minute in which a store is wrong is a scratch across all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from html import escape

import polars as pl

SIZE = 704
MIDDLE = SIZE / 2
RIM, LABEL = 318.0, 96.0
SPOKES = 288
HOURS = 8
"""Marks of the time along the rim."""

GROOVES = (
    ("counted", 178.0, 234.0),
    ("late", 239.0, 257.0),
    ("duplicate", 262.0, 280.0),
    ("rejected", 285.0, 303.0),
)
"""Fate, where its groove begins and ends."""
AFTERWARDS = ("afterwards", 112.0, 164.0)


def record(minutes: pl.DataFrame, start: datetime, length: timedelta, label: str) -> str:
    """The record as SVG, `label` in its middle.

    Args:
        minutes: HEALTH and `right`, a row a minute of publication.
        start, length: the time that was played: one turn.
        label: a few characters.
    """
    spokes = min(SPOKES, max(12, int(length.total_seconds() // 60)))
    turned = (pl.col("minute") - start) / length
    fates = minutes.with_columns(
        day=turned < 1,
        spoke=((turned % 1) * spokes).cast(pl.Int64) % spokes,
        counted=pl.col("accepted") - pl.col("late"),
    )
    first, later = fates.filter("day"), fates.filter(~pl.col("day"))
    parts = [_disc()]
    for fate, low, high in GROOVES:
        parts.append(_groove(fate, _sums(first, fate), low, high, spokes))
    parts.append(_groove(AFTERWARDS[0], _sums(later, "received"), *AFTERWARDS[1:], spokes))
    scratched = fates.filter(~pl.col("right"))["spoke"].unique().sort().to_list()
    parts += [_scratches(scratched, spokes), _times(start, length), _label(label)]
    about = f'viewBox="0 0 {SIZE} {SIZE}" role="img" aria-label="The day as a record"'
    return f'<svg class="record" {about}>{"".join(parts)}</svg>'


def _sums(minutes: pl.DataFrame, fate: str) -> Mapping[int, int]:
    return dict(minutes.group_by("spoke").agg(pl.col(fate).sum()).iter_rows())


def _groove(name: str, sums: Mapping[int, int], low: float, high: float, spokes: int) -> str:
    longest = math.sqrt(max(sums.values(), default=0)) or 1.0
    lines = []
    for spoke, count in sorted(sums.items()):
        if count > 0:
            reach = low + max(1.5, (high - low) * math.sqrt(count) / longest)
            lines.append(_spoke((spoke + 0.5) / spokes, low, reach))
    width = 2 * math.pi * low / spokes * 0.62
    return f'<path class="groove {name}" stroke-width="{width:.2f}" d="{"".join(lines)}"/>'


def _scratches(spokes: Sequence[int], of: int) -> str:
    lines = "".join(_spoke((spoke + 0.5) / of, LABEL + 4, RIM - 4) for spoke in spokes)
    return f'<path class="scratch" d="{lines}"/>' if lines else ""


def _spoke(turn: float, low: float, high: float) -> str:
    (x, y), (u, v) = _at(turn, low), _at(turn, high)
    return f"M{x:.1f} {y:.1f}L{u:.1f} {v:.1f}"


def _at(turn: float, radius: float) -> tuple[float, float]:
    angle = 2 * math.pi * turn
    return MIDDLE + radius * math.sin(angle), MIDDLE - radius * math.cos(angle)


def _disc() -> str:
    rings = "".join(
        f'<circle class="ring" cx="{MIDDLE}" cy="{MIDDLE}" r="{radius}"/>'
        for radius in (*range(108, 176, 8), *(low - 2.5 for _, low, _ in GROOVES[1:]))
    )
    sheen = "".join(
        f'<path class="sheen" d="M{MIDDLE} {MIDDLE}L{a:.1f} {b:.1f}'
        f'A{RIM} {RIM} 0 0 1 {c:.1f} {d:.1f}Z"/>'
        for turn in (0.06, 0.56)
        for (a, b), (c, d) in [(_at(turn, RIM), _at(turn + 0.1, RIM))]
    )
    return (
        f'<circle class="disc" cx="{MIDDLE}" cy="{MIDDLE}" r="{RIM}"/>{sheen}'
        f'<circle class="edge" cx="{MIDDLE}" cy="{MIDDLE}" r="{RIM - 6}"/>{rings}'
    )


def _times(start: datetime, length: timedelta) -> str:
    marks = []
    for mark in range(HOURS):
        x, y = _at(mark / HOURS, RIM + 13)
        at = start + length * mark / HOURS
        marks.append(f'<text class="hour" x="{x:.1f}" y="{y + 4:.1f}">{at:%H:%M}</text>')
    return "".join(marks)


def _label(text: str) -> str:
    size = "large" if len(text) <= 4 else "small"
    return (
        f'<circle class="label" cx="{MIDDLE}" cy="{MIDDLE}" r="{LABEL}"/>'
        f'<circle class="ring dark" cx="{MIDDLE}" cy="{MIDDLE}" r="{LABEL - 8}"/>'
        f'<text class="title" x="{MIDDLE}" y="{MIDDLE - 42}">ENCORE</text>'
        f'<text class="figure {size}" x="{MIDDLE}" y="{MIDDLE + 58}">{escape(text)}</text>'
        f'<circle class="hole" cx="{MIDDLE}" cy="{MIDDLE - 12}" r="7"/>'
    )
