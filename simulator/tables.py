"""Reference tables as CSV with the original headers: strings quoted, numbers bare."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from simulator.errors import UsageError


def read_table(path: Path, columns: tuple[str, ...], integers: tuple[str, ...]) -> pl.DataFrame:
    """Read a CSV whose header holds `columns`; `integers` become Int64, an empty cell null.

    Raises UsageError for a missing or unreadable file, a missing column, or text for a number.
    """
    try:
        table = pl.read_csv(path, infer_schema=False)
    except FileNotFoundError:
        raise UsageError(f"There is no file {path}.") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UsageError(f"{path} cannot be read: {str(error).splitlines()[0]}.") from None
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise UsageError(f"{path} lacks the column {missing[0]}.")
    try:
        return table.with_columns(
            pl.col(name).str.strip_chars().replace("", None).cast(pl.Int64)
            for name in integers
            if name in table.columns
        )
    except pl.exceptions.PolarsError as error:
        raise UsageError(f"{path}: {str(error).splitlines()[0]}.") from None


def write_table(path: Path, columns: tuple[str, ...], chunks: Iterable[pl.DataFrame]) -> None:
    """Write chunks one after another under one bare header."""
    try:
        with path.open("wb") as file:
            file.write((",".join(columns) + "\n").encode())
            for chunk in chunks:
                chunk.write_csv(file, include_header=False, quote_style="non_numeric")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
