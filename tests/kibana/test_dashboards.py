"""The file that Kibana imports: whole, fresh, and saying what the page says."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import vl_convert

from functions.board.catalogue import load
from functions.board.view import View
from infra.kibana.build import OUTPUT, content, main
from infra.kibana.columns import shown_values
from infra.kibana.vegamap import specification
from tests.board.filled import Filled
from tests.kibana.aggregations import aggregation, clause, rows

Json = dict[str, Any]

ATTRIBUTES = {
    "index-pattern": {"title", "name", "timeFieldName", "allowNoIndex"},
    "dashboard": {
        "title", "description", "panelsJSON", "optionsJSON", "timeRestore", "timeFrom", "timeTo",
        "refreshInterval", "controlGroupInput", "kibanaSavedObjectMeta",
    },
}  # fmt: skip
"""What the import of 8.19 and 9 takes of these types; another attribute refuses the object."""

IMPORT = OUTPUT.parent / "import.sh"


def saved() -> list[Json]:
    return [json.loads(line) for line in OUTPUT.read_text().splitlines()]


def dashboards() -> list[Json]:
    return [found for found in saved() if found["type"] == "dashboard"]


def panels(dashboard: Json) -> list[Json]:
    found = json.loads(dashboard["attributes"]["panelsJSON"])
    assert isinstance(found, list)
    return found


def layer(panel: Json) -> Json:
    state = panel["embeddableConfig"]["attributes"]["state"]
    found = state["datasourceStates"]["formBased"]["layers"]["layer"]
    assert isinstance(found, dict)
    return found


LENS = [panel for panel in panels(dashboards()[0]) if panel["type"] == "lens"]


def test_the_file_is_what_the_catalogue_makes() -> None:
    assert content() == OUTPUT.read_text(), "run python -m infra.kibana.build"


def test_check_tells_a_stale_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert main(["--check"]) == 0
    stale = tmp_path / "encore.ndjson"
    stale.write_text("{}\n")
    monkeypatch.setattr("infra.kibana.build.OUTPUT", stale)
    assert main(["--check"]) == 1


def test_objects_have_the_attributes_that_kibana_takes_and_no_other() -> None:
    for found in saved():
        assert set(found["attributes"]) == ATTRIBUTES[found["type"]]
        assert found["coreMigrationVersion"] == "8.8.0"


def test_no_reference_dangles() -> None:
    known = {(found["type"], found["id"]) for found in saved()}
    for dashboard in dashboards():
        references = {one["name"]: (one["type"], one["id"]) for one in dashboard["references"]}
        assert set(references.values()) <= known
        for panel in panels(dashboard):
            own = panel["embeddableConfig"].get("attributes", {}).get("references", [])
            for reference in own:
                name = f"{panel['panelIndex']}:{reference['name']}"
                assert references[name] == (reference["type"], reference["id"])
        controls = json.loads(dashboard["attributes"]["controlGroupInput"]["panelsJSON"])
        assert set(controls) == {"state", "device"}
        for control in controls:
            assert f"controlGroup_{control}:optionsListDataView" in references


def test_panels_lie_on_the_grid_and_none_over_another() -> None:
    for dashboard in dashboards():
        places = [panel["gridData"] for panel in panels(dashboard)]
        assert len({place["i"] for place in places}) == len(places)
        for place in places:
            assert 0 <= place["x"] < place["x"] + place["w"] <= 48
        for one, other in combinations(places, 2):
            apart = (
                one["x"] + one["w"] <= other["x"]
                or other["x"] + other["w"] <= one["x"]
                or one["y"] + one["h"] <= other["y"]
                or other["y"] + other["h"] <= one["y"]
            )
            assert apart, (one["i"], other["i"])


def test_every_chart_of_the_catalogue_is_there_in_both_languages() -> None:
    expected = {chart.id for chart in load().of("kibana")}
    for dashboard, language in zip(dashboards(), ("en", "ko"), strict=True):
        found = {panel["panelIndex"]: panel["title"] for panel in panels(dashboard)}
        assert set(found) == expected
        assert found["plays"] == load().chart("plays").title[language]  # type: ignore[index]


@pytest.mark.parametrize("panel", LENS, ids=lambda panel: panel["panelIndex"])
def test_columns_are_complete_and_every_accessor_is_one(panel: Json) -> None:
    columns = layer(panel)["columns"]
    assert list(columns) == layer(panel)["columnOrder"]
    buckets = [column["isBucketed"] for column in columns.values()]
    assert buckets == sorted(buckets, reverse=True), "groups come first"
    for column in columns.values():
        assert set(column.get("references", [])) <= set(columns)
        order = column.get("params", {}).get("orderBy", {})
        assert order.get("columnId") in {None, *columns}
    state = json.dumps(panel["embeddableConfig"]["attributes"]["state"]["visualization"])
    named = {part for part in state.split('"') if part.startswith(("by-", "of-"))}
    assert named <= set(columns)
    assert named


def test_filters_of_region_and_device_leave_alone_what_has_neither() -> None:
    ignores = {panel["panelIndex"]: layer(panel)["ignoreGlobalFilters"] for panel in LENS}
    assert ignores["usage"] is False
    assert ignores["health"] is True
    assert ignores["interested"] is True


@pytest.fixture(scope="module")
def page(filled: Filled) -> Json:
    return filled.data().page(View())


CHECKED = sorted({p["panelIndex"] for p in LENS} - {"interest_list", "tracks", "artists", "today"})


@pytest.mark.parametrize("chart_id", CHECKED)
def test_lens_counts_what_the_page_counts(chart_id: str, filled: Filled, page: Json) -> None:
    panel = next(panel for panel in LENS if panel["panelIndex"] == chart_id)
    chart = load().chart(chart_id)
    assert chart.dataset is not None
    columns = layer(panel)["columns"]
    query = panel["embeddableConfig"]["attributes"]["state"]["query"]["query"]
    where = [{"range": {chart.dataset.time: {"gte": page["from"]}}}, clause(query)]
    answer = filled.client().search(
        index=chart.dataset.index,
        size=0,
        query={"bool": {"filter": where}},
        aggs=aggregation(columns, f"{page['bucket']}ms"),
    )
    lens = list(rows(columns, answer.body["aggregations"]))
    shown = page["charts"][chart_id]["rows"]
    groups = [chart.shown] if chart.shown else list(chart.by)
    if chart.shown:
        sums: Counter[str] = Counter()
        for row in shown:
            sums[row[chart.shown]] += row["listeners"]
        shown = [{chart.shown: key, "listeners": value} for key, value in sums.items()]
    values = [name.removeprefix("of-") for name in shown_values(columns)]
    expected = {
        tuple(row[name] for name in groups): [row[name] for name in values] for row in shown
    }
    found = {
        tuple(called(name, row[f"by-{name}"]) for name in groups): [
            row[f"of-{name}"] for name in values
        ]
        for row in lens
    }
    if "time" in groups:
        begin, end = page["axis"]
        found = {key: value for key, value in found.items() if begin <= key[-1] < end}
    assert without_zeros(found) == without_zeros(expected)
    assert without_zeros(found)


def called(group: str, key: Any) -> Any:
    return {1: "mobile", 0: "pc"}[key] if group == "device" else key


def without_zeros(table: dict[Any, list[Any]]) -> dict[Any, list[Any]]:
    """The page fills gaps over time and hours with zeros; Lens draws them as it likes."""
    return {key: values for key, values in table.items() if any(values)}


def test_the_map_asks_and_draws_by_itself(filled: Filled, page: Json) -> None:
    chart = load().chart("map")
    spec = specification(chart, load(), "en")
    source = spec["layer"][1]["data"]
    assert "query" not in source["url"]["body"], "Kibana puts %context% there"
    assert "http" not in json.dumps(spec["layer"])
    recent = {"range": {chart.dataset.time: {"gte": page["from"]}}}  # type: ignore[union-attr]
    answer = filled.client().search(
        index=source["url"]["index"], query=recent, **source["url"]["body"]
    )
    buckets = answer.body["aggregations"]["state"]["buckets"]
    assert {(b["key"], b["doc_count"]) for b in buckets} == {
        (row["state"], row["plays"]) for row in page["charts"]["map"]["rows"]
    }
    spec["layer"][1]["data"] = {"values": buckets}
    drawn = vl_convert.vegalite_to_svg(json.dumps({**spec, "width": 500, "height": 300}), "5.21")
    assert drawn.count('aria-roledescription="circle"') == len(buckets)


def test_the_import_says_what_it_would_do() -> None:
    told = subprocess.run(
        [IMPORT, "--dry-run", "https://kibana.example"], capture_output=True, text=True, check=True
    )
    assert "/api/saved_objects/_import?overwrite=true" in told.stdout


@pytest.mark.parametrize("arguments", [[], ["kibana.example"], ["https://a", "https://b"]])
def test_the_import_refuses_what_is_no_address(arguments: list[str]) -> None:
    told = subprocess.run([IMPORT, *arguments], capture_output=True, text=True, check=False)
    assert told.returncode == 2
    assert len(told.stderr.splitlines()) == 1
