"""True interests and true listening, recounted from the accepted plays, some hours at a time.

Nothing clever on purpose: each window is cut out and counted on its own, each play looks back half
an hour. Only plays of the last hours are held.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
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
Windows = list[tuple[int, int, int, int]]
"""Start and end in ms; first and last row (exclusive) of the plays in it."""

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
    """The keys of every dimension as small codes, and their names; code 0 is unknown."""

    people: People
    catalogue: Catalogue
    places: Places

    def of(self, plays: pl.DataFrame) -> dict[str, tuple[Ints, pl.Series]]:
        """For each dimension the code of each HEARD play, and the names by code."""
        person, track = plays["person"].to_numpy(), plays["track"].to_numpy()
        tracks, track_code = np.unique(plays["track_id"].to_numpy(), return_inverse=True)

        def of_person(trait: npt.NDArray[np.int8]) -> Ints:
            return np.where(person >= 0, trait[person], -1).astype(np.int64)

        coded: dict[str, tuple[Ints, Iterable[str]]] = {
            "device": (plays["mobile"].cast(pl.Int64).to_numpy(), ("pc", "mobile")),
            "gender": (of_person(self.people.gender), GENDERS),
            "age_band": (of_person(self.people.band), BANDS),
            "level": (of_person(self.people.level), LEVELS),
            "state": (
                self.places.state_codes[plays["place"].to_numpy()],
                self.places.state_names,
            ),
            "track": (track_code, map(str, tracks)),
            "artist": (
                np.where(track >= 0, self.catalogue.artist_codes[track], -1),
                self.catalogue.artist_names,
            ),
            "all": (np.zeros(len(person), np.int64), ("all",)),
        }
        return {
            name: (code + 1, pl.Series([UNKNOWN, *names])) for name, (code, names) in coded.items()
        }


def listening(plays: pl.DataFrame, start: int, end: int, dimensions: Dimensions) -> pl.DataFrame:
    """LISTENING rows of all windows that end within (start, end] ms, whole hours.

    `plays` holds, by time, the HEARD plays from half an hour before `start` up to `end`.
    """
    played, customers = plays["played"].to_numpy(), plays["customer_id"].to_numpy()
    ends = np.arange(start + FIVE_MS, end + FIVE_MS, FIVE_MS)
    spans = [(int(end) - length, int(end)) for end in ends for length in (FIVE_MS, HALF_HOUR_MS)]
    coded = dimensions.of(plays)
    counted = [
        _count(dimension, *coded[dimension], customers, windows)
        for windows in _handfuls(played, spans)
        for dimension in coded
    ]
    return pl.concat(counted) if counted else pl.DataFrame(schema=LISTENING)


def _handfuls(played: Ints, spans: list[tuple[int, int]]) -> Iterator[Windows]:
    """The windows that hold plays, in order.

    Several come together while they hold few plays, so that a quiet hour costs little.
    """
    handful: Windows = []
    for span, (first, last) in zip(spans, np.searchsorted(played, spans).tolist(), strict=True):
        if first < last:
            handful.append((*span, first, last))
        if sum(last - first for *_, first, last in handful) >= HANDFUL:
            yield handful
            handful = []
    if handful:
        yield handful


def _count(
    dimension: str, codes: Ints, names: pl.Series, customers: Ints, windows: Windows
) -> pl.DataFrame:
    """Plays and distinct listeners of each window by the key of one dimension."""
    start, end, first, last = np.array(windows).T
    row = np.concatenate([np.arange(*rows) for rows in zip(first, last, strict=True)])
    window = np.repeat(np.arange(len(windows)), last - first)
    width = len(names)
    groups = pl.DataFrame({"group": window * width + codes[row], "customer": customers[row]})
    counted = groups.group_by("group").agg(
        plays=pl.len().cast(pl.Int64), listeners=pl.n_unique("customer").cast(pl.Int64)
    )
    window, code = np.divmod(counted["group"].to_numpy(), width)
    return counted.select(
        window_start=pl.Series(start[window]).cast(TIME),
        window_end=pl.Series(end[window]).cast(TIME),
        dimension=pl.lit(dimension),
        key=names.gather(code),
        plays="plays",
        listeners="listeners",
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
