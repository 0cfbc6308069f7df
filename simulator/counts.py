"""True interests and true listening, recounted from the accepted plays, some hours at a time.

Nothing clever on purpose: each window is cut out and counted on its own, each play looks back half
an hour. Only plays of the last hours are held.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from simulator.catalogue import Catalogue
from simulator.people import BANDS, GENDERS, LEVELS, People
from simulator.places import Places
from simulator.rules import DAY_MS, ENOUGH, FIVE_MS, HALF_HOUR_MS, HOUR_MS

HANDFUL = 20_000
Ints = npt.NDArray[np.int64]

HEARD = pl.Schema(
    {
        "played": pl.Int64(),
        "customer_id": pl.Int64(),
        "person": pl.Int32(),
        "track_id": pl.Int64(),
        "track": pl.Int32(),
        "mobile": pl.Boolean(),
        "place": pl.Int32(),
    }
)
"""What counting needs of an accepted play that was not too late."""

TIME = pl.Datetime("ms", "UTC")
LISTENING = {"window_start": TIME, "window_end": TIME, "dimension": pl.String(),
             "key": pl.String(), "plays": pl.Int64(), "listeners": pl.Int64()}  # fmt: skip
UNKNOWN = "unknown"


@dataclass(eq=False)
class Recent:
    """The plays of the blocks of time that can still change; a block is some whole hours."""

    block_ms: int = HOUR_MS
    blocks: defaultdict[int, list[pl.DataFrame]] = field(default_factory=lambda: defaultdict(list))
    counted: int = -1

    def add(self, heard: pl.DataFrame) -> None:
        """Keep HEARD rows by the block they were played in."""
        parts = heard.with_columns(block=pl.col("played") // self.block_ms).partition_by(
            "block", as_dict=True, include_key=False
        )
        for (block,), part in parts.items():
            self.blocks[int(block)].append(part)

    def ready(self, before_ms: int) -> Iterator[tuple[pl.DataFrame, int, int]]:
        """What to count, now that all plays of before `before_ms` are here: plays, start, end.

        The plays are those of a block [start, end) ms and of the half hour before it, by time. The
        block after a play is counted too: a window that holds the play can end in it.
        """
        touched = {block + more for block in self.blocks for more in (0, 1)} - {self.counted}
        for block in sorted(touched):
            start, end = block * self.block_ms, (block + 1) * self.block_ms
            if end > before_ms:
                return
            parts = self.blocks.pop(block - 1, []) + self.blocks.get(block, [])
            plays = pl.concat(parts) if parts else HEARD.to_frame()
            plays = plays.filter(pl.col("played") >= start - HALF_HOUR_MS).sort("played")
            self.counted = block
            yield plays, start, end


@dataclass(frozen=True, eq=False)
class Dimensions:
    """The keys of every dimension as small codes, and their names."""

    people: People
    catalogue: Catalogue
    places: Places

    def coded(self, heard: pl.DataFrame) -> pl.DataFrame:
        """Columns played, customer_id and one of codes for each dimension; -1 is unknown."""
        person, track = heard["person"].to_numpy(), heard["track"].to_numpy()
        known = person >= 0

        def of(trait: np.ndarray) -> np.ndarray:
            return np.where(known, trait[person], -1).astype(np.int64)

        return heard.select(
            "played",
            "customer_id",
            device=pl.col("mobile").cast(pl.Int64),
            gender=of(self.people.gender),
            age_band=of(self.people.band),
            level=of(self.people.level),
            state=self.places.state_codes[heard["place"].to_numpy()],
            track="track_id",
            artist=np.where(track >= 0, self.catalogue.artist_codes[track], -1),
            all=pl.lit(0, pl.Int64),
        )

    def named(self, dimension: str, codes: pl.Series) -> pl.Series:
        """The keys as the stores write them."""
        if dimension == "track":
            return codes.cast(pl.String)
        names = {
            "device": ("pc", "mobile"),
            "gender": GENDERS,
            "age_band": BANDS,
            "level": LEVELS,
            "state": self.places.state_names,
            "artist": self.catalogue.artist_names,
            "all": ("all",),
        }[dimension]
        code = codes.to_numpy()
        name = pl.Series(names, dtype=pl.String).gather(np.clip(code, 0, len(names) - 1))
        known = pl.Series((code >= 0) & (code < len(names)))
        return name.zip_with(known, pl.Series([UNKNOWN]).new_from_index(0, len(code)))


def listening(plays: pl.DataFrame, start: int, end: int, dimensions: Dimensions) -> pl.DataFrame:
    """LISTENING rows of all windows that end within (start, end] ms, whole hours.

    `plays` holds, by time, the HEARD plays from half an hour before `start` up to `end`.
    """
    played = plays["played"].to_numpy()
    ends = np.arange(start + FIVE_MS, end + FIVE_MS, FIVE_MS)
    spans = [(int(end) - length, int(end)) for end in ends for length in (FIVE_MS, HALF_HOUR_MS)]
    coded = dimensions.coded(plays)
    counted = [
        _count(coded, dimension, windows)
        for windows in _handfuls(played, spans)
        for dimension in coded.columns[2:]
    ]
    if not counted:
        return pl.DataFrame(schema=LISTENING)
    by_dimension = pl.concat(counted).partition_by("dimension", as_dict=True)
    return pl.concat(
        part.with_columns(key=dimensions.named(str(dimension), part["key"]))
        for (dimension,), part in by_dimension.items()
    ).select(
        pl.col("window_start", "window_end").cast(TIME), "dimension", "key", "plays", "listeners"
    )


def _handfuls(played: Ints, spans: list[tuple[int, int]]) -> Iterator[pl.DataFrame]:
    """A row for each play in each window: row (of `played`), window_start, window_end.

    Several windows come together while they hold few plays, so that a quiet hour costs little.
    """
    handful: list[tuple[int, int, int, int]] = []
    for span, (first, last) in zip(spans, np.searchsorted(played, spans).tolist(), strict=True):
        if first < last:
            handful.append((*span, first, last))
        if sum(last - first for *_, first, last in handful) >= HANDFUL:
            yield _rows(handful)
            handful = []
    if handful:
        yield _rows(handful)


def _rows(windows: list[tuple[int, int, int, int]]) -> pl.DataFrame:
    """Windows (start, end, first row, last row) as one row for each play in each."""
    start, end, first, last = np.array(windows).T
    return pl.DataFrame(
        {
            "row": np.concatenate([np.arange(f, t) for f, t in zip(first, last, strict=True)]),
            "window_start": np.repeat(start, last - first),
            "window_end": np.repeat(end, last - first),
        }
    )


def _count(coded: pl.DataFrame, dimension: str, windows: pl.DataFrame) -> pl.DataFrame:
    """Plays and distinct listeners of each window by the key of one dimension."""
    plays = windows.with_columns(
        key=coded[dimension].gather(windows["row"]),
        customer_id=coded["customer_id"].gather(windows["row"]),
    )
    return (
        plays.group_by("window_start", "window_end", "key")
        .agg(plays=pl.len().cast(pl.Int64), listeners=pl.n_unique("customer_id").cast(pl.Int64))
        .with_columns(dimension=pl.lit(dimension))
    )


def interests(plays: pl.DataFrame, start: int) -> pl.DataFrame:
    """Interests that plays from `start` on qualify for: customer_id, track_id, since, latest, peak.

    `plays` are HEARD from half an hour before `start` on. A play at t qualifies when the closed
    half hour [t - 30 min, t] holds three plays of its track by its customer; `since`, `latest` are
    int64 ms. To be merged over the blocks of time.
    """
    often = plays.filter(pl.len().over("customer_id", "track_id") >= ENOUGH)
    often = often.sort("customer_id", "track_id", "played")
    pair = often.select(pl.struct("customer_id", "track_id").rle_id()).to_series().to_numpy()
    line = pair.astype(np.int64) * DAY_MS + (often["played"].to_numpy() - start)
    upto = np.searchsorted(line, line, side="right")
    count = upto - np.searchsorted(line, line - HALF_HOUR_MS, side="left")
    return (
        often.with_columns(count=pl.Series(count, dtype=pl.Int32))
        .filter((pl.col("count") >= ENOUGH) & (pl.col("played") >= start))
        .group_by("customer_id", "track_id")
        .agg(since=pl.min("played"), latest=pl.max("played"), peak=pl.max("count"))
    )


def merged(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Interests found block by block as one record each: min, max, max."""
    return (
        pl.concat(parts)
        .group_by("customer_id", "track_id")
        .agg(pl.min("since"), pl.max("latest"), pl.max("peak"))
        .sort("customer_id", "track_id")
    )
