"""The listeners: who they are on paper, written and read as the original customers CSV."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from simulator import names
from simulator.errors import UsageError
from simulator.places import Places
from simulator.rules import DAY_MS
from simulator.seeds import stream
from simulator.tables import read_table, write_table

ORIGINAL = ("CustID", "Name", "Gender", "Address", "zip", "SignDate", "Status", "Level", "Campaign",
            "LinkedWithApps")  # fmt: skip
COLUMNS = (*ORIGINAL, "Age", "Phone", "SmsConsent")
CHUNK = 100_000

GENDERS = ("male", "female")
LEVELS = ("free", "silver", "gold")
CAMPAIGNS = ("NONE", "30DAYFREE", "SUPERBOWL", "RETAILSTORE", "WEBOFFER")
BANDS = ("0-17", "18-24", "25-34", "35-44", "45-54", "55-64", "65+")
BAND_EDGES = (18, 25, 35, 45, 55, 65)
UNKNOWN_AGE = -1


@dataclass(frozen=True, eq=False)
class People:
    """The customers of a run, one row each; a person is a row number, and -1 is a stranger.

    `ids`, `signed_ms` int64; `age` int16 in years (-1 unknown); `gender`, `level`, `campaign`,
    `status` int8, the codes of the CSV (-1 unknown); `place` int32 (-1 nowhere).
    """

    ids: npt.NDArray[np.int64]
    gender: npt.NDArray[np.int8]
    age: npt.NDArray[np.int16]
    level: npt.NDArray[np.int8]
    campaign: npt.NDArray[np.int8]
    status: npt.NDArray[np.int8]
    place: npt.NDArray[np.int32]
    signed_ms: npt.NDArray[np.int64]

    @classmethod
    def load(cls, path: Path, places: Places) -> People:
        """Read a customers CSV; `UsageError` says what is wrong with it."""
        codes = ("Gender", "Level", "Campaign", "Status")
        table = read_table(path, ORIGINAL, integers=("CustID", *codes, "Age"))
        if not table.height:
            raise UsageError(f"{path} has no customer in it.")
        if "Age" not in table.columns:
            table = table.with_columns(pl.lit(None, pl.Int64).alias("Age"))
        signed = table["SignDate"].str.to_date("%m/%d/%Y", strict=False).cast(pl.Datetime("ms"))
        small = {name: table[name].fill_null(-1).to_numpy().astype(np.int8) for name in codes}
        return cls(
            ids=table["CustID"].to_numpy(),
            gender=small["Gender"],
            age=table["Age"].fill_null(UNKNOWN_AGE).to_numpy().astype(np.int16),
            level=small["Level"],
            campaign=small["Campaign"],
            status=small["Status"],
            place=places.find(table["zip"]),
            signed_ms=signed.cast(pl.Int64).fill_null(0).to_numpy(),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def stranger(self) -> int:
        """The first customer id that the file does not hold."""
        return int(self.ids.max()) + 1

    @property
    def band(self) -> npt.NDArray[np.int8]:
        """The row of BANDS for each person, -1 where the age is unknown."""
        bands = np.searchsorted(BAND_EDGES, self.age, side="right").astype(np.int8)
        return np.where(self.age < 0, np.int8(-1), bands)


def write_people(path: Path, count: int, seed: int, as_of: date, places: Places) -> None:
    """Write `count` customers as they stand at `as_of`; one in twenty joins in the 90 days after.

    The same seed gives the same first rows at any count.
    """
    write_table(
        path,
        COLUMNS,
        (_chunk(first, count, seed, as_of, places) for first in range(0, count, CHUNK)),
    )


def _chunk(first: int, count: int, seed: int, as_of: date, places: Places) -> pl.DataFrame:
    rng = stream(seed, "customers", first // CHUNK)
    size = min(CHUNK, count - first)
    ids = np.arange(first, first + CHUNK, dtype=np.int64)
    female = rng.random(CHUNK) < 0.52
    birth_year = as_of.year - np.clip(rng.gamma(4.2, 8.5, CHUNK) + 10, 13, 94).astype(np.int64)
    age = pl.Series(as_of.year - birth_year)
    told_age = pl.Series(rng.random(CHUNK) >= 0.02)
    table = pl.DataFrame(
        {
            "CustID": ids,
            "Name": names.people_names(rng, female),
            "Gender": female.astype(np.int64),
            "Address": names.addresses(rng, CHUNK),
            "zip": places.zips.gather(rng.choice(places.homes, CHUNK)),
            "SignDate": _sign_dates(rng, as_of),
            "Status": (rng.random(CHUNK) < 0.94).astype(np.int64),
            "Level": rng.choice(3, CHUNK, p=(0.62, 0.24, 0.14)),
            "Campaign": rng.choice(5, CHUNK, p=(0.3, 0.2, 0.15, 0.1, 0.25)),
            "LinkedWithApps": (rng.random(CHUNK) < 0.4).astype(np.int64),
            "Age": age.zip_with(
                told_age, pl.Series([None], dtype=pl.Int64).new_from_index(0, CHUNK)
            ),
            "Phone": _phones(ids),
            "SmsConsent": (rng.random(CHUNK) < 0.6).astype(np.int64),
        }
    )
    return table[:size]


def _sign_dates(rng: np.random.Generator, as_of: date) -> pl.Series:
    start = datetime(as_of.year, as_of.month, as_of.day, tzinfo=UTC) - timedelta(days=3 * 365)
    before = rng.integers(0, 3 * 365, CHUNK)
    after = 3 * 365 + rng.integers(0, 90, CHUNK)
    day = np.where(rng.random(CHUNK) < 0.05, after, before)
    first_ms = int(start.timestamp() * 1000)
    return pl.Series(first_ms + day * DAY_MS).cast(pl.Datetime("ms")).dt.strftime("%m/%d/%Y")


def _phones(ids: npt.NDArray[np.int64]) -> pl.Series:
    """Numbers of the range kept for fiction (555-0100 to 0199), in real-looking area codes."""
    codes = pl.Series([code for code in range(201, 990) if code % 100 != 11])
    area = codes.gather(ids // 100 % len(codes)).cast(pl.String)
    last = pl.Series(ids % 100).cast(pl.String).str.zfill(2)
    return "+1" + area + "55501" + last
