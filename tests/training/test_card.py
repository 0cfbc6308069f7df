"""The model card: one page that needs nothing else, and says what the report says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from beam_pipeline.training.card import card
from beam_pipeline.training.report import Report
from tests.training.synthetic import crowd
from tests.training.test_train import Workshop


class _Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count it."""
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in {"meta"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Every element that began ends."""
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Report]:
    """One that passed beside a live model, one that was refused."""
    workshop = Workshop(tmp_path_factory.mktemp("card"))
    found = []
    for bayes_error in (0.05, 0.05, 0.14):
        workshop.train(crowd(n=5_000, bayes_error=bayes_error))
        found.append(workshop.report())
    return found[1], found[2]


def test_the_page_asks_nothing_of_anyone_and_runs_no_script(reports: tuple[Report, Report]) -> None:
    for report in reports:
        text = card(report)
        page = _Page(text)
        assert page.open == []
        assert page.links == []
        assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
        assert not re.search(r"https?://|url\(|@import", text)
        assert page.tags.count("svg") == 4


def test_the_page_shows_the_verdict_each_check_and_what_the_model_must_beat(
    reports: tuple[Report, Report],
) -> None:
    passed, refused = (card(report) for report in reports)
    assert "Passed: may decide" in passed
    assert "the live model" in passed
    assert "Refused: decides nothing" in refused
    for report, text in zip(reports, (passed, refused), strict=True):
        for check in report.checks:
            assert check.name in text
        for words in ("this model", "majority class", "live model", "at most 10%"):
            assert words in text
        assert len(re.findall('class="yes"', text)) == sum(c.holds for c in report.checks)
    assert "error, upper bound" in refused.partition("</section>")[0]


def test_what_stands_in_a_report_cannot_break_the_page(reports: tuple[Report, Report]) -> None:
    nasty = msgspec.structs.replace(reports[0], source='<script src="x">', version="<b>")
    page = _Page(card(nasty))
    assert "script" not in page.tags


def test_a_model_without_a_single_click_still_has_its_page(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    known = crowd(n=3_000)
    frame = known.frame.with_columns(clicked=known.frame["clicked"] & False)
    workshop.train(type(known)(frame, known.propensity))
    assert "cannot be worked out" in card(workshop.report())
