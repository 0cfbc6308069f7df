"""Events as lines of NDJSON, written column by column."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from simulator.ads import ACTIONS, AD_NAMES
from simulator.malformed import AD_FLAWS, PLAY_FLAWS, Flaw
from simulator.places import Places

NOWHERE = "00000"
NEWER = ',"client":{"app":"encore-next","version":"9.1"},"mood":"♪ 밤","loudness":-11.5'
SECOND_MS = 1000
OFFSETS = pl.Series(
    [f"{'-' if m < 0 else '+'}{abs(m) // 60:02d}:{abs(m) % 60:02d}" for m in range(-1440, 1441)]
)


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines in one block of bytes, each with its newline; line i is data[edges[i]:edges[i + 1]]."""

    data: memoryview
    edges: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.edges) - 1

    def part(self, first: int, last: int) -> memoryview:
        """The bytes of lines first..last-1."""
        return self.data[self.edges[first] : self.edges[last]]


@dataclass(frozen=True, eq=False)
class Writer:
    """Turns PLAYS and ADS into lines.

    `tag` begins every event id, so that two runs never share one. With `in_file`, a line says its
    published_at where that differs from the event's own time.
    """

    places: Places
    tag: str
    in_file: bool

    def event_ids(self, events: pl.DataFrame) -> pl.Series:
        """The event id of each row."""
        return events.select(
            pl.concat_str(pl.lit(self.tag), "series", pl.lit("-"), "half", pl.lit("-"), "rank")
        ).to_series()

    def zips(self, plays: pl.DataFrame) -> pl.Series:
        """The zip of each play, one that does not exist for nowhere."""
        place = plays["place"].to_numpy()
        named = self.places.zips.gather(np.maximum(place, 0))
        return named.zip_with(
            pl.Series(place >= 0), pl.Series([NOWHERE]).new_from_index(0, len(place))
        )

    def plays(self, plays: pl.DataFrame) -> Lines:
        """The lines of PLAYS, in their order."""
        text = plays.select(
            "flaw",
            "newer",
            "customer_id",
            "track_id",
            "mobile",
            event_id=self.event_ids(plays),
            at=times(plays),
            zip=self.zips(plays),
            published=self._published(plays),
        )
        sound = pl.concat_str(
            pl.lit('{"event_id":"'), "event_id",
            pl.lit('","customer_id":'), "customer_id",
            pl.lit(',"track_id":'), "track_id",
            pl.lit(',"played_at":"'), "at",
            pl.when("mobile").then(pl.lit('","is_mobile":true,"zip":"'))
            .otherwise(pl.lit('","is_mobile":false,"zip":"')), "zip",
            pl.lit('"'), *_tail(),
        )  # fmt: skip
        return _block(text, sound, PLAY_FLAWS, _play_fields)

    def ads(self, ads: pl.DataFrame) -> Lines:
        """The lines of ADS, in their order."""
        offer = pl.concat_str(pl.lit(',"offer_id":"'), "offer", pl.lit('"')).fill_null("")
        text = ads.select(
            "flaw",
            "newer",
            "customer_id",
            event_id=self.event_ids(ads),
            at=times(ads),
            ad=pl.Series(AD_NAMES).gather(ads["ad"]),
            action=pl.Series(ACTIONS).gather(ads["action"]),
            offer=offer,
            published=self._published(ads),
        )
        sound = pl.concat_str(
            pl.lit('{"event_id":"'), "event_id",
            pl.lit('","customer_id":'), "customer_id",
            pl.lit(',"ad":"'), "ad",
            pl.lit('","action":"'), "action",
            pl.lit('","at":"'), "at", pl.lit('"'), "offer", *_tail(),
        )  # fmt: skip
        return _block(text, sound, AD_FLAWS, _ad_fields)

    def _published(self, events: pl.DataFrame) -> pl.Series:
        """The published_at of each row as text, null where no line needs it."""
        published = events["published"]
        told = (published != events["played"]) | (events["flaw"] > 0)
        if not self.in_file or not told.any():
            return pl.repeat(None, events.height, dtype=pl.String, eager=True)
        texts = clock(published.filter(told)) + "Z"
        at = told.cum_sum().cast(pl.Int64) - 1
        return texts.gather(at.clip(0)).zip_with(
            told, pl.Series([None], dtype=pl.String).new_from_index(0, len(told))
        )


def clock(ms: pl.Series) -> pl.Series:
    """Milliseconds of an epoch as 2026-01-31T12:34:56.789."""
    return ms.cast(pl.Datetime("ms")).dt.strftime("%Y-%m-%dT%H:%M:%S%.3f")


def times(events: pl.DataFrame) -> pl.Series:
    """The event's own time on the listener's clock; newer clients write microseconds."""
    offset = events["offset"].cast(pl.Int64)
    local = clock(events["played"] + offset * 60_000)
    zone = OFFSETS.gather(offset + 1440)
    finer = pl.Series(["", "999"]).gather(events["newer"].cast(pl.UInt32))
    return local + finer + zone


def _tail() -> tuple[pl.Expr, ...]:
    published = pl.concat_str(pl.lit(',"published_at":"'), "published", pl.lit('"')).fill_null("")
    newer = pl.when("newer").then(pl.lit(NEWER)).otherwise(pl.lit(""))
    return published, newer, pl.lit("}\n")


def _block(
    text: pl.DataFrame,
    sound: pl.Expr,
    flaws: tuple[Flaw, ...],
    fields: Callable[[dict[str, Any]], dict[str, Any]],
) -> Lines:
    """The column of lines as one block of bytes, malformed ones in their place."""
    lines = text.select(line=sound)["line"].cast(pl.Binary)
    rows = text["flaw"].to_numpy().nonzero()[0]
    if len(rows):
        wrong = text[rows].to_dicts()
        bad = [flaws[row["flaw"] - 1].line(fields(row)) + b"\n" for row in wrong]
        spot = np.zeros(len(lines), np.int64)
        spot[rows] = np.arange(len(rows))
        lines = pl.Series(bad, dtype=pl.Binary).gather(spot).zip_with(text["flaw"] > 0, lines)
    array = lines.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    _, edges, data = array.buffers()
    offsets = np.frombuffer(edges, np.int64)[array.offset : array.offset + len(lines) + 1]
    return Lines(memoryview(data) if data is not None else memoryview(b""), offsets)


def _play_fields(row: dict[str, Any]) -> dict[str, Any]:
    return _published_too(row, {
        "event_id": row["event_id"], "customer_id": row["customer_id"],
        "track_id": row["track_id"], "played_at": row["at"], "is_mobile": row["mobile"],
        "zip": row["zip"],
    })  # fmt: skip


def _ad_fields(row: dict[str, Any]) -> dict[str, Any]:
    return _published_too(row, {
        "event_id": row["event_id"], "customer_id": row["customer_id"], "ad": row["ad"],
        "action": row["action"], "at": row["at"], "offer_id": "none",
    })  # fmt: skip


def _published_too(row: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    return fields if row["published"] is None else {**fields, "published_at": row["published"]}
