"""Customers and tracks in CSV files with the original headers."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from beam_pipeline.edges.files import open_input

CUSTOMERS = pl.Schema(
    {
        "customer_id": pl.Int64(),
        "name": pl.String(),
        "gender": pl.Int8(),
        "age": pl.Int16(),
        "zip": pl.String(),
        "level": pl.Int8(),
        "status": pl.Int8(),
        "campaign": pl.Int8(),
        "phone": pl.String(),
        "sms_consent": pl.Boolean(),
    }
)
TRACKS = pl.Schema(
    {
        "track_id": pl.Int64(),
        "title": pl.String(),
        "artist": pl.String(),
        "length_s": pl.Int32(),
    }
)

_MAX_ID = 2**63 - 1


class BadFile(Exception):
    """A file that is no reference data; the text is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a file held."""

    rows: pl.DataFrame
    """CUSTOMERS or TRACKS; of several rows with one id the last."""
    bad: list[str] = field(default_factory=list)
    """A sentence for each row that was left out."""


def read_customers(path: Path) -> Read:
    """Read `CustID,Name,Gender,Address,zip,SignDate,Status,Level,Campaign,LinkedWithApps`.

    Age, Phone and SmsConsent may follow. A row with a value that cannot be is left out and told;
    an empty trait is null; without SmsConsent nobody has consented.

    Raises:
        BadFile: when it cannot be read, or its header lacks one of the columns.
    """
    return _read(
        path,
        CUSTOMERS,
        ("CustID", "Name", "Gender", "zip", "Status", "Level", "Campaign"),
        _customer,
    )


def read_tracks(path: Path) -> Read:
    """Read `TrackId,Title,Artist,Length`, the length in seconds or as M:SS.

    Raises:
        BadFile: as for `read_customers`.
    """
    return _read(path, TRACKS, ("TrackId", "Title", "Artist", "Length"), _track)


def _read(
    path: Path,
    schema: pl.Schema,
    columns: tuple[str, ...],
    convert: Callable[[Mapping[str, str]], tuple[object, ...]],
) -> Read:
    rows: dict[object, tuple[object, ...]] = {}
    bad = []
    try:
        for number, cells in _lines(path, columns):
            try:
                row = convert(cells)
            except ValueError as error:
                bad.append(f"{path.name} line {number}: {error}")
            else:
                rows[row[0]] = row
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"Cannot read {path}: {error}") from error
    return Read(pl.DataFrame(list(rows.values()), schema=schema, orient="row"), bad)


def _lines(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[int, Mapping[str, str]]]:
    with open_input(str(path)) as stream:
        reader = csv.DictReader(io.TextIOWrapper(stream, encoding="utf-8-sig", newline=""))  # type: ignore[type-var]
        missing = [name for name in columns if name not in (reader.fieldnames or ())]
        if missing:
            raise BadFile(f"{path} has no column {missing[0]}")
        for cells in reader:
            yield (
                reader.line_num,
                {
                    name: (cell or "").strip()
                    for name, cell in cells.items()
                    if isinstance(name, str) and not isinstance(cell, list)
                },
            )


def _customer(cells: Mapping[str, str]) -> tuple[object, ...]:
    zip_code = cells["zip"]
    if zip_code and not (len(zip_code) == 5 and zip_code.isascii() and zip_code.isdigit()):
        raise ValueError(f"zip is {zip_code!r}, not five digits")
    return (
        _integer(cells, "CustID", _MAX_ID, required=True),
        cells["Name"] or None,
        _integer(cells, "Gender", 1),
        _integer(cells, "Age", 150),
        zip_code or None,
        _integer(cells, "Level", 2),
        _integer(cells, "Status", 1),
        _integer(cells, "Campaign", 4),
        cells.get("Phone") or None,
        _integer(cells, "SmsConsent", 1) == 1,
    )


def _track(cells: Mapping[str, str]) -> tuple[object, ...]:
    return (
        _integer(cells, "TrackId", _MAX_ID, required=True),
        cells["Title"] or None,
        cells["Artist"] or None,
        _length(cells["Length"]),
    )


def _integer(
    cells: Mapping[str, str], name: str, highest: int, *, required: bool = False
) -> int | None:
    cell = cells.get(name, "")
    if not cell and not required:
        return None
    if not (cell.isascii() and cell.isdigit() and int(cell) <= highest):
        raise ValueError(f"{name} is {cell[:40]!r}, not an integer from 0 to {highest}")
    return int(cell)


def _length(cell: str) -> int | None:
    if not cell:
        return None
    minutes, _, seconds = cell.rpartition(":")
    parts = (minutes or "0", seconds)
    if not all(part.isascii() and part.isdigit() and len(part) <= 6 for part in parts):
        raise ValueError(f"Length is {cell[:40]!r}, neither seconds nor M:SS")
    return int(parts[0]) * 60 + int(parts[1])
