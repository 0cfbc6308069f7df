"""Charts of groups as Vega-Lite: grouped bars, a donut and a heat map."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from functions.board.catalogue import Chart, Language
from functions.board.colours import ACCENT, ON_DATA, SERIES

Spec = dict[str, Any]
PERCENT = ".1%"
NUMBER = ","
_SHADES = (
    "domain('color')[1] < 2 ? domain('color') : [0, domain('color')[1] / 2, domain('color')[1]]"
)
"""The figures under a heat map's shades: none, half of the most, the most."""
AXIS_NUMBER = "abs(datum.value) >= 1000 ? format(datum.value, '~s') : format(datum.value, ',')"


def bars(chart: Chart, words: Mapping[str, str], language: Language) -> Spec:
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
        "axis": {"tickCount": 4, "labelExpr": AXIS_NUMBER},
    }
    tooltip = [
        {"field": "band", "type": "nominal", "title": words[outer]},
        {"field": "name", "type": "nominal", "title": words[inner]},
        {"field": value, "type": "quantitative", "format": NUMBER, "title": words[value]},
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
                    "text": {"field": value, "type": "quantitative", "format": NUMBER},
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


def donut(chart: Chart, words: Mapping[str, str], language: Language) -> Spec:
    del language
    value = next(iter(chart.values))
    split = chart.by[chart.shown]
    names = [words[key] for key in split.order]
    outer = "min(width, height) / 2"
    tooltip = [
        {"field": "name", "type": "nominal", "title": words[chart.shown]},
        {"field": "sum", "type": "quantitative", "format": NUMBER, "title": words[value]},
        {"field": "part", "type": "quantitative", "format": PERCENT, "title": "%"},
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
                    "fill": ON_DATA,
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
                            "text": {"field": "total", "type": "quantitative", "format": NUMBER}
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


def heat(chart: Chart, words: Mapping[str, str], language: Language) -> Spec:
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
                    "labelSeparation": 4,
                    "labelExpr": "format(datum.value, '02')",
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
                "legend": {
                    "title": words[value],
                    "titleAnchor": "middle",
                    "titleOrient": "left",
                    "gradientLength": 120,
                    "gradientThickness": 8,
                    "values": {"expr": _SHADES},
                    "labelExpr": "format(datum.value, '.2~s')",
                    "labelFontSize": 11,
                },
            },
            "tooltip": [
                {"field": group, "type": "nominal", "title": words[group]},
                {"field": hour, "type": "quantitative", "format": "02", "title": words[hour]},
                {"field": value, "type": "quantitative", "format": NUMBER, "title": words[value]},
            ],
        },
    }
