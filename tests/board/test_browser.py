"""The page in a real browser, against real stores. Pictures go to .local/board-pictures."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from flask import Request, Response
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from beam_pipeline.domain.schemas import PLAYS
from beam_pipeline.edges.elasticsearch import ElasticsearchConfig
from beam_pipeline.edges.models import Pointer, Promotion
from functions.board import vega
from functions.board.build import build
from functions.board.catalogue import load
from functions.board.door import Board
from infra.local.paths import LOCAL
from tests.board.conftest import NOW, START, Filled
from tests.board.serving import board, serving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PICTURES = LOCAL / "board-pictures"
DESK, PHONE = (1440, 900), (360, 780)
PATIENCE_MS = 60_000
INSIDE = {"tile": ".figure", "ranking": "li", "figures": "dd", "effect": "article"}
"""What a card of a kind holds when it has something to show; the others are tables."""

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium: apt-get install chromium fonts-noto-cjk"
)


class Clock:
    """The tests' time, going on at the world's pace."""

    def __init__(self, start: datetime = NOW) -> None:
        self.ahead = start.timestamp() - time.time()

    def __call__(self) -> float:
        return time.time() + self.ahead


class Switch:
    """A door whose board can be changed while it is open."""

    def __init__(self, inside: Board) -> None:
        self.inside = inside

    def __call__(self, request: Request) -> Response:
        return self.inside(request)


@dataclass
class Visit:
    """A page and what it complained about or reached for."""

    page: Page
    url: str
    complaints: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.url}/{query}")
        self.settle()

    def settle(self) -> None:
        """Wait until the first data are drawn."""
        self.page.wait_for_selector("html[data-at]", state="attached", timeout=PATIENCE_MS)

    def reload_data(self) -> None:
        """Let the page ask again at once, and wait until the answer is drawn."""
        before = self.at()
        self.page.evaluate("dispatchEvent(new PopStateEvent('popstate'))")
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while self.at() == before:
            assert time.monotonic() < deadline, "the page did not ask again"
            time.sleep(0.02)

    def at(self) -> str:
        return self.page.get_attribute("html", "data-at") or ""

    def figure(self, tile: str) -> str:
        return self.page.inner_text(f"#{tile} .figure")

    def data(self, query: str = "") -> Any:
        """What the board answers."""
        answer = httpx.get(f"{self.url}/data{query}", timeout=60)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    build()
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield found
        found.close()


@contextmanager
def visiting(
    browser: Browser, url: str, size: tuple[int, int] = DESK, **options: Any
) -> Iterator[Visit]:
    viewport: ViewportSize = {"width": size[0], "height": size[1]}
    context: BrowserContext = browser.new_context(
        viewport=viewport, timezone_id="America/New_York", **options
    )
    visit = Visit(context.new_page(), url)
    page = visit.page
    page.on("console", lambda message: visit.complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    page.on("request", lambda request: visit.outside.append(request.url))
    yield visit
    context.close()
    visit.outside = [asked for asked in visit.outside if not asked.startswith(url)]
    assert visit.complaints == []
    assert visit.outside == []


@pytest.fixture
def door(filled: Filled) -> Switch:
    return Switch(board(filled.elasticsearch, filled.redis, Clock()))


@pytest.fixture
def url(door: Switch) -> Iterator[str]:
    with serving(door) as address:
        yield address


@pytest.fixture
def visit(browser: Browser, url: str) -> Iterator[Visit]:
    with visiting(browser, url) as found:
        found.open()
        yield found


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_every_card_draws(
    browser: Browser, url: str, language: str, theme: str, size: tuple[int, int]
) -> None:
    with visiting(browser, url, size, color_scheme=theme) as visit:
        visit.open(f"?lang={language}")
        page = visit.page
        for chart in load().of("page"):
            if chart.kind == "model":
                expect(page.locator("#model")).to_be_hidden()
                continue
            card = page.locator(f"#{chart.id}")
            expect(card).to_be_visible()
            expect(card.locator(".empty")).to_have_count(0)
            inside = INSIDE.get(chart.kind, "td")
            selector = "canvas" if vega.drawn(chart) else inside
            assert card.locator(selector).count() > 0, chart.id
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= size[0], "the page is wider than the screen"
        cut = "e => [...e].filter(t => t.scrollWidth > t.clientWidth).map(t => t.ariaLabel)"
        assert page.locator(".scroll").evaluate_all(cut) == [], "wider than their cards"
        PICTURES.mkdir(parents=True, exist_ok=True)
        name = f"page-{'phone' if size == PHONE else 'desk'}-{theme}-{language}.png"
        page.screenshot(path=PICTURES / name, full_page=True)


def test_a_drawn_chart_fills_its_card_and_stays_inside(visit: Visit) -> None:
    for chart in load().of("page"):
        if vega.drawn(chart):
            body = visit.page.locator(f"#{chart.id} .body").bounding_box()
            canvas = visit.page.locator(f"#{chart.id} canvas").bounding_box()
            assert body is not None
            assert canvas is not None
            assert canvas["width"] == pytest.approx(body["width"], abs=2), chart.id
            assert canvas["height"] == pytest.approx(body["height"], abs=2), chart.id


def test_the_numbers_on_the_page_are_those_of_the_stores(visit: Visit, filled: Filled) -> None:
    data = visit.data()
    plays = [p for p in filled.rows["plays"] if p["played_at"].timestamp() * 1000 >= data["from"]]
    assert visit.figure("plays") == f"{len(plays):,}"
    assert visit.figure("listeners") == f"{len({p['customer_id'] for p in plays}):,}"
    share = sum(p["is_mobile"] for p in plays) / len(plays)
    assert visit.figure("mobile") == f"{share:.1%}"
    charts = data["charts"]
    shown = visit.page.locator("#regions tbody tr").all_inner_texts()
    assert len(shown) == len(charts["regions"]["rows"])
    for text, row in zip(shown, charts["regions"]["rows"], strict=True):
        assert row["state"] in text
        assert f"{row['plays']:,}" in text
        assert f"{row['mobile']:.1%}" in text
    ranked = visit.page.locator("#tracks li").all_inner_texts()
    for text, row in zip(ranked, charts["tracks"]["rows"], strict=True):
        assert row["title"] in text
        assert f"{row['plays']:,}" in text


def test_a_play_of_this_moment_arrives_by_itself(
    visit: Visit, filled: Filled, door: Switch
) -> None:
    sink = ElasticsearchConfig(filled.elasticsearch).open()
    before = int(visit.figure("plays").replace(",", ""))
    now = NOW.replace(microsecond=0)
    play = {**filled.rows["plays"][0], "event_id": f"live-{time.time_ns()}", "played_at": now,
            "published_at": now, "is_late": False}  # fmt: skip
    sink.write("plays", pl.DataFrame([play], schema=PLAYS))
    try:
        figure = visit.page.locator("#plays .figure")
        expect(figure).to_have_text(f"{before + 1:,}", timeout=PATIENCE_MS)
    finally:
        identity = f"{play['customer_id']}-{play['event_id']}"
        filled.client().delete(index=f"plays-{now:%Y.%m.%d}", id=identity, refresh=True)


def test_offers_their_effect_texts_and_the_model_are_shown_as_they_are_stored(
    browser: Browser, filled: Filled, tmp_path: Path
) -> None:
    pointer = tmp_path / "current.json"
    checks = {"AUC": True, "calibration error": True}
    figures = {"error": 0.0549, "auc": 0.98737, "examples": 1383.0}
    promotion = Promotion("20260301T-1", "00", "2026-03-01T23:10:00+00:00", figures, checks)
    pointer.write_bytes(Pointer(promotion).to_json())
    place = board(filled.elasticsearch, filled.redis, Clock(), model=str(pointer))
    with serving(place) as url, visiting(browser, url) as visit:
        visit.open()
        page, charts = visit.page, visit.data()["charts"]
        (row,) = charts["effect"]["rows"]
        effect = page.locator("#effect article")
        assert f"{abs(row['uplift']) * 100:.1f}\u00a0pp" in effect.locator("b").inner_text()
        assert effect.locator("dd").all_inner_texts() == [
            f"{row['rate_offered']:.1%}", f"{row['rate_held']:.1%}"
        ]  # fmt: skip
        verdict = "more upgrade" if row["low"] > 0 else "not certain yet"
        assert verdict in effect.inner_text()
        for chart, figure in (("targets", "customers"), ("outcomes", "messages")):
            rows = charts[chart]["rows"]
            shown = page.locator(f"#{chart} tbody tr").all_inner_texts()
            assert len(shown) == len(rows)
            for text, stored in zip(shown, rows, strict=True):
                assert str(stored[figure]) in text.split()
        model = page.locator("#model").inner_text().split("\n")
        for told in ("20260301T-1", "5.5%", "0.987", "1,383", "2/2 passed"):
            assert told in model
        page.screenshot(path=PICTURES / "page-desk-everything.png", full_page=True)


def test_top_lists_say_so_while_there_is_nothing_to_compare_with(
    browser: Browser, filled: Filled
) -> None:
    early = Clock(START + timedelta(minutes=50))
    with (
        serving(board(filled.elasticsearch, filled.redis, early)) as url,
        visiting(browser, url) as visit,
    ):
        visit.open()
        tracks = visit.page.locator("#tracks")
        expect(tracks.locator(".note")).to_contain_text("nothing to hold it against yet")
        assert tracks.locator("li").count() > 0
        assert tracks.locator(".change").count() == 0


def test_every_event_is_shown_to_be_accounted_for(visit: Visit) -> None:
    note = visit.page.locator("#conservation .note")
    expect(note).to_have_text("✓ received = accepted + duplicate + rejected")


def test_the_filters_can_be_used_from_the_keyboard_alone(visit: Visit) -> None:
    page = visit.page
    page.locator("#range input:checked").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**?range=1h")
    page.keyboard.press("Tab")
    page.keyboard.type("Tex")
    page.wait_for_url("**state=TX")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**device=mobile")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**?range=1h")


def test_filters_act_on_the_cards_and_live_in_the_address(visit: Visit) -> None:
    page, everywhere = visit.page, visit.figure("plays")
    there = visit.data("?state=TX")["charts"]["plays"]["rows"][0]["plays"]
    page.select_option("#state", "TX")
    expect(page.locator("#plays .figure")).to_have_text(f"{there:,}", timeout=PATIENCE_MS)
    page.check("#device input[value=mobile]", force=True)
    page.check("#range input[value='1h']", force=True)
    expect(page.locator("#mobile .figure")).to_have_text("100.0%", timeout=PATIENCE_MS)
    assert page.url.endswith("?range=1h&state=TX&device=mobile")
    expect(page.locator("#health .note")).to_contain_text("all regions and devices")
    page.reload()
    visit.settle()
    assert page.input_value("#state") == "TX"
    expect(page.locator("#mobile .figure")).to_have_text("100.0%", timeout=PATIENCE_MS)
    page.click("#clear")
    page.check("#range input[value='24h']", force=True)
    expect(page.locator("#plays .figure")).to_have_text(everywhere, timeout=PATIENCE_MS)
    page.go_back()
    page.go_back()
    expect(page.locator("#mobile .figure")).to_have_text("100.0%", timeout=PATIENCE_MS)


def test_a_click_on_the_map_shows_that_region_alone(visit: Visit) -> None:
    box = visit.page.locator("#map canvas").bounding_box()
    assert box is not None
    visit.page.mouse.click(box["x"] + box["width"] * 0.507, box["y"] + box["height"] * 0.742)
    visit.page.wait_for_url("**?state=TX")


def test_the_customers_of_a_region_open_from_the_keyboard(visit: Visit) -> None:
    page = visit.page
    button = page.locator("#regions button").first
    name = button.get_attribute("data-key")
    button.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("#customers")
    expect(dialog).to_be_visible(timeout=PATIENCE_MS)
    rows = httpx.get(f"{visit.url}/customers?state={name}", timeout=60).json()["rows"]
    assert dialog.locator("tbody tr").count() == len(rows)
    assert rows[0]["customer"] in dialog.locator("tbody tr").first.inner_text()
    page.screenshot(path=PICTURES / "customers.png")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert page.evaluate("document.activeElement.dataset.key") == name


def test_focus_and_scroll_stay_when_new_data_arrive(visit: Visit) -> None:
    page = visit.page
    page.locator("#regions button").nth(20).focus()
    key = page.evaluate("document.activeElement.dataset.key")
    page.evaluate("document.querySelector('#regions .scroll').scrollTop = 200")
    for _ in range(2):
        visit.reload_data()
    assert page.evaluate("document.activeElement.dataset.key") == key
    assert page.evaluate("document.querySelector('#regions .scroll').scrollTop") == 200


def test_the_theme_that_was_chosen_lasts(browser: Browser, url: str) -> None:
    with visiting(browser, url, color_scheme="light") as visit:
        visit.open()
        visit.page.click("#theme")
        expect(visit.page.locator("html")).to_have_attribute("data-theme", "dark")
        visit.page.reload()
        visit.settle()
        expect(visit.page.locator("html")).to_have_attribute("data-theme", "dark")


def test_cards_without_data_say_so(browser: Browser, filled: Filled) -> None:
    later = Clock(datetime(2031, 1, 1, tzinfo=UTC))
    with (
        serving(board(filled.elasticsearch, filled.redis, later)) as url,
        visiting(browser, url) as visit,
    ):
        visit.open()
        page = visit.page
        expect(page.locator("#fresh")).to_have_attribute("data-state", "stale")
        for chart in load().of("page"):
            card = page.locator(f"#{chart.id}")
            if chart.later:
                expect(card).to_be_hidden()
            elif chart.kind != "tile":
                expect(card.locator(".empty")).to_have_count(1)
        page.screenshot(path=PICTURES / "page-empty.png", full_page=True)


def test_an_outage_is_a_banner_and_the_last_data_stay(
    browser: Browser, door: Switch, url: str
) -> None:
    working = door.inside
    broken = board("http://127.0.0.1:9", None, Clock())
    with visiting(browser, url) as visit:
        visit.open()
        figure, banner = visit.figure("plays"), visit.page.locator("#banner")
        expect(banner).to_be_hidden()
        door.inside = broken
        expect(banner).to_be_visible(timeout=PATIENCE_MS)
        assert visit.figure("plays") == figure
        visit.page.screenshot(path=PICTURES / "page-outage.png")
        door.inside = working
        expect(banner).to_be_hidden(timeout=PATIENCE_MS)
        visit.complaints = [said for said in visit.complaints if "503" not in said]


def test_the_page_keeps_no_memory_of_updates(browser: Browser, filled: Filled) -> None:
    """Views that are made anew and not ended would keep some 50 MB over these updates."""

    class Leap(Clock):
        def __call__(self) -> float:
            self.ahead += 5.0
            return super().__call__()

    leap = Leap(NOW - timedelta(minutes=30))
    with (
        serving(board(filled.elasticsearch, filled.redis, leap, monotonic=leap)) as url,
        visiting(browser, url) as visit,
    ):
        visit.open("?range=1h")
        session = visit.page.context.new_cdp_session(visit.page)

        def heap() -> float:
            session.send("HeapProfiler.collectGarbage")
            used = session.send("Runtime.getHeapUsage")["usedSize"]
            assert isinstance(used, int | float)
            return used / 1e6

        for _ in range(8):
            visit.reload_data()
        before = heap()
        for _ in range(40):
            visit.reload_data()
        assert heap() - before < 12.0
