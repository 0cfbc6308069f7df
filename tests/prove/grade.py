"""What a store holds, graded record by record against what it has to hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

SHOWN = 5
"""Differing records that a grade keeps, to be shown side by side."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """One record as it should be and as it is; None where there is none."""

    who: Record
    expected: Record | None
    held: Record | None

    def columns(self) -> list[str]:
        """The columns in which the two differ; all where one of them is missing."""
        if self.expected is None or self.held is None:
            return list(self.expected or self.held or {})
        return [name for name, value in self.expected.items() if value != self.held[name]]


@dataclass(frozen=True)
class Grade:
    """How a store stands in one subject; a record that is right is right in every column."""

    subject: str
    store: str
    expected: int
    held: int
    right: int
    differences: tuple[Difference, ...] = ()

    @property
    def precision(self) -> float:
        """Of what is held, the share that is right; 1 of nothing where nothing is expected."""
        return self.right / self.held if self.held else float(self.expected == 0)

    @property
    def recall(self) -> float:
        """Of what is expected, the share that is held."""
        return self.right / self.expected if self.expected else 1.0

    @property
    def exact(self) -> bool:
        """Whether nothing is missing, nothing too many, nothing different."""
        return self.expected == self.held == self.right


def grade(
    subject: str,
    store: str,
    expected: pl.DataFrame,
    held: pl.DataFrame,
    who: Sequence[str],
    times: str | None = None,
) -> Grade:
    """Compare two frames of records as multisets: one that is held twice is one too many.

    Args:
        subject, store: what is graded.
        expected: the records that have to be there; its columns and their types count.
        held: those that are.
        who: the columns that say which record it is, to put differing ones side by side.
        times: a column of numbers that says how often each record counts; once without it.
    """
    names = [name for name in expected.columns if name != times]
    weight = pl.len().cast(pl.Int64) if times is None else pl.col(times).cast(pl.Int64).sum()
    held = held.select(expected.columns).cast(expected.schema)  # type: ignore[arg-type]
    wanted, found = (
        frame.group_by(names).agg(weight.alias(count)).filter(pl.col(count) > 0)
        for frame, count in ((expected, "_expected"), (held, "_held"))
    )
    both = wanted.join(found, on=names, how="full", coalesce=True, nulls_equal=True).with_columns(
        pl.col("_expected", "_held").fill_null(0)
    )
    right = int(both.select(pl.min_horizontal("_expected", "_held").sum()).item())
    wrong = both.filter(pl.col("_expected") != pl.col("_held"))
    return Grade(
        subject,
        store,
        int(both["_expected"].sum()),
        int(both["_held"].sum()),
        right,
        _side_by_side(wrong, list(who)),
    )


def _side_by_side(wrong: pl.DataFrame, who: list[str]) -> tuple[Difference, ...]:
    """The first differing records, in the order of who they are."""
    first = wrong.select(who).unique().sort(who, nulls_last=True).head(SHOWN)
    rest = [name for name in wrong.columns if name not in who and not name.startswith("_")]
    differences = []
    for one in first.to_dicts():
        rows = wrong.filter(pl.col(name).eq_missing(pl.lit(value)) for name, value in one.items())
        if rows.height == 1 and (not rest or min(rows["_expected"][0], rows["_held"][0]) > 0):
            expected, held = rows["_expected"][0], rows["_held"][0]
            differences.append(Difference(one, {"times": expected}, {"times": held}))
        else:
            missing = pl.col("_expected") > pl.col("_held")
            sides = [_first(rows.filter(side), rest) for side in (missing, ~missing)]
            differences.append(Difference(one, *sides))
    return tuple(differences)


def _first(rows: pl.DataFrame, rest: list[str]) -> Record | None:
    return rows.select(rest).row(0, named=True) if rows.height else None
