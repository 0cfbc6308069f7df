"""The bounded run from the command line: files in, Parquet out, no service at all."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from beam_pipeline.domain.schemas import DATASETS
from beam_pipeline.options import acknowledges_first, read_settings
from tests.e2e.traffic import Post, reference, traffic, write_references
from tests.oracle import Message, account

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"

LOG = """\
0,48,453,"2014-10-23 03:26:20",0,"72132"
1,48,453,"2014-10-23 03:36:20",1,"72132"
2,48,453,"2014-10-23 03:56:20",1,"72132"
2,48,453,"2014-10-23 03:56:20",1,"72132"
3,7,11,"2014-10-23 04:00:00",0,"1730"
4,9,11,"2014-10-23 04:00",0,"17307"
not a play
"""
CUSTOMERS = """\
CustID,Name,Gender,Address,zip,SignDate,Status,Level,Campaign,LinkedWithApps
48,"Listener No. 48",1,"1 Example Lane","72132","06/04/2013",1,2,1,0
"""
CLICKS = """\
EventID,CustID,AdClicked,Localtime
0,48,ADV_REDUCED_1DAY,"2014-10-23 03:27:00"
"""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command, as a stranger types it."""
    return subprocess.run(
        [sys.executable, "-m", "beam_pipeline.main", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def table(output: Path, dataset: str) -> pl.DataFrame:
    return pl.read_parquet(output / f"{dataset}.parquet")


def test_the_original_log_gives_every_dataset_and_one_line(tmp_path: Path) -> None:
    log, customers, clicks = (tmp_path / name for name in ("log.csv", "c.csv", "clicks.csv"))
    for path, text in ((log, LOG), (customers, CUSTOMERS), (clicks, CLICKS)):
        path.write_text(text)
    output = tmp_path / "out"
    done = run(*("--plays", log, "--clicks", clicks, "--customers", customers, "--output", output))
    assert done.stdout == (
        "received=8 accepted=4 duplicate=1 rejected=3 late=0 "
        "unknown_customer=0 unknown_track=3 interests=1\n"
    ), done.stderr
    assert "read 8 lines; done" in done.stderr
    for dataset, schema in DATASETS.items():
        assert table(output, dataset).schema == schema
    interest = table(output, "interests").row(0, named=True)
    assert (interest["customer_id"], interest["track_id"], interest["peak"]) == (48, 453, 3)
    letters = dict(table(output, "dead_letters").select("id", "reason").iter_rows())
    assert {identity.rsplit(":")[-1]: reason for identity, reason in letters.items()} == {
        "5": "out_of_range",
        "6": "wrong_type",
        "7": "not_json",
    }
    click = table(output, "ad_events").row(0, named=True)
    assert (click["action"], click["offer_id"]) == ("clicked", None)


def test_the_demos_own_log_gives_the_figures_that_are_known_of_it(tmp_path: Path) -> None:
    if not SHARED.exists():
        pytest.skip("the original demo's files are not on this machine")
    output = tmp_path / "out"
    done = run(
        *("--plays", SHARED / "tracks_live.csv", "--customers", SHARED / "cust.csv"),
        *("--output", output, "--shards", "2"),
    )
    assert done.stdout == (
        "received=3474 accepted=2682 duplicate=792 rejected=0 late=0 "
        "unknown_customer=0 unknown_track=2682 interests=0\n"
    ), done.stderr
    plays = table(output, "plays")
    assert plays.height == 2682
    assert plays["is_mobile"].sum() == 1634
    windows = table(output, "listening").filter(dimension="all")
    assert windows["plays"].sum() == 7 * 2682


def as_files(posts: list[Post], folder: Path) -> dict[str, list[Path]]:
    """The requests as NDJSON, plays in two files, one of them gzip."""
    lines: dict[str, list[bytes]] = {"play": [], "ad": []}
    for post in posts:
        for line in post.lines:
            try:
                fields = json.loads(line)
                assert isinstance(fields, dict)
            except (ValueError, AssertionError):
                continue
            lines[post.kind].append(
                json.dumps({**fields, "published_at": post.published_at}).encode()
            )
    half = len(lines["play"]) // 2
    first, second, ads = (folder / name for name in ("a.ndjson", "b.ndjson.gz", "ads.ndjson"))
    first.write_bytes(b"\n".join(lines["play"][:half]))
    second.write_bytes(gzip.compress(b"\n".join(lines["play"][half:]) + b"\n"))
    ads.write_bytes(b"\n".join(lines["ad"]))
    return {"play": [first, second], "ad": [ads]}


def test_files_give_what_the_oracle_says_of_them(tmp_path: Path) -> None:
    files = as_files(traffic(seed=21, requests=40), tmp_path)
    customers, tracks = write_references(tmp_path)
    output = tmp_path / "out"
    flags: list[str | Path] = ["--plays", *files["play"], "--ad-events", *files["ad"]]
    flags += ["--customers", customers, "--tracks", tracks, "--output", output, "--shards", "3"]
    done = run(*flags)
    assert done.returncode == 0, done.stderr
    messages = [
        Message(kind, 0, b"".join(_text(path) for path in paths), own_times=True)
        for kind, paths in files.items()
    ]
    stores = account(messages, reference())
    health = table(output, "health").sum()
    for name in ("received", "accepted", "duplicate", "late", "unknown_customer"):
        assert health[name].item() == sum(getattr(row, name) for row in stores.health.values())
    plays = {(row["customer_id"], row["event_id"]) for row in table(output, "plays").to_dicts()}
    assert plays == set(stores.plays)
    listening = {
        (row[0], row[1], row[2], row[3]): (row[4], row[5])
        for row in table(output, "listening")
        .with_columns(pl.col("window_start", "window_end").to_physical())
        .iter_rows()
    }
    assert listening == stores.listening()
    interests = {
        (row["customer_id"], row["track_id"]): row["peak"]
        for row in table(output, "interests").to_dicts()
    }
    assert interests == {key: peak for key, (_, _, peak) in stores.interests().items()}
    profiles = {
        (row["customer_id"], row["day"].toordinal() - 719_163): row["plays"]
        for row in table(output, "profiles").to_dicts()
    }
    assert profiles == {key: row["plays"] for key, row in stores.profiles().items()}


def _text(path: Path) -> bytes:
    text = path.read_bytes()
    return (gzip.decompress(text) if path.suffix == ".gz" else text).rstrip(b"\n") + b"\n"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--plays", "gone.ndjson", "--output", "out"], "Cannot read gone.ndjson"),
        (["--plays", "{folder}", "--output", "out"], "Cannot read"),
        (["--plays", "{cut}", "--output", "{folder}/out"], "Cannot read"),
        (["--plays", "{file}", "--output", "{folder}"], "is not an empty folder"),
        (["--plays", "{file}", "--customers", "{file}", "--output", "{new}"], "has no column"),
        (["--plays", "{file}"], "Name a store"),
        (["--output", "{new}"], "Name either files"),
        (["--plays", "{file}", "--output", "{new}", "--bogus"], "--bogus"),
        (["--plays", "{file}", "--output", "{new}", "--shards", "0"], "at least 1"),
        (["--plays", "{file}", "--output", "{new}", "--models", "m"], "files choose nobody"),
        (["--plays", "{file}", "--output", "{new}", "--explore", "5"], "from 0 to 1"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_sentence(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    file, cut = tmp_path / "plays.ndjson", tmp_path / "cut.ndjson.gz"
    file.write_text("{}\n")
    cut.write_bytes(gzip.compress(b"{}\n" * 100_000)[:-20])
    places = {"folder": tmp_path, "file": file, "cut": cut, "new": tmp_path / "new"}
    before = sorted(tmp_path.iterdir())
    done = run(*(argument.format(**places) for argument in arguments))
    assert done.returncode == 2, done.stderr
    assert sentence in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert done.stdout == ""
    assert sorted(tmp_path.iterdir()) == before


def test_help_tells_a_stranger_what_to_do() -> None:
    done = run("--help")
    assert done.returncode == 0
    for word in ("--plays", "--subscription", "--output", "gzip"):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("source", "runner", "first"),
    [
        (["--subscription=projects/p/subscriptions/s"], [], True),
        (["--subscription=projects/p/subscriptions/s"], ["--runner=DataflowRunner"], False),
        (["--plays=plays.ndjson"], [], False),
        (["--plays=plays.ndjson"], ["--runner=BundleBasedDirectRunner"], False),
    ],
)
def test_only_a_local_stream_is_acknowledged_before_it_is_stored(
    source: list[str], runner: list[str], first: bool
) -> None:
    """So only there a bundle ends before its rows are written."""
    settings = read_settings([*source, *runner, "--redis=redis://127.0.0.1:6379"])
    assert acknowledges_first(settings) is first
