import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from google.cloud import bigquery
from redis import Redis

from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.redis import connect
from beam_pipeline.edges.tables import create_tables
from beam_pipeline.reference import main
from infra.local.stack import Stack

HEADER = "CustID,Name,Gender,Address,zip,SignDate,Status,Level,Campaign,LinkedWithApps"
CUSTOMERS = f"""{HEADER},Age,Phone,SmsConsent
7,"Juniper Lantern",1,"1 Moss Way","72132","06/04/2013",1,2,4,0,34,+15550100007,1
8,"바질 Quartz",0,"2 Moss Way","07030","06/04/2013",0,0,1,0,,,0
"""
TRACKS = 'TrackId,Title,Artist,Length\n5,"Moon ""Over"" Mill",달빛,3:35\n6,Fern,,\n'


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Flags that name both files."""
    (tmp_path / "customers.csv").write_text(CUSTOMERS)
    (tmp_path / "tracks.csv").write_text(TRACKS)
    return [f"--customers={tmp_path / 'customers.csv'}", f"--tracks={tmp_path / 'tracks.csv'}"]


@pytest.fixture
def redis(stack: Stack) -> Redis:
    client = connect(stack.redis)
    client.flushdb()
    return client


def held(redis: Redis, key: str) -> object:
    return json.loads(redis.get(key) or "null")


def everything(redis: Redis) -> dict[bytes, bytes]:
    return {key: redis.get(key) for key in redis.scan_iter()}  # type: ignore[misc]


def test_redis_holds_traits_contacts_and_tracks_apart(
    files: list[str], redis: Redis, stack: Stack
) -> None:
    assert main([*files, f"--redis={stack.redis}"]) == 0
    assert held(redis, "customer:7") == {
        "gender": 1,
        "age": 34,
        "zip": "72132",
        "level": 2,
        "status": 1,
        "campaign": 4,
    }
    assert held(redis, "contact:7") == {
        "name": "Juniper Lantern",
        "phone": "+15550100007",
        "consent": True,
    }
    assert held(redis, "contact:8") == {"name": "바질 Quartz", "phone": None, "consent": False}
    assert held(redis, "track:5") == {
        "title": 'Moon "Over" Mill',
        "artist": "달빛",
        "length_s": 215,
    }
    assert held(redis, "track:6") == {"title": "Fern", "artist": None, "length_s": None}
    assert redis.dbsize() == 6


def test_no_key_but_a_contact_has_a_name_an_address_or_a_phone(
    files: list[str], redis: Redis, stack: Stack
) -> None:
    main([*files, f"--redis={stack.redis}"])
    told = {key: value for key, value in everything(redis).items() if b"contact" not in key}
    for word in ("Juniper", "바질", "Moss", "1555"):
        assert not any(word.encode() in value for value in told.values())


def test_loading_again_changes_nothing(files: list[str], redis: Redis, stack: Stack) -> None:
    main([*files, f"--redis={stack.redis}"])
    before = everything(redis)
    assert main([*files, f"--redis={stack.redis}"]) == 0
    assert everything(redis) == before


def test_a_row_that_is_not_valid_is_told_and_stops_no_other(
    tmp_path: Path, redis: Redis, stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = "".join(f'{n},"Nobody",5,"","72132","",1,0,0,0\n' for n in range(100, 108))
    path = tmp_path / "customers.csv.gz"
    good = '1,"Ok Person",0,"","72132","",1,0,0,0\n'
    path.write_bytes(gzip.compress(f"{HEADER}\n{bad}{good}".encode()))
    assert main([f"--customers={path}", f"--redis={stack.redis}"]) == 0
    assert sorted(redis.keys()) == [b"contact:1", b"customer:1"]  # type: ignore[type-var,arg-type]
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("left out: customers.csv.gz line 2: Gender is '5'")
    assert said[5] == "left out: 3 more rows"
    assert said[6] == "customers: 1 read, 8 left out"


def test_bigquery_gets_traits_in_words_and_no_names(files: list[str], stack: Stack) -> None:
    ends = stack.endpoints
    client = BigQueryConfig(ends.project, "reference", stack.bigquery).client()
    create_tables(client, "reference")
    flags = [f"--bigquery={ends.project}.reference", f"--bigquery-endpoint={ends.bigquery}"]
    for _ in range(2):
        assert main([*files, *flags]) == 0
    assert rows(client, "customers") == [
        (7, "female", 34, "72132", "gold", "active", "WEBOFFER"),
        (8, "male", None, "07030", "free", "closed", "30DAYFREE"),
    ]
    assert rows(client, "tracks") == [(5, 'Moon "Over" Mill', "달빛", 215), (6, "Fern", None, None)]


def rows(client: bigquery.Client, table: str) -> list[tuple[object, ...]]:
    found = client.query_and_wait(f"SELECT * FROM reference.{table} ORDER BY 1")
    return [tuple(row) for row in found]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ([], "Name --customers FILE or --tracks FILE, or both"),
        (["--tracks=t.csv"], "Name --redis URL or --bigquery PROJECT.DATASET, or both"),
        (["--tracks=t.csv", "--bigquery=x"], "--bigquery takes PROJECT.DATASET, not x"),
        (["--tracks=/nowhere/t.csv", "--redis=redis://127.0.0.1:9"], "Cannot read /nowhere/t.csv"),
        (["--surprise"], "Unrecognized arguments: --surprise"),
    ],
)
def test_what_cannot_be_loaded_is_said_in_one_sentence(
    flags: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(flags) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0].startswith(sentence)


def test_a_store_that_is_away_is_said_in_one_sentence(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*files, "--redis=redis://127.0.0.1:9"]) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("Cannot load: ")


def test_help_tells_a_stranger_what_to_do() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "beam_pipeline.reference", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    for word in ("--customers", "CustID,Name", "TrackId,Title", "--redis", "--bigquery"):
        assert word in done.stdout
