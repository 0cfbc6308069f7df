"""Interests at the very edges of the closed half hour."""

import polars as pl

from simulator.counts import HEARD, interests, merged
from simulator.rules import HALF_HOUR_MS, HOUR_MS

NOON = 12 * HOUR_MS


def heard(*times: int, customer: int = 1, track: int = 2) -> pl.DataFrame:
    """Plays of one track by one customer, ms after noon."""
    rows = {
        "played": [NOON + at for at in times],
        "customer_id": customer,
        "person": 0,
        "track_id": track,
        "track": 0,
        "mobile": False,
        "place": 0,
    }
    return pl.DataFrame(rows, schema=HEARD)


def found(plays: pl.DataFrame, start: int = NOON) -> list[tuple[int, int, int]]:
    """since and latest in ms after noon, and peak, of each interest."""
    rows = interests(plays, start).sort("customer_id", "track_id")
    return [
        (since - NOON, latest - NOON, peak)
        for since, latest, peak in rows.select("since", "latest", "peak").iter_rows()
    ]


def test_exactly_half_an_hour_still_counts_and_a_millisecond_more_does_not() -> None:
    assert found(heard(0, 5, HALF_HOUR_MS)) == [(HALF_HOUR_MS, HALF_HOUR_MS, 3)]
    assert found(heard(0, 5, HALF_HOUR_MS + 1)) == []


def test_plays_at_one_moment_all_count_for_each_other() -> None:
    assert found(heard(7, 7, 7)) == [(7, 7, 3)]
    assert found(heard(7, 7)) == []


def test_other_customers_and_other_tracks_do_not_count() -> None:
    assert found(pl.concat([heard(0, 1), heard(2, track=3), heard(3, customer=4)])) == []
    two = pl.concat([heard(0, 1, 2), heard(5, 6, 7, 8, track=3)])
    assert found(two) == [(2, 2, 3), (7, 8, 4)]


def test_a_play_looks_back_across_the_border_of_a_block() -> None:
    across = heard(-1000, -500, 10)
    assert found(across) == [(10, 10, 3)]
    assert found(across, NOON - HOUR_MS) == [(10, 10, 3)]
    blocks = [interests(heard(-20, -10, -5, 0), start) for start in (NOON - HOUR_MS, NOON)]
    row = merged(blocks).row(0, named=True)
    assert (row["since"] - NOON, row["latest"] - NOON, row["peak"]) == (-5, 0, 4)
