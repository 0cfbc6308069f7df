import json
from collections.abc import Callable
from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.domain.schemas import DATASETS, TIMESTAMP
from beam_pipeline.edges.documents import Lines
from beam_pipeline.edges.elasticsearch import ADDRESSES, bulk_lines

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
DRAWN: dict[type[pl.DataType], Callable[[], st.SearchStrategy]] = {
    pl.String: lambda: TEXTS,
    pl.Boolean: st.booleans,
    pl.Int8: lambda: st.integers(-(2**7), 2**7 - 1),
    pl.Int16: lambda: st.integers(-(2**15), 2**15 - 1),
    pl.Int32: lambda: st.integers(-(2**31), 2**31 - 1),
    pl.Int64: lambda: st.integers(-(2**63), 2**63 - 1),
    pl.Float64: lambda: st.floats(allow_nan=False, allow_infinity=False),
    pl.Datetime: lambda: st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59)),  # noqa: DTZ001
}


@given(st.data())
def test_a_line_holds_what_the_same_row_of_a_frame_encodes_to(data: st.DataObject) -> None:
    types = data.draw(st.lists(st.sampled_from(list(DRAWN)), min_size=1, max_size=6))
    rows = data.draw(st.integers(0, 5))
    columns = {}
    for number, kind in enumerate(types):
        values = st.lists(st.none() | DRAWN[kind](), min_size=rows, max_size=rows)
        if data.draw(st.booleans()):
            values = st.lists(DRAWN[kind](), min_size=rows, max_size=rows)
        if kind is pl.Datetime:
            column = pl.Series(data.draw(values), dtype=pl.Datetime("us"))
            column = column.dt.cast_time_unit("ms").dt.replace_time_zone("UTC")
        else:
            column = pl.Series(data.draw(values), dtype=kind)
        columns[f"c{number}"] = column
    whole = pl.DataFrame(columns)
    start = data.draw(st.integers(0, rows))
    frame = whole.slice(start, data.draw(st.integers(0, rows - start)))
    lines = Lines(frame).document(frame.columns).joined().to_pylist()
    assert [json.loads(line) for line in lines] == [
        json.loads(line) for line in frame.write_ndjson().split("\n") if line
    ]


@pytest.mark.parametrize(
    "text", ['a "title"', "back\\slash", "two\nlines", "nul\0", "\x1f", "\x7f", "가수 🎵", ""]
)
def test_a_text_stays_the_text_that_it_is_in_ids_and_documents(text: str) -> None:
    frame = pl.DataFrame({"offer": [text, "plain"], "customer_id": [1, 2]})
    for row, line in enumerate(bulk_lines("targets", frame).to_pylist()):
        action, document, end = line.split("\n")
        assert json.loads(document) == frame.row(row, named=True)
        assert json.loads(action)["index"]["_id"] == "-".join(map(str, frame.row(row)))
        assert end == ""


@pytest.mark.parametrize("kind", [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt32, pl.UInt64])
def test_a_whole_number_has_its_digits_at_every_length(
    kind: type[pl.datatypes.IntegerType],
) -> None:
    bounds = pl.select(low=kind.min(), high=kind.max()).row(0)
    near = {sign * 10**power + step for sign in (-1, 1) for power in range(20) for step in (-1, 0)}
    numbers = [n for n in sorted({*near, *bounds, 0}) if bounds[0] <= n <= bounds[1]]
    frame = pl.DataFrame({"n": pl.Series([None, *numbers], dtype=kind)})
    assert written(frame) == ["null", *map(str, numbers)]


def test_texts_of_every_length_and_character_are_as_the_dataframe_library_writes_them() -> None:
    texts = ["x" * size for size in range(70)]
    texts += [chr(code) for code in (*range(0x300), 0x2028, 0xFFFF, 0x1F3B5)]
    texts += [chr(code) * 33 for code in range(0x24)]
    frame = pl.DataFrame({"t": [*texts, None]})
    wanted = [line[len('{"t":') : -1] for line in frame.write_ndjson().strip("\n").split("\n")]
    assert written(frame) == wanted
    assert written(frame.head(-1)) == wanted[:-1]


@pytest.mark.parametrize("code", [*range(0x20), ord('"'), ord("\\"), 0x7F])
def test_a_character_that_may_be_escaped_is_found_among_texts_that_are_plain(code: int) -> None:
    frame = pl.DataFrame({"t": ["plain", f"one{chr(code)}", "plain"]})
    assert [json.loads(text) for text in written(frame)] == frame["t"].to_list()


def written(frame: pl.DataFrame) -> list[str]:
    """The JSON values of a frame of one column."""
    return Lines(frame).value(frame.columns[0]).joined().to_pylist()


@given(st.lists(st.datetimes(), max_size=8))
def test_a_time_is_written_by_its_day_its_minute_and_whole(moments: list[datetime]) -> None:
    near = [(moment + timedelta(milliseconds=1)) for moment in moments if moment.year < 9999]
    column = pl.Series([*moments, *near, *moments], dtype=pl.Datetime("us"))
    frame = column.dt.cast_time_unit("ms").dt.replace_time_zone("UTC").to_frame("t")
    lines = Lines(frame).day("t").constant(" ").minute("t").constant(" ").value("t").joined()
    wanted = []
    for moment in frame["t"].to_list():
        day, minute = (moment.isoformat(timespec="minutes")[:end] for end in (10, 16))
        ms = f".{moment.microsecond // 1000:03}" if moment.microsecond else ""
        whole = f'"{minute}:{moment.second:02}{ms}+00:00"'
        wanted.append(f"{day.replace('-', '.')} {minute}Z {whole}")
    assert lines.to_pylist() == wanted


def test_every_day_of_the_calendar_has_its_date() -> None:
    days = pl.date_range(date(1899, 12, 31), date(2401, 1, 1), eager=True)
    frame = days.cast(TIMESTAMP).to_frame("t")
    assert Lines(frame).day("t").joined().to_pylist() == days.dt.strftime("%Y.%m.%d").to_list()


def test_a_year_outside_the_four_digits_has_as_many_as_it_needs() -> None:
    ms = [-62_167_219_200_001, -62_167_219_200_000, 253_402_300_800_000, -(2**63), 2**63 - 1]
    frame = pl.DataFrame({"t": pl.Series(ms).cast(TIMESTAMP)})
    assert Lines(frame).minute("t").joined().to_pylist() == [
        "-0001-12-31T23:59Z",
        "0000-01-01T00:00Z",
        "10000-01-01T00:00Z",
        "-292275055-05-16T16:47Z",
        "292278994-08-17T07:12Z",
    ]


@pytest.mark.parametrize("dataset", sorted(ADDRESSES.keys() & DATASETS.keys()))
def test_a_frame_without_rows_has_no_lines(dataset: str) -> None:
    assert len(bulk_lines(dataset, DATASETS[dataset].to_frame())) == 0
