"""A browser on the board's page: what visits it, and the tests' time.

Pictures go to .local/board-pictures.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx
import pytest
from flask import Request, Response
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from functions.board.door import Board
from infra.local.paths import LOCAL
from tests.board.filled import NOW

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

needs_chromium = pytest.mark.skipif(
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
