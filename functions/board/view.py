"""What a viewer asks to see, checked, and the times that it comes to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import cast, get_args

from functions.board.catalogue import LANGUAGES, Language
from functions.board.units import DAY_MS, HOUR_MS, MINUTE_MS, floor, milliseconds
from functions.shared.http import Refusal

RANGES = ("1h", "24h", "7d")
DEFAULT_RANGE = "24h"
DEVICES = {"mobile": True, "pc": False}

_BUCKETS = ((2 * HOUR_MS, MINUTE_MS), (8 * HOUR_MS, 5 * MINUTE_MS), (30 * HOUR_MS, 10 * MINUTE_MS))
"""Up to so much time on the axis, buckets of so much."""
_LARGEST_BUCKET = 2 * HOUR_MS


@dataclass(frozen=True, slots=True)
class View:
    """The filters of the page: how far back, which region, which device."""

    range: str = DEFAULT_RANGE
    state: str | None = None
    device: str | None = None

    @classmethod
    def read(cls, query: Mapping[str, str], states: Iterable[str]) -> View:
        """From the query of an address; other parameters are left alone.

        Raises:
            Refusal: 400 for a value that is none of those offered.
        """
        return cls(
            range=_one_of(query, "range", RANGES) or DEFAULT_RANGE,
            state=_one_of(query, "state", states),
            device=_one_of(query, "device", DEVICES),
        )

    @property
    def narrowed(self) -> bool:
        """Whether only a region or a device is asked for."""
        return self.state is not None or self.device is not None

    @property
    def range_ms(self) -> int:
        """How far back, in ms."""
        return milliseconds(self.range)


def read_language(query: Mapping[str, str]) -> Language:
    """The language asked for, English where none is.

    Raises:
        Refusal: 400 for another language.
    """
    found = _one_of(query, "lang", LANGUAGES) or "en"
    assert found in get_args(Language)
    return cast(Language, found)


def _one_of(query: Mapping[str, str], name: str, allowed: Iterable[str]) -> str | None:
    value = query.get(name) or None
    if value is not None and value not in allowed:
        raise Refusal(400, f"bad_{name}", f"{name} is none of the values that the page offers")
    return value


@dataclass(frozen=True, slots=True)
class Times:
    """The range of a view at one moment, in ms since the epoch."""

    now_ms: int
    from_ms: int
    """Where the range begins: a whole bucket."""
    axis_from_ms: int
    """Where the axis of a chart over time begins: not long before there was any data."""
    bucket_ms: int

    @classmethod
    def of(cls, view: View, now_ms: int, first_ms: int | None) -> Times:
        """The times of a view; `first_ms` is when the oldest listening in the range began.

        A range is up to one bucket longer than its name says, so that its first bucket is whole.
        """
        begin_ms = now_ms - view.range_ms
        shown_ms = view.range_ms
        if first_ms is not None and first_ms > begin_ms:
            shown_ms = max(now_ms - first_ms, HOUR_MS)
        bucket_ms = next((step for limit, step in _BUCKETS if shown_ms <= limit), _LARGEST_BUCKET)
        return cls(
            now_ms=now_ms,
            from_ms=floor(begin_ms, bucket_ms),
            axis_from_ms=floor(now_ms - shown_ms, bucket_ms),
            bucket_ms=bucket_ms,
        )

    @property
    def axis_to_ms(self) -> int:
        """Where the last bucket that is over ends."""
        return floor(self.now_ms, self.bucket_ms)

    def buckets(self) -> range:
        """The beginnings of the axis's buckets."""
        return range(self.axis_from_ms, self.axis_to_ms, self.bucket_ms)

    def window(self, length_ms: int, back_ms: int = 0) -> tuple[int, int]:
        """[from, to) of the newest window that was over `back_ms` ago; windows end every 5 min."""
        end_ms = floor(self.now_ms, 5 * MINUTE_MS) - back_ms
        return end_ms - length_ms, end_ms

    @property
    def day_ms(self) -> int:
        """When the day began, UTC."""
        return floor(self.now_ms, DAY_MS)
