"""Data views and dashboards as saved objects of Kibana 8.19 and later."""

from __future__ import annotations

import json
from collections.abc import Iterator

from functions.board.catalogue import Catalogue, Chart, Language
from infra.kibana import lens, vegamap
from infra.kibana.columns import Json

COLUMNS = 48
_TITLES: dict[Language, str] = {"en": "Encore: listening now", "ko": "Encore: 지금 듣는 음악"}
_CONTROLS = {"state": ("region", "state"), "device": ("device", "is_mobile")}
_SEARCH = {"query": {"query": "", "language": "kuery"}, "filter": []}


def objects(catalogue: Catalogue) -> Iterator[Json]:
    """Everything to import: data views, then a dashboard in each language."""
    for name, dataset in catalogue.datasets.items():
        yield {
            "type": "index-pattern",
            "id": f"encore-{name.replace('_', '-')}",
            "coreMigrationVersion": "8.8.0",
            "typeMigrationVersion": "8.0.0",
            "attributes": {
                "title": dataset.index,
                "name": f"Encore {name.replace('_', ' ')}",
                "timeFieldName": dataset.time,
                "allowNoIndex": True,
            },
            "references": [],
        }
    for language in ("en", "ko"):
        yield _dashboard(catalogue, language)


def _dashboard(catalogue: Catalogue, language: Language) -> Json:
    panels: list[Json] = []
    references: list[Json] = []
    for chart, place in placed(list(catalogue.of("kibana"))):
        panel, named = _panel(chart, place, catalogue, language)
        panels.append(panel)
        references += named
    for control in _CONTROLS:
        references.append(
            {
                "type": "index-pattern",
                "id": "encore-plays",
                "name": f"controlGroup_{control}:optionsListDataView",
            }
        )
    return {
        "type": "dashboard",
        "id": f"encore-{language}",
        "coreMigrationVersion": "8.8.0",
        "typeMigrationVersion": "10.2.0",
        "attributes": {
            "title": _TITLES[language],
            "description": "",
            "panelsJSON": _text(panels),
            "optionsJSON": _text(
                {
                    "useMargins": True,
                    "syncColors": False,
                    "syncCursor": True,
                    "syncTooltips": False,
                    "hidePanelTitles": False,
                }
            ),
            "timeRestore": True,
            "timeFrom": "now-24h",
            "timeTo": "now",
            "refreshInterval": {"pause": False, "value": 10_000},
            "controlGroupInput": _controls(catalogue, language),
            "kibanaSavedObjectMeta": {"searchSourceJSON": _text(_SEARCH)},
        },
        "references": references,
    }


def placed(charts: list[Chart]) -> Iterator[tuple[Chart, Json]]:
    """Each chart with its place on the grid: rows from the left, as high as their highest."""
    x = y = height = 0
    for chart in charts:
        width, rows = chart.size
        if x + width > COLUMNS:
            x, y, height = 0, y + height, 0
        yield chart, {"x": x, "y": y, "w": width, "h": rows, "i": chart.id}
        x, height = x + width, max(height, rows)


def _panel(
    chart: Chart, place: Json, catalogue: Catalogue, language: Language
) -> tuple[Json, list[Json]]:
    config: Json = {"enhancements": {}, "hidePanelTitles": False}
    if chart.span is not None:
        back = chart.span.window or "32d"
        config["timeRange"] = {"from": f"now-{back}", "to": "now"}
    references: list[Json] = []
    if chart.kind == "map":
        kind, config["savedVis"] = "visualization", vegamap.saved(chart, catalogue, language)
    else:
        kind, config["attributes"] = "lens", lens.attributes(chart, catalogue, language)
        references = [
            {**reference, "name": f"{chart.id}:{reference['name']}"}
            for reference in config["attributes"]["references"]
        ]
    panel = {
        "type": kind,
        "title": chart.title[language],
        "panelIndex": chart.id,
        "gridData": place,
        "embeddableConfig": config,
    }
    return panel, references


def _controls(catalogue: Catalogue, language: Language) -> Json:
    panels = {
        control: {
            "order": order,
            "width": "medium",
            "grow": False,
            "type": "optionsListControl",
            "explicitInput": {
                "id": control,
                "fieldName": field,
                "title": catalogue.words.page[title][language],
                "selectedOptions": [],
                "enhancements": {},
            },
        }
        for order, (control, (title, field)) in enumerate(_CONTROLS.items())
    }
    return {
        "chainingSystem": "HIERARCHICAL",
        "controlStyle": "oneLine",
        "showApplySelections": False,
        "ignoreParentSettingsJSON": _text(
            {
                "ignoreFilters": False,
                "ignoreQuery": False,
                "ignoreTimerange": False,
                "ignoreValidations": False,
            }
        ),
        "panelsJSON": _text(panels),
    }


def _text(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
