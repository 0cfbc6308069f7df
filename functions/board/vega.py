"""A chart of the catalogue → Vega-Lite: the five kinds that are drawn. The others are HTML.

A specification holds no data: `rows` is filled by whoever draws it. Parameters that the page
sets: `from`, `to` (the time axis, ms), `chosen` (a region).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from functions.board import groups
from functions.board.catalogue import Catalogue, Chart, Language
from functions.board.colours import ACCENT, SERIES
from functions.board.groups import AXIS_NUMBER, NUMBER, PERCENT, Spec
from functions.board.paths import BASE_MAP

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
STATES_FORMAT = {"type": "topojson", "feature": "states"}

_LARGEST = "domain('size')[1]"
_SIZES = (
    f"{_LARGEST} < 8 ? [{_LARGEST}] : [toNumber(format({_LARGEST} / 4, '.1r')), "
    f"toNumber(format({_LARGEST}, '.1r'))]"
)
"""Two bubbles that say how large the others are: the largest and a quarter of it, rounded."""
_DAY = {"en": "%b %-d", "ko": "%-m월 %-d일"}


def drawn(chart: Chart) -> bool:
    """Whether a chart is drawn by Vega."""
    return chart.kind in _KINDS


def spec(
    chart: Chart, catalogue: Catalogue, language: Language, base_map: str = "us-states.json"
) -> Spec:
    """The specification of a drawn chart; `base_map` is the address of the base map."""
    words = {name: text[language] for name, text in catalogue.words.names.items()}
    if chart.kind == "map":
        words |= {code: text[language] for code, text in catalogue.words.states.items()}
    body = _KINDS[chart.kind](chart, words, language)
    if chart.kind == "map":
        body = _inlined(body, {"url": base_map, "format": STATES_FORMAT})
    parameters = [{"name": "names", "value": words}, *body.pop("params", [])]
    return {
        "$schema": SCHEMA,
        "description": chart.title[language],
        "width": "container",
        "height": "container",
        "autosize": {"type": "fit", "contains": "padding", "resize": True},
        "params": parameters,
        "data": {"name": "rows"},
        **body,
    }


def with_values(
    specification: Spec, rows: Iterable[Mapping[str, Any]], width: int, height: int
) -> Spec:
    """The specification with everything in it: rows, base map and a size."""
    states = {"values": json.loads(BASE_MAP.read_text()), "format": STATES_FORMAT}
    return {
        **_inlined(specification, states),
        "width": width,
        "height": height,
        "datasets": {"rows": list(rows)},
    }


def _inlined(part: Any, states: Spec) -> Any:
    """The specification with `states` as its base map."""
    if isinstance(part, dict):
        if part.get("format") == STATES_FORMAT:
            return states
        return {key: _inlined(value, states) for key, value in part.items()}
    return [_inlined(value, states) for value in part] if isinstance(part, list) else part


def _area(chart: Chart, words: Mapping[str, str], language: Language) -> Spec:
    transform: list[Spec] = []
    group = next((name for name, split in chart.by.items() if not split.time), None)
    if group is None:
        series, value = list(chart.values), "figure"
        transform.append({"fold": series, "as": ["series", value]})
    else:
        series, value = chart.by[group].order, next(iter(chart.values))
        transform.append({"calculate": f"datum.{group}", "as": "series"})
    transform.append({"calculate": "names[datum.series]", "as": "name"})
    transform.append({"calculate": f"indexof({json.dumps(series)}, datum.series)", "as": "place"})
    names = [words[name] for name in series]
    colour = {
        "field": "name",
        "type": "nominal",
        "scale": {"domain": names, "range": [SERIES[name] for name in series]},
        "legend": {"symbolType": "circle"},
    }
    x = {
        "field": "time",
        "type": "temporal",
        "scale": {"domainMin": {"expr": "from"}, "domainMax": {"expr": "to"}},
        "axis": {
            "grid": False,
            "labelFlush": True,
            "labelOverlap": True,
            "labelSeparation": 12,
            "tickCount": {"expr": "max(2, floor(width / 90))"},
            "labelExpr": "hours(datum.value) == 0 && minutes(datum.value) == 0"
            f" ? timeFormat(datum.value, '{_DAY[language]}') : timeFormat(datum.value, '%H:%M')",
        },
    }
    y = {
        "field": value,
        "type": "quantitative",
        "stack": True,
        "axis": {"tickCount": 5, "labelExpr": AXIS_NUMBER},
    }
    area = {
        "mark": {
            "type": "area",
            "interpolate": "monotone",
            "fillOpacity": 0.45,
            "line": {"strokeWidth": 1.75},
        },
        "encoding": {
            "x": x,
            "y": y,
            "color": colour,
            "order": {"field": "place", "sort": "descending"},
        },
    }
    total = {"calculate": " + ".join(f"datum[{json.dumps(name)}]" for name in names), "as": "total"}
    figures = [{"field": name, "type": "quantitative", "format": NUMBER} for name in names]
    moment = f"timeFormat(datum.time, '{_DAY[language]} %H:%M')"
    crosshair = {
        "transform": [
            {"pivot": "name", "value": value, "groupby": ["time"]},
            total,
            {"calculate": moment, "as": "moment"},
        ],
        "mark": {"type": "rule", "strokeWidth": 1},
        "params": [
            {
                "name": "hover",
                "select": {
                    "type": "point",
                    "fields": ["time"],
                    "nearest": True,
                    "on": "pointerover",
                    "clear": "pointerout",
                },
            }
        ],
        "encoding": {
            "x": {"field": "time", "type": "temporal"},
            "opacity": {
                "condition": {"param": "hover", "empty": False, "value": 0.7},
                "value": 0,
            },
            "tooltip": [
                {"field": "moment", "type": "nominal", "title": words["time"]},
                *figures,
                {
                    "field": "total",
                    "type": "quantitative",
                    "format": NUMBER,
                    "title": "Σ",
                },
            ],
        },
    }
    return {
        "params": [{"name": "from", "value": 0}, {"name": "to", "value": 1}],
        "transform": transform,
        "layer": [area, crosshair],
    }


def _map(chart: Chart, words: Mapping[str, str], language: Language) -> Spec:
    del chart, language
    states = {"url": "", "format": STATES_FORMAT}
    tooltip = [
        {"field": "name", "type": "nominal", "title": words["state"]},
        {"field": "plays", "type": "quantitative", "format": NUMBER, "title": words["plays"]},
        {
            "field": "listeners",
            "type": "quantitative",
            "format": NUMBER,
            "title": words["listeners"],
        },
        {"field": "mobile", "type": "quantitative", "format": PERCENT, "title": words["mobile"]},
    ]
    land = {
        "data": states,
        "transform": [
            {
                "lookup": "id",
                "from": {
                    "data": {"name": "rows"},
                    "key": "state",
                    "fields": ["plays", "listeners", "mobile"],
                },
                "default": 0,
            },
            {"calculate": "names[datum.id]", "as": "name"},
            {"calculate": "datum.id", "as": "state"},
        ],
        "mark": {"type": "geoshape", "strokeWidth": 0.8, "cursor": "pointer"},
        "encoding": {"tooltip": tooltip},
    }
    bubbles = {
        "transform": [
            {
                "lookup": "state",
                "from": {
                    "data": states,
                    "key": "id",
                    "fields": ["properties.lon", "properties.lat"],
                },
                "as": ["lon", "lat"],
            },
            {"filter": "isValid(datum.lon)"},
            {"calculate": "names[datum.state]", "as": "name"},
        ],
        "mark": {
            "type": "circle",
            "color": ACCENT,
            "strokeWidth": 1,
            "cursor": "pointer",
        },
        "encoding": {
            "longitude": {"field": "lon", "type": "quantitative"},
            "latitude": {"field": "lat", "type": "quantitative"},
            "size": {
                "field": "plays",
                "type": "quantitative",
                "scale": {"type": "linear", "zero": True, "rangeMax": {"expr": "width * 3"}},
                "legend": {
                    "title": words["plays"],
                    "titleAnchor": "middle",
                    "titleOrient": "left",
                    "orient": "bottom",
                    "values": {"expr": _SIZES},
                    "labelExpr": AXIS_NUMBER,
                    "symbolFillColor": ACCENT,
                    "symbolStrokeWidth": 0,
                    "symbolOpacity": 0.82,
                },
            },
            "opacity": {
                "condition": {"test": "!chosen || chosen == datum.state", "value": 0.82},
                "value": 0.25,
            },
            "order": {"field": "plays", "sort": "descending"},
            "tooltip": tooltip,
        },
    }
    return {
        "params": [{"name": "chosen", "value": None}],
        "projection": {"type": "albersUsa"},
        "layer": [land, bubbles],
    }


_KINDS: dict[str, Callable[[Chart, Mapping[str, str], Language], Spec]] = {
    "area": _area,
    "map": _map,
    "bars": groups.bars,
    "donut": groups.donut,
    "heat": groups.heat,
}
