"""A run is made slice by slice: what it holds does not grow with its length."""

from collections.abc import Iterator
from pathlib import Path

from simulator.faults import Faults
from simulator.offers import Terms
from simulator.rules import DAY_MS, HOUR_MS
from simulator.run import Run, Settings
from simulator.timeline import LENGTHS_MS, ROWS_A_SLICE, Slice, slice_length

START_MS = 1_772_409_600_000
RATE = 0.3


def run(customers: Path, tracks: Path, days: int) -> Run:
    settings = Settings(
        customers=customers,
        tracks=tracks,
        seed=3,
        rate=RATE,
        bursts=0.01,
        churn=0.0,
        flat=False,
        faults=Faults.usual(),
        terms=Terms(daily=0.05),
    )
    return Run.of(settings, (START_MS, START_MS + days * DAY_MS), None, in_file=True)


def walked(story: Run) -> Iterator[tuple[Slice, int]]:
    """Each slice, and how many rows are held between slices."""
    for one in story.slices():
        story.account.take("play", one.plays)
        story.account.take("ad", one.ads)
        story.account.settle(one.end_ms)
        held = len(story.account._first) + sum(
            frame.height for frames in story.account.recent.blocks.values() for frame in frames
        )
        yield one, held


def test_what_is_held_does_not_grow_with_the_days(customers: Path, tracks: Path) -> None:
    story = run(customers, tracks, 6)
    by_day: dict[int, int] = {}
    for one, held in walked(story):
        day = (one.start_ms - START_MS) // DAY_MS
        by_day[day] = max(by_day.get(day, 0), held)
    assert max(by_day[day] for day in (3, 4, 5)) < 1.5 * by_day[1]
    assert by_day[max(by_day)] < by_day[1], "and is let go at the end"


def test_slices_follow_each_other_without_a_gap_in_order_of_publication(
    customers: Path, tracks: Path
) -> None:
    end = None
    for one, _ in walked(run(customers, tracks, 1)):
        assert end in (None, one.start_ms)
        end = one.end_ms
        for events in (one.plays, one.ads):
            published = events["published"].to_list()
            assert published == sorted(published)
            assert all(one.start_ms <= at < one.end_ms for at in published)


def test_a_slice_is_bounded_at_any_rate() -> None:
    for rate in (0.01, 0.3, 5, 80, 500, 5_000, 50_000):
        length = slice_length(rate)
        assert rate * length / 1000 <= ROWS_A_SLICE
        assert HOUR_MS % length == 0 or length % HOUR_MS == 0
    assert slice_length(0.01) == LENGTHS_MS[0]
    assert slice_length(0.01, 60_000) == 60_000
