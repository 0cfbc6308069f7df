"""The catalogue is whole: places on the grid, names in both languages; nonsense is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import zipcodes

from functions.board import catalogue
from functions.board.basemap import simplified
from functions.board.catalogue import Catalogue, CatalogueError, load
from functions.board.paths import BASE_MAP

COLUMNS = 48


def test_rows_of_the_page_fill_the_grid() -> None:
    """Cards that are always there stand in whole rows; the others join at the end of theirs."""
    width = 0
    for chart in load().of("page"):
        if chart.later or chart.needs == "customers":
            continue
        width = width + chart.size[0] if width < COLUMNS else chart.size[0]
        assert width <= COLUMNS, chart.id


def test_every_region_of_a_zip_has_a_name() -> None:
    known = {place["state"] for place in zipcodes.list_all()}  # type: ignore[no-untyped-call]
    assert known == set(load().words.states)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("kind: donut", "kind: pie"),
        ("from: health", "from: helth"),
        ("{ratio: [plays, listeners]}", "{ratio: [plays, people]}"),
        ("values:\n      plays: {count: all}", "values:\n      plays: {count: all, sum: plays}"),
        ("aside: {value: pc,", "aside: {value: tv,"),
        ("span: {window: 30m, against: 1h}", "span: {window: 30x, against: 1h}"),
        ("- id: mobile\n", "- id: plays\n"),
        ("size: [8, 5]", "sizes: [8, 5]"),
        ("      rejected: {sum: rejected}", "      refused: {sum: rejected}"),
    ],
)
def test_a_catalogue_that_does_not_hold_together_is_refused(
    before: str, after: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    charts = (catalogue.HERE / "charts.yaml").read_text()
    assert before in charts
    (tmp_path / "charts.yaml").write_text(charts.replace(before, after, 1))
    (tmp_path / "words.yaml").write_text((catalogue.HERE / "words.yaml").read_text())
    monkeypatch.setattr(catalogue, "HERE", tmp_path)
    with pytest.raises((CatalogueError, ValueError)):
        load.__wrapped__()


def test_the_base_map_has_every_state_that_the_projection_draws() -> None:
    content = BASE_MAP.read_text()
    states = json.loads(content)["objects"]["states"]["geometries"]
    assert len({state["id"] for state in states}) == 51
    assert len(content) < 60_000


def test_simplifying_keeps_the_ends_of_an_arc_and_what_matters_between_them() -> None:
    arc = [[0, 0], [10, 1], [20, 0], [30, 40], [40, 0], [50, 1], [60, 0]]
    assert simplified(arc, 100) == [[0, 0], [20, 0], [30, 40], [40, 0], [60, 0]]


def test_a_closed_arc_stays_a_ring() -> None:
    island = [[0, 0], [1, 2], [2, 3], [4, 1], [3, -1], [0, 0]]
    kept = simplified(island, 1_000_000)
    assert (len(kept), kept[0], kept[-1]) == (4, [0, 0], [0, 0])


def whole() -> Catalogue:
    return load()


def test_the_pages_texts_have_the_same_gaps_in_both_languages() -> None:
    words = whole().words
    for group in (words.names, words.units, words.empty, words.page):
        for name, text in group.items():
            assert text.en.count("{}") == text.ko.count("{}"), name
