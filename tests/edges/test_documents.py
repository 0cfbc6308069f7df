import json
from collections.abc import Callable
from datetime import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.domain.schemas import DATASETS
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
    frame = pl.DataFrame(columns)
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


@pytest.mark.parametrize("dataset", sorted(ADDRESSES.keys() & DATASETS.keys()))
def test_a_frame_without_rows_has_no_lines(dataset: str) -> None:
    assert len(bulk_lines(dataset, DATASETS[dataset].to_frame())) == 0
