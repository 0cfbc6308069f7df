"""Sums of changes by cell, held against a plain grouping."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.domain.deltas import DELTA, DIMENSIONS, NO_DELTA, SLIDING, summed

COUNTERS = ["plays", "listeners", *SLIDING]
CELLS = st.tuples(
    st.integers(0, len(DIMENSIONS) - 1),
    st.sampled_from([0, 1, -1, 2**62, -(2**63)]),
    st.integers(-3, 3),
)
SUMS = st.lists(st.integers(0, 2**40), min_size=len(COUNTERS), max_size=len(COUNTERS))


@given(st.lists(st.tuples(CELLS, SUMS), max_size=40))
def test_one_row_a_cell_with_the_sums_of_all_its_rows(
    rows: list[tuple[tuple[int, int, int], list[int]]],
) -> None:
    delta = pl.DataFrame(
        [
            (dimension, value, f"{value}", bucket, *sums)
            for (dimension, value, bucket), sums in rows
        ],
        DELTA,
        orient="row",
    )
    cells = ["dimension", "value", "label", "bucket"]
    expected = delta.group_by(cells, maintain_order=True).agg(pl.col(COUNTERS).sum())
    assert summed(delta).equals(expected)
    assert summed(delta).schema == DELTA


def test_of_nothing_it_is_nothing() -> None:
    assert summed(NO_DELTA).equals(NO_DELTA)
