"""The catalogue: invented tracks of invented artists, written and read as the original CSV."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from simulator import names
from simulator.errors import UsageError
from simulator.seeds import stream
from simulator.tables import read_table, write_table

COLUMNS = ("TrackId", "Title", "Artist", "Length")
CHUNK = 100_000
TRACKS_PER_ARTIST = 12


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The tracks of a run, one row each; a track is its row number.

    `ids` int64, `length_s` int32 seconds, `titles` and `artists` String.
    """

    ids: npt.NDArray[np.int64]
    length_s: npt.NDArray[np.int32]
    titles: pl.Series
    artists: pl.Series

    @classmethod
    def load(cls, path: Path) -> Catalogue:
        """Read a tracks CSV; `UsageError` says what is wrong with it."""
        table = read_table(path, COLUMNS, integers=("TrackId", "Length"))
        if not table.height:
            raise UsageError(f"{path} has no track in it.")
        return cls(
            ids=table["TrackId"].to_numpy(),
            length_s=table["Length"].fill_null(0).to_numpy().astype(np.int32),
            titles=table["Title"],
            artists=table["Artist"],
        )

    @cached_property
    def artist_names(self) -> tuple[str, ...]:
        """The artists, by code."""
        return tuple(self.artists.unique().sort())

    @cached_property
    def artist_codes(self) -> npt.NDArray[np.int64]:
        """The code of each track's artist."""
        number = {artist: i for i, artist in enumerate(self.artist_names)}
        return np.array([number[artist] for artist in self.artists], np.int64)

    @property
    def stranger(self) -> int:
        """The first track id that the catalogue does not hold."""
        return int(self.ids.max()) + 1


def write_catalogue(path: Path, count: int, seed: int) -> None:
    """Write `count` tracks; the same seed gives the same first rows at any count."""
    artists = names.artist_names(stream(seed, "artists"), count // TRACKS_PER_ARTIST + 1)
    write_table(
        path, COLUMNS, (_chunk(first, count, seed, artists) for first in range(0, count, CHUNK))
    )


def _chunk(first: int, count: int, seed: int, artists: pl.Series) -> pl.DataFrame:
    rng = stream(seed, "tracks", first // CHUNK)
    size = min(CHUNK, count - first)
    heads, tails = (names.pick(rng, words, CHUNK) for words in (names.TITLE_HEAD, names.TITLE_TAIL))
    korean = names.pick(rng, names.TITLE_KOREAN, CHUNK)
    title = korean.zip_with(pl.Series(rng.random(CHUNK) < 0.125), heads + " " + tails)
    length = np.clip(rng.normal(215, 45, CHUNK), 65, 600).astype(np.int32)
    ids = np.arange(first, first + size, dtype=np.int64)
    return pl.DataFrame(
        {
            "TrackId": ids,
            "Title": title[:size],
            "Artist": artists.gather(ids // TRACKS_PER_ARTIST),
            "Length": length[:size],
        }
    )
