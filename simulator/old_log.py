"""The original play log, headerless CSV with naive times, as lines of today."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from simulator.errors import UsageError

COLUMNS = ("event_id", "customer_id", "track_id", "at", "is_mobile", "zip")


def import_log(log: Path, output: Path) -> int:
    """Write the plays of `log` as NDJSON, in its order; gives their number.

    Naive times are UTC. Raises UsageError when a file cannot be used or a row is no play.
    """
    plays = _read(log)
    wrong = plays.filter(pl.any_horizontal(pl.all().is_null()))
    if wrong.height:
        raise UsageError(f"{log} has a row that is no play: number {wrong['row'][0]}.")
    lines = plays.select(
        pl.concat_str(
            pl.lit('{"event_id":"'), "event_id",
            pl.lit('","customer_id":'), "customer_id",
            pl.lit(',"track_id":'), "track_id",
            pl.lit(',"played_at":"'), pl.col("at").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            pl.when("is_mobile").then(pl.lit('","is_mobile":true,"zip":"'))
            .otherwise(pl.lit('","is_mobile":false,"zip":"')), "zip",
            pl.lit('"}\n'),
        )
    )  # fmt: skip
    try:
        output.write_text("".join(lines.to_series()), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{output} cannot be written: {error.strerror}.") from None
    return plays.height


def _read(log: Path) -> pl.DataFrame:
    """The rows of the log, `row` from 1; null where a value is not what it should be."""
    try:
        rows = pl.read_csv(
            log, has_header=False, infer_schema=False, row_index_name="row", row_index_offset=1
        )
    except FileNotFoundError:
        raise UsageError(f"There is no file {log}.") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UsageError(f"{log} cannot be read: {str(error).splitlines()[0]}.") from None
    if rows.width != len(COLUMNS) + 1:
        raise UsageError(f"{log} has {rows.width - 1} columns, not {len(COLUMNS)}.")
    rows.columns = ["row", *COLUMNS]
    number = pl.Int64()
    return rows.select(
        "row",
        pl.col("event_id").cast(number, strict=False),
        pl.col("customer_id").cast(number, strict=False),
        pl.col("track_id").cast(number, strict=False),
        pl.col("at").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False),
        is_mobile=pl.col("is_mobile").replace_strict({"0": False, "1": True}, default=None),
        zip=pl.when(pl.col("zip").str.contains(r"^[0-9]{5}$")).then("zip"),
    )
