import pickle
from pathlib import Path

import polars as pl
import pytest

from beam_pipeline.domain.schemas import DATASETS, PLAYS
from beam_pipeline.edges.parquet import ParquetConfig, finish
from tests.edges.rows import ad_events, health, interests, listening, plays


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    folder = tmp_path / "staging"
    folder.mkdir()
    return folder


def test_pieces_from_many_workers_become_one_sorted_file_a_dataset(
    tmp_path: Path, staging: Path
) -> None:
    frame = plays(1_000)
    config = ParquetConfig(staging)
    for piece in frame.sample(fraction=1.0, shuffle=True, seed=1).iter_slices(70):
        sink = pickle.loads(pickle.dumps(config)).open()
        assert sink.write("plays", piece).is_empty()
        sink.close()
    finish(tmp_path / "out", staging)
    found = pl.read_parquet(tmp_path / "out" / "plays.parquet")
    assert found.equals(frame.sort("published_at", "customer_id", "event_id"))


def test_every_dataset_has_a_file_with_its_columns_even_without_a_row(
    tmp_path: Path, staging: Path
) -> None:
    finish(tmp_path / "out", staging)
    for dataset, schema in DATASETS.items():
        found = pl.read_parquet(tmp_path / "out" / f"{dataset}.parquet")
        assert found.schema == schema
        assert found.is_empty()
    assert len(list((tmp_path / "out").iterdir())) == len(DATASETS)


def test_rows_come_back_as_they_were(tmp_path: Path, staging: Path) -> None:
    written = {
        "interests": interests([(1, 2, "달빛", 1, 2, 3)]),
        "listening": listening([(5, "artist", 'Zoë "Z"', 7, 3)]),
        "ad_events": ad_events(4),
        "health": health([(0, 5, 1)]),
    }
    sink = ParquetConfig(staging).open()
    for dataset, frame in written.items():
        sink.write(dataset, frame.with_columns(pl.lit(1).alias("surplus")))
    finish(tmp_path / "out", staging)
    for dataset, frame in written.items():
        found = pl.read_parquet(tmp_path / "out" / f"{dataset}.parquet")
        assert found.equals(frame.sort(frame.columns[:2])), dataset


def test_interests_of_several_pieces_are_merged(tmp_path: Path, staging: Path) -> None:
    sink = ParquetConfig(staging).open()
    sink.write("interests", interests([(1, 1, None, 10, 20, 3), (2, 1, "B", 0, 1, 3)]))
    sink.write("interests", interests([(1, 1, "A", 5, 15, 4)]))
    finish(tmp_path / "out", staging)
    found = pl.read_parquet(tmp_path / "out" / "interests.parquet")
    assert found.equals(interests([(1, 1, "A", 5, 20, 4), (2, 1, "B", 0, 1, 3)]))


def test_an_event_that_was_accepted_twice_is_one_row_the_first_published(
    tmp_path: Path, staging: Path
) -> None:
    frame = plays(50)
    sink = ParquetConfig(staging).open()
    sink.write("plays", frame.with_columns(pl.col("published_at").dt.offset_by("7h")))
    sink.write("plays", frame)
    finish(tmp_path / "out", staging)
    found = pl.read_parquet(tmp_path / "out" / "plays.parquet")
    assert found.equals(frame.sort("published_at", "customer_id", "event_id"))


def test_the_output_appears_whole_and_may_have_been_an_empty_folder(
    tmp_path: Path, staging: Path
) -> None:
    output = tmp_path / "out"
    output.mkdir()
    ParquetConfig(staging).open().write("plays", plays(10))
    assert not list(output.iterdir())
    finish(output, staging)
    assert {path.suffix for path in output.iterdir()} == {".parquet"}
    assert pl.read_parquet_schema(output / "plays.parquet") == PLAYS
