import logging
from collections.abc import Callable

import pytest

from beam_pipeline.edges.retry import Outage


class Unreachable(Exception):
    """What a client raises while its store is away."""


def fails(times: int, result: str = "stored") -> Callable[[], str]:
    left = [times]

    def action() -> str:
        if left[0]:
            left[0] -= 1
            raise Unreachable("nobody there")
        return result

    return action


def test_an_action_is_tried_until_it_succeeds() -> None:
    outage = Outage("store", sleep=lambda _: None)
    assert outage.call(fails(100), (Unreachable,)) == "stored"


def test_waits_double_from_a_tenth_of_a_second_to_five_seconds() -> None:
    waits: list[float] = []
    Outage("store", sleep=waits.append, jitter=lambda: 1.0).call(fails(9), (Unreachable,))
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


def test_jitter_takes_off_at_most_half_of_a_wait() -> None:
    waits: list[float] = []
    Outage("store", sleep=waits.append, jitter=lambda: 0.0).call(fails(2), (Unreachable,))
    assert waits == [0.05, 0.1]


def test_a_new_outage_begins_with_the_shortest_wait() -> None:
    waits: list[float] = []
    outage = Outage("store", sleep=waits.append, jitter=lambda: 1.0)
    outage.call(fails(3), (Unreachable,))
    outage.call(fails(1), (Unreachable,))
    assert waits == [0.1, 0.2, 0.4, 0.1]


def test_an_outage_is_logged_when_it_begins_and_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outage = Outage("Redis", sleep=lambda _: None)
    with caplog.at_level(logging.INFO):
        outage.call(fails(50), (Unreachable,))
        outage.call(fails(0), (Unreachable,))
    begins, ends = (record.getMessage() for record in caplog.records)
    assert begins == "Redis does not take our requests, waiting: Unreachable: nobody there"
    assert ends.startswith("Redis is back after ")
    assert ends.endswith(" 50 tries")


def test_another_error_is_raised_at_once() -> None:
    outage = Outage("store", sleep=lambda _: None)
    with pytest.raises(ZeroDivisionError):
        outage.call(lambda: 1 // 0, (Unreachable,))  # type: ignore[arg-type]
