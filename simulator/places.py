"""Where listeners are: zips, their states, points and clocks.

States, points and time zones come from the `zipcodes` package (GeoNames, CC BY 4.0).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import zipcodes

from simulator.rules import HOUR_MS

YEAR_HOURS = 366 * 24
NOT_STATES = frozenset({"AE", "AP", "AA", "PR", "VI", "GU", "FM", "MP", "PW", "MH", "AS"})

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Places:
    """Every zip of the country, one row each; a place is its row number, and -1 is nowhere.

    `zones[zone_of[row]]` is the row's IANA time zone; nowhere, and a zip without one, keeps UTC.
    """

    zips: pl.Series
    states: pl.Series
    locations: pl.Series
    zones: tuple[str, ...]
    zone_of: npt.NDArray[np.int16]
    homes: npt.NDArray[np.int32]

    @classmethod
    def load(cls) -> Places:
        """All places of the `zipcodes` package, in the order of their zips."""
        listed: list[dict[str, Any]] = zipcodes.list_all()  # type: ignore[no-untyped-call]
        rows = sorted(listed, key=lambda row: row["zip_code"])
        known = {row["timezone"] for row in rows if row["timezone"].count("/") >= 1}
        zones = ("UTC", *sorted(known))
        number = {zone: i for i, zone in enumerate(zones)}
        homes = [
            i
            for i, row in enumerate(rows)
            if row["active"]
            and row["zip_code_type"] == "STANDARD"
            and row["state"] not in NOT_STATES
        ]
        return cls(
            zips=pl.Series([row["zip_code"] for row in rows]),
            states=pl.Series([row["state"] for row in rows]),
            locations=pl.Series([f"{row['lat']},{row['long']}" for row in rows]),
            zones=zones,
            zone_of=np.array([number.get(row["timezone"], 0) for row in rows], np.int16),
            homes=np.array(homes, np.int32),
        )

    @cached_property
    def row_of(self) -> pl.DataFrame:
        """Columns zip (String) and place (Int32), for joins."""
        return (
            pl.DataFrame({"zip": self.zips})
            .with_row_index("place")
            .select("zip", pl.col("place").cast(pl.Int32))
        )

    @cached_property
    def state_names(self) -> tuple[str, ...]:
        """The states, by code."""
        return tuple(self.states.unique().sort())

    @cached_property
    def state_codes(self) -> npt.NDArray[np.int64]:
        """The code of each place's state; the last entry, for place -1, is -1."""
        number = {state: i for i, state in enumerate(self.state_names)}
        return np.array([number[state] for state in self.states] + [-1], np.int64)

    def find(self, zips: pl.Series) -> npt.NDArray[np.int32]:
        """The place of each zip, -1 for a zip that does not exist."""
        asked = pl.DataFrame({"zip": zips.cast(pl.String)})
        found = asked.join(self.row_of, on="zip", how="left", maintain_order="left")
        return found["place"].fill_null(-1).to_numpy()

    def zone_at(self, places: npt.NDArray[np.int32]) -> npt.NDArray[np.int16]:
        """The zone number of each place."""
        return np.where(places >= 0, self.zone_of[places], np.int16(0))

    def offsets(self, zone: npt.NDArray[np.int16], at_ms: Ints) -> npt.NDArray[np.int16]:
        """Minutes to add to UTC, by zone number and moment (clocks change on whole hours)."""
        year, hour = np.divmod(at_ms // HOUR_MS, YEAR_HOURS)
        offsets = np.zeros(len(at_ms), np.int16)
        for one in np.unique(year):
            table = np.stack([zone_offsets(name, int(one)) for name in self.zones])
            mine = year == one
            offsets[mine] = table[zone[mine], hour[mine]]
        return offsets


@cache
def zone_offsets(zone: str, year: int) -> npt.NDArray[np.int16]:
    """Minutes to add to UTC in an IANA zone, for the hours of the year-th block of YEAR_HOURS."""
    hours = np.arange(year * YEAR_HOURS, (year + 1) * YEAR_HOURS)
    local = pl.Series(hours * HOUR_MS).cast(pl.Datetime("ms", "UTC")).dt.convert_time_zone(zone).dt
    minutes = (local.base_utc_offset() + local.dst_offset()).dt.total_minutes()
    return minutes.to_numpy().astype(np.int16)
