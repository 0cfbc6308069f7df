"""Writes that nobody waits for: in order, few rows together, no further ahead than told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import polars as pl
import pytest

from beam_pipeline.transforms.behind import AHEAD, ENOUGH_ROWS, Lane

PATIENCE_S = 20.0


class Place:
    """Keeps the rows of each write; waits or fails when told to."""

    def __init__(self) -> None:
        self.writes: list[list[int]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        self.fails = False

    def write(self, frame: pl.DataFrame) -> int:
        self.begun.set()
        assert self.go_on.wait(PATIENCE_S)
        if self.fails:
            raise RuntimeError("a fault of ours")
        self.writes.append(frame["row"].to_list())
        return frame.height


def rows(*numbers: int) -> pl.DataFrame:
    return pl.DataFrame({"row": numbers})


def held_up() -> tuple[Place, Lane[int]]:
    """A place where the write of row 0 does not end before it is told to."""
    place = Place()
    place.go_on.clear()
    lane = Lane(place.write, 0.0)
    lane.put(rows(0))
    assert place.begun.wait(PATIENCE_S)
    return place, lane


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_what_waits_is_written_together_in_its_order() -> None:
    place, lane = held_up()
    for number in range(1, AHEAD + 1):
        lane.put(rows(number, number))
    place.go_on.set()
    eventually(lambda: len(place.writes) == 2)
    assert place.writes == [[0], sorted([*range(1, AHEAD + 1)] * 2)]


def test_what_is_enough_is_not_put_together_with_more() -> None:
    place, lane = held_up()
    for number in range(1, 4):
        lane.put(rows(*[number] * (ENOUGH_ROWS if number == 2 else 1)))
    place.go_on.set()
    eventually(lambda: len(place.writes) == 3)
    assert [(written[0], written[-1]) for written in place.writes] == [(0, 0), (1, 2), (3, 3)]


def test_whoever_is_too_far_ahead_waits() -> None:
    place, lane = held_up()
    for number in range(1, AHEAD + 1):
        lane.put(rows(number))
    late = threading.Thread(target=lane.put, args=[rows(9)])
    late.start()
    late.join(0.1)
    assert late.is_alive()
    place.go_on.set()
    late.join(PATIENCE_S)
    eventually(lambda: sum(map(len, place.writes)) == AHEAD + 2)
    assert [row for written in place.writes for row in written] == [*range(AHEAD + 1), 9]


@pytest.mark.parametrize("frames", [[rows(*range(ENOUGH_ROWS))], [rows(n) for n in range(AHEAD)]])
def test_enough_rows_and_enough_frames_wait_for_no_others(frames: list[pl.DataFrame]) -> None:
    place = Place()
    lane = Lane(place.write, 1e6)
    for frame in frames:
        lane.put(frame)
    eventually(lambda: bool(place.writes))
    assert place.writes == [pl.concat(frames)["row"].to_list()]


def test_few_rows_wait_for_others() -> None:
    place = Place()
    lane = Lane(place.write, 1e6)
    lane.put(rows(1))
    assert not place.begun.wait(0.1)
    lane.put(rows(*range(ENOUGH_ROWS)))
    assert place.begun.wait(PATIENCE_S)


def test_few_rows_do_not_wait_for_ever() -> None:
    place = Place()
    Lane(place.write, 0.05).put(rows(1))
    assert place.begun.wait(PATIENCE_S)


def test_whether_all_so_far_is_written_can_be_asked() -> None:
    place, lane = held_up()
    lane.put(rows(1))
    lane.put(rows(2))
    all_so_far = lane.all_so_far()
    assert not all_so_far()
    place.go_on.set()
    eventually(all_so_far)
    assert place.writes == [[0], [1, 2]]


def test_what_became_of_each_write_is_told_once() -> None:
    place = Place()
    lane = Lane(place.write, 0.0)
    lane.put(rows(1, 2, 3))
    deadline = time.monotonic() + PATIENCE_S
    while not (told := lane.ended()):
        assert time.monotonic() < deadline
    assert told == [3]
    assert lane.ended() == []


def test_after_a_failure_nothing_is_written_and_everybody_is_told() -> None:
    place, lane = held_up()
    for number in range(1, AHEAD + 1):
        lane.put(rows(number))
    place.fails = True
    threading.Timer(0.1, place.go_on.set).start()
    with pytest.raises(RuntimeError, match="a fault of ours"):
        lane.put(rows(9))
    place.fails = False
    for _ in range(2):
        with pytest.raises(RuntimeError, match="a fault of ours"):
            lane.ended()
    assert place.writes == []
