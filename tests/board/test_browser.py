"""The page in the hands of a viewer: a real browser, real stores."""

from __future__ import annotations

from datetime import timedelta

import httpx
from playwright.sync_api import Browser, expect

from tests.board.browsing import (
    PATIENCE_MS,
    PICTURES,
    Clock,
    Switch,
    Visit,
    needs_chromium,
    visiting,
)
from tests.board.filled import NOW, Filled
from tests.board.serving import board, serving

pytestmark = needs_chromium


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
