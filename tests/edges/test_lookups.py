import json
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import polars as pl
import pytest
from redis import Redis

from beam_pipeline.domain.references import (
    CUSTOMER_TRAITS,
    CUSTOMERS,
    TRACK_TRAITS,
    References,
    described,
)
from beam_pipeline.edges import lookups
from beam_pipeline.edges.lookups import KNOWN_SECONDS, UNKNOWN_SECONDS, FileReferences, _Cached
from beam_pipeline.edges.redis import connect
from beam_pipeline.edges.referencefiles import BadFile
from infra.local.stack import Stack
from tests.edges.gate import gate

CUSTOMERS_CSV = """CustID,Name,Gender,Address,zip,SignDate,Status,Level,Campaign,LinkedWithApps,Age
7,"Juniper Lantern",1,"1 Moss Way","72132","06/04/2013",1,2,4,0,34
8,"Basil Quartz",0,"2 Moss Way","72132","06/04/2013",0,0,0,0,
"""
TRACKS_CSV = 'TrackId,Title,Artist,Length\n5,"Moon ""Over"" Mill",달빛,3:35\n6,Fern,,\n'

PEOPLE = [(1, 34, 2, 1, 4, True), (0, None, 0, 0, 0, True)]
NOBODY = (None, None, None, None, None, False)
SONGS = [('Moon "Over" Mill', "달빛", 215, True), ("Fern", None, None, True)]
NOTHING = (None, None, None, False)


def ids(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def people(*traits: tuple[int | bool | None, ...]) -> pl.DataFrame:
    """CUSTOMERS of rows of CUSTOMER_TRAITS."""
    return described(pl.DataFrame(traits, schema=CUSTOMER_TRAITS, orient="row"))


class Clock:
    """Seconds that pass when told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def load(redis: Redis) -> None:
    """The reference data as `reference.py` leaves it."""
    for number, (gender, age, level, status, campaign, _) in zip((7, 8), PEOPLE, strict=True):
        traits = {
            "gender": gender,
            "age": age,
            "zip": "72132",
            "level": level,
            "status": status,
            "campaign": campaign,
        }
        redis.set(f"customer:{number}", json.dumps(traits))
    for number, (title, artist, length, _) in zip((5, 6), SONGS, strict=True):
        redis.set(
            f"track:{number}", json.dumps({"title": title, "artist": artist, "length_s": length})
        )


@pytest.fixture(params=["files", "redis"])
def references(request: pytest.FixtureRequest, tmp_path: Path) -> References:
    """The same reference data in files and in Redis."""
    if request.param == "files":
        (tmp_path / "c.csv").write_text(CUSTOMERS_CSV)
        (tmp_path / "t.csv").write_text(TRACKS_CSV)
        return FileReferences(tmp_path / "c.csv", tmp_path / "t.csv").open()
    redis = request.getfixturevalue("redis")
    load(redis)
    return _Cached(redis, Clock())


def test_there_is_a_row_for_each_id_in_the_order_asked_for(references: References) -> None:
    customers = references.customers(ids(8, 404, 7, 8, 2**63 - 1))
    assert customers.equals(people(PEOPLE[1], NOBODY, PEOPLE[0], PEOPLE[1], NOBODY))
    tracks = references.tracks(ids(6, 5, 0))
    assert tracks.schema == TRACK_TRAITS
    assert tracks.rows() == [SONGS[1], SONGS[0], NOTHING]


def test_asking_again_gives_the_same(references: References) -> None:
    for _ in range(3):
        assert references.customers(ids(7, 404)).equals(people(PEOPLE[0], NOBODY))
        assert references.tracks(ids(404, 5)).rows() == [NOTHING, SONGS[0]]


def test_no_ids_give_no_rows(references: References) -> None:
    assert references.customers(ids()).schema == CUSTOMERS
    assert references.tracks(ids()).height == 0


def test_without_files_nobody_is_known() -> None:
    references = FileReferences(None, None).open()
    assert references.customers(ids(7)).equals(people(NOBODY))


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"c\.csv"):
        FileReferences(tmp_path / "c.csv", None).open()


def test_only_ids_that_are_not_held_are_asked_of_redis(redis: Redis) -> None:
    load(redis)
    references = _Cached(redis, Clock())
    references.customers(ids(7, 8, 7))
    before = asked(redis)
    references.customers(ids(8, 7, 8))
    assert asked(redis) == before
    references.customers(ids(8, 9, 7))
    assert asked(redis) == before + 1


def asked(redis: Redis) -> int:
    """How many MGETs Redis has answered."""
    statistics = redis.info("commandstats")
    return int(statistics["cmdstat_mget"]["calls"])


def test_a_customer_who_was_unknown_is_known_soon_after_being_loaded(redis: Redis) -> None:
    clock = Clock()
    references = _Cached(redis, clock)
    assert references.customers(ids(7)).equals(people(NOBODY))
    load(redis)
    clock.now += UNKNOWN_SECONDS - 1
    assert references.customers(ids(7)).equals(people(NOBODY))
    clock.now += 2
    assert references.customers(ids(7)).equals(people(PEOPLE[0]))


def test_a_change_of_level_is_seen_within_a_minute(redis: Redis) -> None:
    load(redis)
    clock = Clock()
    references = _Cached(redis, clock)
    references.customers(ids(7, 8))
    redis.set("customer:7", json.dumps({"gender": 1, "level": 0}))
    clock.now += KNOWN_SECONDS - 1
    assert references.customers(ids(7)).equals(people(PEOPLE[0]))
    clock.now += 2
    assert references.customers(ids(7, 8)).equals(people((1, None, 0, None, None, True), PEOPLE[1]))


def test_the_cache_does_not_grow_without_bound(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookups, "MOST_ENTRIES", 1_000)
    load(redis)
    references = _Cached(redis, Clock())
    for start in range(0, 20_000, 500):
        references.customers(np.arange(start, start + 500))
        assert len(references._customers._table) <= 1_500
    assert references.customers(ids(7)).equals(people(PEOPLE[0]))


def test_answers_that_are_renewed_again_and_again_do_not_pile_up(redis: Redis) -> None:
    load(redis)
    clock = Clock()
    references = _Cached(redis, clock)
    for _ in range(50):
        clock.now += KNOWN_SECONDS + 1
        assert references.customers(np.arange(200))[7:9].equals(people(*PEOPLE))
    assert references._customers._table._rows.height <= 2 * 200 + 1_024 + 200


def test_more_ids_than_a_request_takes_are_asked_for_in_several(redis: Redis) -> None:
    redis.mset({f"track:{n}": json.dumps({"title": f"T{n}"}) for n in range(12_000)})
    found = _Cached(redis, Clock()).tracks(np.arange(12_000))
    assert found["title"].equals(pl.Series("title", [f"T{n}" for n in range(12_000)]))


def test_an_outage_is_waited_out(redis: Redis, stack: Stack) -> None:
    load(redis)
    with gate("127.0.0.1", urlsplit(stack.redis).port or 0) as door:
        references = _Cached(connect(f"redis://127.0.0.1:{door.port}/0"), Clock())
        references.tracks(ids(5))
        door.close()
        references._customers._outage._sleep = lambda _: door.open()
        assert references.customers(ids(7)).equals(people(PEOPLE[0]))
