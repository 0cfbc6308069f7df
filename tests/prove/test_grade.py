"""A grade sees everything that is missing, too many, or different, and says which."""

from __future__ import annotations

import polars as pl
import pytest

from tests.prove.grade import Difference, Grade, grade
from tests.prove.report import share, sides

SCHEMA = {"customer": pl.Int64(), "track": pl.Int64(), "artist": pl.String(), "peak": pl.Int32()}
RIGHT = [(1, 10, "Aria", 3), (1, 11, None, 4), (2, 10, "Aria", 3)]
Rows = list[tuple[int, int, str | None, int]]


def graded(held: Rows, expected: Rows = RIGHT) -> Grade:
    wanted, found = (pl.DataFrame(rows, schema=SCHEMA, orient="row") for rows in (expected, held))
    return grade("interests", "a store", wanted, found, ("customer", "track"))


def test_a_store_that_holds_just_that_is_exact_whatever_the_order() -> None:
    one = graded(RIGHT[::-1])
    assert one.exact
    assert (one.precision, one.recall, one.differences) == (1.0, 1.0, ())


@pytest.mark.parametrize(
    ("held", "right", "difference"),
    [
        (
            RIGHT[:2],
            2,
            Difference({"customer": 2, "track": 10}, {"artist": "Aria", "peak": 3}, None),
        ),
        (
            [*RIGHT, (3, 1, None, 5)],
            3,
            Difference({"customer": 3, "track": 1}, None, {"artist": None, "peak": 5}),
        ),
        (
            [*RIGHT[:2], (2, 10, "Aria", 4)],
            2,
            Difference(
                {"customer": 2, "track": 10},
                {"artist": "Aria", "peak": 3},
                {"artist": "Aria", "peak": 4},
            ),
        ),
        (
            [RIGHT[0], (1, 11, "Aria", 4), RIGHT[2]],
            2,
            Difference(
                {"customer": 1, "track": 11},
                {"artist": None, "peak": 4},
                {"artist": "Aria", "peak": 4},
            ),
        ),
        (
            [*RIGHT, RIGHT[0]],
            3,
            Difference({"customer": 1, "track": 10}, {"times": 1}, {"times": 2}),
        ),
    ],
    ids=["missing", "too many", "another value", "no longer null", "held twice"],
)
def test_what_differs_is_not_exact_and_is_shown_side_by_side(
    held: Rows, right: int, difference: Difference
) -> None:
    one = graded(held)
    assert not one.exact
    assert (one.expected, one.held, one.right) == (3, len(held), right)
    assert one.precision == right / len(held)
    assert one.recall == right / 3
    assert one.differences == (difference,)


def test_one_missing_and_one_too_many_do_not_make_up_for_each_other() -> None:
    one = graded([*RIGHT[:2], (9, 9, "Aria", 3)])
    assert one.expected == one.held
    assert not one.exact


def test_nothing_is_exact_only_where_nothing_is_expected() -> None:
    assert graded([], []).exact
    assert (graded([]).precision, graded([]).recall) == (0.0, 0.0)
    assert (graded(RIGHT, []).precision, graded(RIGHT, []).recall) == (0.0, 1.0)


def test_counts_are_graded_event_by_event() -> None:
    expected, held = (
        pl.DataFrame({"minute": [0, 1, 2], "count": counts}) for counts in ([5, 2, 0], [4, 2, 1])
    )
    one = grade("duplicates", "a store", expected, held, ("minute",), times="count")
    assert (one.expected, one.held, one.right) == (7, 7, 6)
    assert one.differences == (
        Difference({"minute": 0}, {"times": 5}, {"times": 4}),
        Difference({"minute": 2}, {"times": 0}, {"times": 1}),
    )


def test_a_share_is_told_as_one_only_when_it_is() -> None:
    assert share(1.0) == "1.0"
    assert share(0.999999) == "0.9999"
    assert share(0.5) == "0.5000"


def test_only_the_columns_that_differ_are_told() -> None:
    who = {"customer": 1}
    both = Difference(who, {"artist": "Aria", "peak": 3}, {"artist": "Aria", "peak": 4})
    assert sides(both) == [("peak", "3", "4")]
    assert sides(Difference(who, {"artist": None, "peak": 3}, None)) == [
        ("", "artist None, peak 3", "nothing")
    ]
