"""What the cards of the page show, in a real browser, against real stores."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from playwright.sync_api import Browser, expect

from beam_pipeline.domain.schemas import PLAYS
from beam_pipeline.edges.elasticsearch import ElasticsearchConfig
from beam_pipeline.edges.models import Pointer, Promotion
from functions.board import vega
from functions.board.catalogue import load
from tests.board.browsing import (
    DESK,
    PATIENCE_MS,
    PHONE,
    PICTURES,
    Clock,
    Switch,
    Visit,
    needs_chromium,
    visiting,
)
from tests.board.filled import NOW, START, Filled
from tests.board.serving import board, serving

pytestmark = needs_chromium
INSIDE = {"tile": ".figure", "ranking": "li", "figures": "dd", "effect": "article"}
"""What a card of a kind holds when it has something to show; the others are tables."""


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
        (row, *bands) = charts["effect"]["rows"]
        assert bands
        effect = page.locator("#effect article")
        assert f"{abs(row['uplift']) * 100:.1f}\u00a0pp" in effect.locator("b").inner_text()
        assert effect.locator("dl:not(.bands) dd").all_inner_texts() == [
            f"{row['rate_offered']:.1%}", f"{row['rate_held']:.1%}"
        ]  # fmt: skip
        known = [band for band in bands if band["low"] is not None]
        tenths = [f"score {band['band'] * 10}.0% – {(band['band'] + 1) * 10}.0%" for band in known]
        assert effect.locator(".bands dt").all_inner_texts() == tenths
        assert len(effect.locator(".bands dd").all_inner_texts()) == len(known)
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
