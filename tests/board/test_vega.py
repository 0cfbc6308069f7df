"""Every drawn chart compiles and draws, in both languages and themes, from real rows."""

from __future__ import annotations

import json
from typing import Any

import pytest
import vl_convert

from functions.board import colours, vega
from functions.board.catalogue import LANGUAGES, Chart, Language, load
from functions.board.groups import Spec
from functions.board.view import View
from infra.local.paths import LOCAL
from tests.board.filled import Filled

DRAWN = [chart for chart in load().of("page") if vega.drawn(chart)]
PICTURES = LOCAL / "board-pictures"


@pytest.fixture(scope="module")
def page(filled: Filled) -> dict[str, Any]:
    return filled.data().page(View())


def specification(chart: Chart, language: Language, page: dict[str, Any]) -> Spec:
    rows = page["charts"][chart.id]["rows"]
    spec = vega.with_values(vega.spec(chart, load(), language), rows, 700, 320)
    for parameter in spec["params"]:
        if parameter["name"] in ("from", "to"):
            parameter["value"] = page["axis"][parameter["name"] == "to"]
    return spec


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("chart", DRAWN, ids=lambda chart: chart.id)
def test_a_chart_compiles_and_draws(chart: Chart, language: Language, page: dict[str, Any]) -> None:
    spec = json.dumps(specification(chart, language, page))
    for theme, ground in colours.GROUNDS.items():
        config = {**colours.config(theme), "background": ground}
        picture = vl_convert.vegalite_to_png(spec, vl_version="6.4", config=config)
        PICTURES.mkdir(parents=True, exist_ok=True)
        (PICTURES / f"{chart.id}-{language}-{theme}.png").write_bytes(picture)
        assert len(picture) > 4_000


def marks(chart: Chart, page: dict[str, Any]) -> str:
    return vl_convert.vegalite_to_svg(json.dumps(specification(chart, "en", page)), "6.4")


def test_the_map_draws_every_state_and_a_bubble_where_somebody_listened(
    page: dict[str, Any],
) -> None:
    drawn = marks(load().chart("map"), page)
    known = {row["state"] for row in page["charts"]["map"]["rows"]}
    assert drawn.count('aria-roledescription="geoshape"') == 51
    assert drawn.count('aria-roledescription="circle"') == len(known)


def test_the_heat_map_draws_a_cell_for_every_artist_and_hour(page: dict[str, Any]) -> None:
    drawn = marks(load().chart("heard"), page)
    assert drawn.count('aria-roledescription="rect mark"') == len(page["charts"]["heard"]["rows"])


def test_a_chart_speaks_the_language_that_it_is_asked_for(page: dict[str, Any]) -> None:
    chart = load().chart("gender")
    spec = json.dumps(specification(chart, "ko", page))
    drawn = vl_convert.vegalite_to_svg(spec, "6.4")
    assert "여성" in drawn
    assert "women" not in drawn
