"""Where examples are cut in time: what a model is fitted on, chosen by and judged by.

Standard library only: both trainers cut with this, one of them on Spark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

HOUR_MS = 3_600_000
GAP_MS = HOUR_MS
"""Left out before each cut: the label horizon, so that no label reaches over it."""

FIT_SHARE, TEST_SHARE = 0.5, 0.3
"""Of the examples that count; those between are for validation."""


class CannotSplit(ValueError):
    """There is not enough time in the examples to cut it in three."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """Two moments, ms since the epoch: before the first fit, before the second choose, then judge.

    Each part but the last ends GAP_MS early. The model that is judged is fitted again on
    everything before `test`.
    """

    validate_ms: int
    test_ms: int

    @property
    def fit_end_ms(self) -> int:
        """Examples shown before this are for fitting."""
        return self.validate_ms - GAP_MS

    @property
    def choose_end_ms(self) -> int:
        """Examples shown before this are for choosing, and for the final fit."""
        return self.test_ms - GAP_MS


def cut(by_hour: Mapping[int, int], fit: float = FIT_SHARE, test: float = TEST_SHARE) -> Cuts:
    """Cut at full hours, as near as that comes to the shares.

    Args:
        by_hour: examples that count, by hour since the epoch (ms // HOUR_MS) of `shown_at`.
        fit, test: shares of them before the first and after the second cut.

    Raises:
        CannotSplit: when they lie in fewer than five hours: every part takes one, every gap one.
    """
    hours = sorted(hour for hour, count in by_hour.items() if count)
    if not hours or hours[-1] - hours[0] < 4:
        raise CannotSplit("the examples lie within less than five hours")
    total = sum(by_hour.values())
    validate = _first_hour(by_hour, hours, fit * total)
    judge = _first_hour(by_hour, hours, (1 - test) * total)
    validate = min(max(validate, hours[0] + 2), hours[-1] - 2)
    judge = min(max(judge, validate + 2), hours[-1])
    return Cuts(validate * HOUR_MS, judge * HOUR_MS)


def _first_hour(by_hour: Mapping[int, int], hours: list[int], count: float) -> int:
    """The first hour before which at least so many examples were shown."""
    before = 0
    for hour in hours:
        before += by_hour[hour]
        if before >= count:
            return hour + 1
    return hours[-1]
