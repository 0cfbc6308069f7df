"""The board over HTTP: what it answers, what it refuses, what every answer carries."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from beam_pipeline.edges.models import Pointer, Promotion
from functions.board.build import build
from functions.board.catalogue import load
from functions.board.units import MINUTE_MS
from tests.board.filled import NOW, Filled
from tests.board.serving import board, serving

NOBODY = "http://127.0.0.1:9"
"""Where no Elasticsearch is."""


@pytest.fixture(scope="module", autouse=True)
def _bundle() -> None:
    build()


class Clock:
    """Seconds since the epoch, moved by hand."""

    def __init__(self) -> None:
        self.now = NOW.timestamp()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def http(filled: Filled, clock: Clock) -> Iterator[httpx.Client]:
    with (
        serving(board(filled.elasticsearch, filled.redis, clock)) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        yield client


@pytest.fixture
def alone(clock: Clock) -> Iterator[httpx.Client]:
    """A board that reaches neither store and may not show customers."""
    with (
        serving(board(NOBODY, "redis://127.0.0.1:9", clock, customers=False)) as url,
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        yield client


@pytest.mark.parametrize(("language", "title"), [("en", "Top tracks now"), ("ko", "지금 인기곡")])
def test_the_page_has_a_card_for_every_chart_in_the_language_asked_for(
    http: httpx.Client, language: str, title: str
) -> None:
    answer = http.get("/", params={"lang": language})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f'<html lang="{language}">' in answer.text
    assert title in answer.text
    for chart in load().of("page"):
        assert f'id="{chart.id}"' in answer.text


@pytest.mark.parametrize(
    "path", ["/", "/data", "/healthz", "/nowhere", "/data?range=1y", "/assets/000000000000/x.js"]
)
def test_every_answer_carries_the_security_headers(alone: httpx.Client, path: str) -> None:
    headers = alone.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    "query",
    [
        "range=2h", "range=24H", "state=XX", "state=tx", "state=TX'", "device=tv", "lang=de",
        "state=%00", "range=24h%0d%0aX: 1",
    ],
)  # fmt: skip
def test_a_parameter_that_the_page_does_not_offer_is_refused(
    alone: httpx.Client, query: str
) -> None:
    path = "/" if query.startswith("lang") else "/data"
    answer = alone.get(f"{path}?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("bad_")


def test_parameters_of_others_are_left_alone(http: httpx.Client) -> None:
    assert http.get("/data?utm_source=mail&range=").status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_board_only_reads(alone: httpx.Client, method: str) -> None:
    answer = alone.request(method, "/data")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET"


def test_a_head_request_is_answered_without_a_body(alone: httpx.Client) -> None:
    answer = alone.head("/")
    assert (answer.status_code, answer.content) == (200, b"")


def test_files_are_kept_for_good_under_their_version_alone(alone: httpx.Client) -> None:
    version = alone.get("/").text.split("assets/")[1].split("/")[0]
    named = alone.get(f"/assets/{version}/board.js")
    assert named.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert named.headers["Content-Type"].startswith("text/javascript")
    other = alone.get("/assets/0123456789ab/board.js")
    assert other.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "name", ["../door.py", "..%2fdoor.py", "charts.yaml", "page.html", ".gitignore", "%2e%2e/x.js"]
)
def test_nothing_but_the_pages_files_can_be_read(alone: httpx.Client, name: str) -> None:
    assert alone.get(f"/assets/0123456789ab/{name}").status_code == 404


@pytest.mark.parametrize("path", ["/", "/data"])
def test_an_answer_is_the_same_compressed_and_plain(http: httpx.Client, path: str) -> None:
    packed = http.get(path, headers={"Accept-Encoding": "gzip"})
    plain = http.get(path, headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.content == plain.content


def test_customer_ids_appear_only_where_they_are_allowed(filled: Filled, clock: Clock) -> None:
    url = filled.elasticsearch, filled.redis
    for allowed in (True, False):
        with serving(board(*url, clock, customers=allowed)) as address:
            charts = httpx.get(f"{address}/data", timeout=30).json()["charts"]
            found = json.dumps(charts)
            page = httpx.get(f"{address}/").text
            drilled = httpx.get(f"{address}/customers?state=TX", timeout=30)
            assert ('"customer_id":' in found, '"customer":' in found) == (allowed, allowed)
            assert ('id="interest_list"' in page) is allowed
            assert drilled.status_code == (200 if allowed else 404)


def test_the_customers_of_a_region_are_numbers_and_figures_alone(
    http: httpx.Client, filled: Filled
) -> None:
    plays = [p for p in filled.rows["plays"] if p["state"] == "TX"]
    rows = http.get("/customers?state=TX").json()["rows"]
    assert {int(row["customer"]) for row in rows} == {p["customer_id"] for p in plays}
    assert sum(row["plays"] for row in rows) == len(plays)
    assert set(rows[0]) == {"customer", "plays", "mobile", "distinct_tracks", "latest"}
    assert http.get("/customers").status_code == 400


def test_nobodys_name_or_phone_leaves_the_board(http: httpx.Client, filled: Filled) -> None:
    answers = [http.get(path).text for path in ("/", "/data", "/customers?state=TX")]
    private = {
        person[column] for person in filled.customers for column in ("Name", "Address", "Phone")
    }
    assert len(private) > len(filled.customers)
    for answer in answers:
        assert [found for found in private if found in answer] == []


def searches(filled: Filled) -> int:
    stats = filled.client().indices.stats(metric="search")
    total = stats["_all"]["total"]["search"]["query_total"]
    assert isinstance(total, int)
    return total


def test_many_viewers_cost_what_one_costs(http: httpx.Client, filled: Filled, clock: Clock) -> None:
    http.get("/data").raise_for_status()
    clock.now += 3
    before = searches(filled)
    http.get("/data").raise_for_status()
    one = searches(filled) - before
    clock.now += 3
    before = searches(filled)
    gate = threading.Barrier(16)

    def view() -> httpx.Response:
        gate.wait()
        return http.get("/data")

    with ThreadPoolExecutor(16) as pool:
        answers = [future.result() for future in [pool.submit(view) for _ in range(16)]]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert searches(filled) - before == one


def test_an_answer_serves_two_seconds_and_a_heavy_one_longer(
    http: httpx.Client, filled: Filled, clock: Clock
) -> None:
    costs = []
    for seconds in (0, 1, 3, 31):
        clock.now += seconds
        before = searches(filled)
        http.get("/data").raise_for_status()
        costs.append(searches(filled) - before)
    first, at_once, light, heavy = costs
    assert at_once == 0
    assert 0 < light < heavy <= first


def test_an_outage_of_elasticsearch_is_said_calmly(alone: httpx.Client) -> None:
    answer = alone.get("/data")
    assert answer.status_code == 503
    assert answer.json()["error"] == "unavailable"
    assert int(answer.headers["Retry-After"]) > 0
    assert NOBODY not in answer.text


def test_progress_is_the_slowest_store_less_ten_minutes(http: httpx.Client) -> None:
    data = http.get("/data").json()
    slowest = int(NOW.timestamp() * 1000) - 2 * MINUTE_MS
    assert data["complete_to"] == slowest - 10 * MINUTE_MS
    assert data["stale"] is False


def test_progress_that_stands_still_is_stale(http: httpx.Client, clock: Clock) -> None:
    clock.now += 61
    data = http.get("/data").json()
    assert data["stale"] is True


def test_without_redis_the_data_are_shown_and_progress_is_unknown(
    filled: Filled, clock: Clock
) -> None:
    with serving(board(filled.elasticsearch, "redis://127.0.0.1:9", clock)) as url:
        data = httpx.get(f"{url}/data", timeout=30).json()
    assert data["charts"]["plays"]["rows"][0]["plays"] > 0
    assert (data["complete_to"], data["stale"]) == (None, True)


def test_a_search_that_fails_leaves_the_other_cards(filled: Filled, clock: Clock) -> None:
    client = filled.client()
    client.indices.create(
        index="plays-broken", mappings={"properties": {"state": {"type": "geo_point"}}}
    )
    play = {"played_at": NOW.isoformat(), "state": {"lat": 31.0, "lon": -99.0}}
    client.index(index="plays-broken", document=play, refresh=True)
    try:
        with serving(board(filled.elasticsearch, filled.redis, clock)) as url:
            charts = httpx.get(f"{url}/data", timeout=30).json()["charts"]
    finally:
        client.indices.delete(index="plays-broken")
    assert charts["regions"] == {"failed": True}
    assert charts["plays"]["rows"][0]["plays"] > 0


def test_the_model_card_shows_what_the_pointer_says(
    filled: Filled, clock: Clock, tmp_path: Path
) -> None:
    pointer = tmp_path / "current.json"
    with serving(board(filled.elasticsearch, filled.redis, clock, model=str(pointer))) as url:
        assert httpx.get(f"{url}/data", timeout=30).json()["charts"]["model"] == {"rows": []}
        at = "2026-03-01T09:00:00+00:00"
        found = {"error": 0.072, "examples": 1383.0}
        promotion = Promotion("v1", "00", at, found, {"AUC": True, "Brier skill": True})
        pointer.write_bytes(Pointer(promotion).to_json())
        clock.now += 11
        (row,) = httpx.get(f"{url}/data", timeout=30).json()["charts"]["model"]["rows"]
        assert (row["version"], row["promoted_at"], row["gate"]) == ("v1", at, [2, 2])
        assert (row["error"], row["auc"], row["examples"]) == (0.072, None, 1383)
        pointer.write_text('{"live":')
        clock.now += 11
        assert httpx.get(f"{url}/data", timeout=30).json()["charts"]["model"] == {"rows": []}
