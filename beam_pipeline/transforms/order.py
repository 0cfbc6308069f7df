"""Events of a shard, brought into the order of their publication without copying them all.

Files are mostly in that order, so little has to be in hand at a time: of the parts, which are
taken by their oldest event, those that have begun and are not used up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from beam_pipeline.domain.times import epoch_ms
from beam_pipeline.transforms.frames import Events

SLICE = 10_000
"""Events that are given together, about."""

Frames = tuple[pl.DataFrame, pl.DataFrame]
"""RAW_PLAYS and RAW_AD_EVENTS."""


def in_order(parts: Sequence[Events]) -> Iterator[Frames]:
    """Plays and ad events side by side, neither ahead of the other, by published_at.

    Equal times stay in the order of the parts.
    """
    begun: dict[int, _Part] = {}
    by_age = sorted(range(len(parts)), key=lambda number: parts[number].oldest_ms)
    for place, number in enumerate(by_age):
        begun[number] = _Part(parts[number])
        if place + 1 < len(by_age):
            before = parts[by_age[place + 1]].oldest_ms
            if sum(part.until(before) for part in begun.values()) < SLICE:
                continue
            ready = [begun[each].take(before) for each in sorted(begun)]
            begun = {each: part for each, part in begun.items() if len(part)}
        else:
            ready = [begun[each].frames for each in sorted(begun)]
        yield from _slices(*(_sorted(frames) for frames in zip(*ready, strict=True)))


class _Part:
    """What is left of one part, each kind in order."""

    def __init__(self, events: Events) -> None:
        self.frames = tuple(_sorted([frame]) for frame in events.frames())

    def __len__(self) -> int:
        return sum(frame.height for frame in self.frames)

    def until(self, before_ms: int) -> int:
        """How many events were published before that."""
        return sum(self._cuts(before_ms))

    def take(self, before_ms: int) -> tuple[pl.DataFrame, ...]:
        """Those events, which are not left any more."""
        cuts = self._cuts(before_ms)
        taken = tuple(frame[:cut] for frame, cut in zip(self.frames, cuts, strict=True))
        self.frames = tuple(frame[cut:] for frame, cut in zip(self.frames, cuts, strict=True))
        return taken

    def _cuts(self, before_ms: int) -> list[int]:
        return [
            int(np.searchsorted(epoch_ms(frame["published_at"]), before_ms))
            for frame in self.frames
        ]


def _sorted(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    whole = pl.concat(frames)
    if (np.diff(epoch_ms(whole["published_at"])) >= 0).all():
        return whole
    return whole.sort("published_at", maintain_order=True)


def _slices(plays: pl.DataFrame, ad_events: pl.DataFrame) -> Iterator[Frames]:
    """Cut both at the same times, into pieces of about the same length.

    A time of more events than a piece should have is a piece of its own, given in several parts.
    """
    times = np.sort(np.concatenate([epoch_ms(f["published_at"]) for f in (plays, ad_events)]))
    pieces = -(-len(times) // SLICE)
    starts = times[np.arange(pieces) * len(times) // pieces]
    crowded = times[SLICE:][times[SLICE:] == times[:-SLICE]]
    starts = np.unique(np.concatenate((starts, crowded, crowded + 1)))
    cuts = [
        [*np.searchsorted(epoch_ms(frame["published_at"]), starts).tolist(), frame.height]
        for frame in (plays, ad_events)
    ]
    for number in range(len(starts)):
        piece = [
            frame[cut[number] : cut[number + 1]]
            for frame, cut in zip((plays, ad_events), cuts, strict=True)
        ]
        for start in range(0, max(part.height for part in piece), 2 * SLICE):
            first, second = (part[start : start + 2 * SLICE] for part in piece)
            yield first, second
