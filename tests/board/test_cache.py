"""Answers are made once for all who ask, and no more of them are kept than is said."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from functions.board.cache import Cache, OneAtATime


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_content_serves_until_its_time_is_over() -> None:
    cache: Cache[str] = Cache(most=2)
    cache.put("a", "first", until=2.0)
    assert cache.get("a", 1.9) == "first"
    assert cache.get("a", 2.0) is None


def test_the_longest_unused_goes_first() -> None:
    cache: Cache[int] = Cache(most=2)
    for place, key in enumerate("ab"):
        cache.put(key, place, until=9.0)
    cache.get("a", 0.0)
    cache.put("c", 2, until=9.0)
    assert [cache.get(key, 0.0) for key in "abc"] == [0, None, 2]


def test_those_who_ask_together_share_one_making() -> None:
    made: OneAtATime[int] = OneAtATime(1.0, 8, Clock())
    gate, calls = threading.Barrier(8), []

    def make() -> int:
        calls.append(1)
        return len(calls)

    def ask() -> int:
        gate.wait()
        return made.get("page", make, ValueError)

    with ThreadPoolExecutor(8) as pool:
        answers = [future.result() for future in [pool.submit(ask) for _ in range(8)]]
    assert (answers, calls) == ([1] * 8, [1])


def test_another_is_made_when_the_first_no_longer_serves() -> None:
    clock = Clock()
    made: OneAtATime[float] = OneAtATime(1.0, 8, clock)
    assert made.get("page", clock, ValueError) == 0.0
    clock.now = 0.9
    assert made.get("page", clock, ValueError) == 0.0
    clock.now = 1.0
    assert made.get("page", clock, ValueError) == 1.0


def test_a_failure_is_shared_as_long_as_an_answer_and_no_longer() -> None:
    clock, calls = Clock(), []
    made: OneAtATime[int] = OneAtATime(1.0, 8, clock)

    def fail() -> int:
        calls.append(1)
        raise ValueError("down")

    for _ in range(2):
        with pytest.raises(ValueError, match="down"):
            made.get("page", fail, ValueError)
    assert calls == [1]
    clock.now = 1.0
    assert made.get("page", lambda: 7, ValueError) == 7


def test_a_bug_is_not_remembered() -> None:
    made: OneAtATime[int] = OneAtATime(1.0, 8, Clock())
    nothing: dict[str, int] = {}
    with pytest.raises(KeyError):
        made.get("page", lambda: nothing["missing"], ValueError)
    assert made.get("page", lambda: 7, ValueError) == 7
