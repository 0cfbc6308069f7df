"""A chart of the catalogue → Vega-Lite: the five kinds that are drawn. The others are HTML.

A specification holds no data: `rows` is filled by whoever draws it. Parameters that the page
sets: `from`, `to` (the time axis, ms), `chosen` (a region).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from functions.board.catalogue import Catalogue, Chart, Language
from functions.board.colours import ACCENT, SERIES
from functions.board.paths import BASE_MAP

Spec = dict[str, Any]
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
STATES_FORMAT = {"type": "topojson", "feature": "states"}

_PERCENT = ".1%"
_NUMBER = ","
_AXIS_NUMBER = "abs(datum.value) >= 1000 ? format(datum.value, '~s') : format(datum.value, ',')"
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
        "axis": {"tickCount": 5, "labelExpr": _AXIS_NUMBER},
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
    figures = [{"field": name, "type": "quantitative", "format": _NUMBER} for name in names]
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
                    "format": _NUMBER,
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
        {"field": "plays", "type": "quantitative", "format": _NUMBER, "title": words["plays"]},
        {
            "field": "listeners",
            "type": "quantitative",
            "format": _NUMBER,
            "title": words["listeners"],
        },
        {"field": "mobile", "type": "quantitative", "format": _PERCENT, "title": words["mobile"]},
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
                "legend": None,
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


def _bars(chart: Chart, words: Mapping[str, str], language: Language) -> Spec:
    del language
    (outer, split), (inner, inner_split) = chart.by.items()
    value = next(iter(chart.values))
    bands = [words.get(key, key) for key in split.order]
    known = [key for key in inner_split.order if key != "unknown"]
    names = [words[key] for key in known]
    offset = {"field": "name", "sort": names, "scale": {"domain": names, "paddingOuter": 0}}
    y = {
        "field": "band",
        "type": "nominal",
        "sort": bands,
        "axis": {"grid": False},
        "scale": {"paddingInner": 0.28, "paddingOuter": 0.12},
    }
    x = {
        "field": value,
        "type": "quantitative",
        "axis": {"tickCount": 4, "labelExpr": _AXIS_NUMBER},
    }
    tooltip = [
        {"field": "band", "type": "nominal", "title": words[outer]},
        {"field": "name", "type": "nominal", "title": words[inner]},
        {"field": value, "type": "quantitative", "format": _NUMBER, "title": words[value]},
    ]
    return {
        "transform": [
            {"filter": f"datum.{inner} != 'unknown'"},
            {"calculate": f"names[datum.{outer}] || datum.{outer}", "as": "band"},
            {"calculate": f"names[datum.{inner}]", "as": "name"},
        ],
        "encoding": {"y": y, "yOffset": offset},
        "layer": [
            {
                "mark": {"type": "bar", "cornerRadiusEnd": 3},
                "encoding": {
                    "x": x,
                    "color": _colour(known, names),
                    "tooltip": tooltip,
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 5, "fontSize": 11, "opacity": 0.8},
                "encoding": {
                    "x": {"field": value, "type": "quantitative"},
                    "text": {"field": value, "type": "quantitative", "format": _NUMBER},
                    "opacity": {"condition": {"test": "bandwidth('yOffset') < 8", "value": 0},
                                "value": 1},
                },
            },
        ],
    }  # fmt: skip


def _colour(keys: list[str], names: list[str]) -> Spec:
    return {
        "field": "name",
        "type": "nominal",
        "scale": {"domain": names, "range": [SERIES[key] for key in keys]},
        "legend": {"symbolType": "circle"},
    }


def _donut(chart: Chart, words: Mapping[str, str], language: Language) -> Spec:
    del language
    value = next(iter(chart.values))
    split = chart.by[chart.shown]
    names = [words[key] for key in split.order]
    outer = "min(width, height) / 2"
    tooltip = [
        {"field": "name", "type": "nominal", "title": words[chart.shown]},
        {"field": "sum", "type": "quantitative", "format": _NUMBER, "title": words[value]},
        {"field": "part", "type": "quantitative", "format": _PERCENT, "title": "%"},
    ]
    theta = {"field": "sum", "type": "quantitative", "stack": True}
    order = {"field": "place"}
    return {
        "transform": [
            {
                "aggregate": [{"op": "sum", "field": value, "as": "sum"}],
                "groupby": [chart.shown],
            },
            {"filter": "datum.sum > 0"},
            {"joinaggregate": [{"op": "sum", "field": "sum", "as": "total"}]},
            {"calculate": f"names[datum.{chart.shown}]", "as": "name"},
            {
                "calculate": f"indexof({json.dumps(split.order)}, datum.{chart.shown})",
                "as": "place",
            },
            {"calculate": "datum.sum / datum.total", "as": "part"},
        ],
        "layer": [
            {
                "mark": {
                    "type": "arc",
                    "innerRadius": {"expr": f"{outer} * 0.62"},
                    "outerRadius": {"expr": f"{outer} * 0.96"},
                    "padAngle": 0.025,
                    "cornerRadius": 5,
                },
                "encoding": {
                    "theta": theta,
                    "order": order,
                    "color": _colour(split.order, names),
                    "tooltip": tooltip,
                },
            },
            {
                "mark": {
                    "type": "text",
                    "radius": {"expr": f"{outer} * 0.79"},
                    "fontSize": 13,
                    "fontWeight": 650,
                    "fill": "#ffffff",
                },
                "encoding": {
                    "theta": theta,
                    "order": order,
                    "text": {"field": "part", "type": "quantitative", "format": ".0%"},
                    "opacity": {
                        "condition": {"test": "datum.part < 0.06", "value": 0},
                        "value": 1,
                    },
                },
            },
            {
                "transform": [
                    {"aggregate": [{"op": "max", "field": "total", "as": "total"}]},
                    {"calculate": f"names.{value}", "as": "word"},
                ],
                "layer": [
                    {
                        "mark": {"type": "text", "dy": -8, "fontSize": 24, "fontWeight": 650},
                        "encoding": {
                            "text": {"field": "total", "type": "quantitative", "format": _NUMBER}
                        },
                    },
                    {
                        "mark": {"type": "text", "dy": 16, "fontSize": 12, "opacity": 0.75},
                        "encoding": {"text": {"field": "word"}},
                    },
                ],
            },
        ],
    }


def _heat(chart: Chart, words: Mapping[str, str], language: Language) -> Spec:
    del language
    (group, _), (hour, _) = chart.by.items()
    value = next(iter(chart.values))
    red, green, blue = (int(ACCENT[place : place + 2], 16) for place in (1, 3, 5))
    shades = [f"rgba({red}, {green}, {blue}, {alpha})" for alpha in (0.05, 1)]
    return {
        "mark": {"type": "rect", "cornerRadius": 3},
        "encoding": {
            "x": {
                "field": hour,
                "type": "ordinal",
                "scale": {"paddingInner": 0.08},
                "axis": {
                    "labelAngle": 0,
                    "labelOverlap": True,
                    "labelExpr": "format(datum.value, '02') + ':00'",
                },
            },
            "y": {
                "field": group,
                "type": "nominal",
                "sort": None,
                "scale": {"paddingInner": 0.08},
                "axis": {"labelLimit": 118},
            },
            "color": {
                "field": value,
                "type": "quantitative",
                "scale": {"type": "pow", "exponent": 0.6, "range": shades, "zero": True},
                "legend": None,
            },
            "tooltip": [
                {"field": group, "type": "nominal", "title": words[group]},
                {"field": hour, "type": "quantitative", "format": "02", "title": words[hour]},
                {"field": value, "type": "quantitative", "format": _NUMBER, "title": words[value]},
            ],
        },
    }


_KINDS: dict[str, Callable[[Chart, Mapping[str, str], Language], Spec]] = {
    "area": _area,
    "map": _map,
    "bars": _bars,
    "donut": _donut,
    "heat": _heat,
}
