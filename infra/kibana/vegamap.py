"""The map → a Vega-Lite panel of Kibana: the page's own, its rows from Elasticsearch."""

from __future__ import annotations

import json

from functions.board import vega
from functions.board.catalogue import Catalogue, Chart, Language
from functions.board.paths import BASE_MAP
from functions.board.searches import groups
from functions.board.view import Times
from infra.kibana.columns import Json

SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_ANY_TIME = Times(now_ms=0, from_ms=0, axis_from_ms=0, bucket_ms=1)


def specification(chart: Chart, catalogue: Catalogue, language: Language) -> Json:
    """The specification; Kibana puts the dashboard's time range and filters into `%context%`.

    Nothing comes from outside: the base map stands in it, the rows are a search's buckets.
    """
    assert chart.dataset is not None
    page = vega.spec(chart, catalogue, language)
    bubbles = page["layer"][1]
    topology = json.loads(BASE_MAP.read_text())
    states = {"values": topology, "format": vega.STATES_FORMAT}
    points = {
        state["id"]: [state["properties"]["lon"], state["properties"]["lat"]]
        for state in topology["objects"]["states"]["geometries"]
    }
    rows = {
        "url": {
            "index": chart.dataset.index,
            "%context%": True,
            "%timefield%": chart.dataset.time,
            "body": {"size": 0, "aggs": groups(chart, _ANY_TIME)},
        },
        "format": {"property": "aggregations.state.buckets"},
    }
    renamed = [
        {"calculate": "datum.key", "as": "state"},
        {"calculate": "datum.doc_count", "as": "plays"},
        {"calculate": "datum.listeners.value", "as": "listeners"},
        {"calculate": "datum.mobile.doc_count / datum.doc_count", "as": "mobile"},
        {"filter": "isValid(points[datum.key])"},
        {"calculate": "points[datum.key][0]", "as": "lon"},
        {"calculate": "points[datum.key][1]", "as": "lat"},
    ]
    named = [step for step in bubbles["transform"] if step.get("as") == "name"]
    neutral = {"fill": "#8590a3", "fillOpacity": 0.25, "stroke": "#8590a3", "strokeOpacity": 0.6}
    return {
        "$schema": SCHEMA,
        "params": [*page["params"], {"name": "points", "value": points}],
        "projection": page["projection"],
        "config": {"view": {"stroke": None}},
        "layer": [
            {"data": states, "mark": {"type": "geoshape", "strokeWidth": 0.8, **neutral}},
            {**bubbles, "data": rows, "transform": [*renamed, *named]},
        ],
    }


def saved(chart: Chart, catalogue: Catalogue, language: Language) -> Json:
    """The visualization inside a panel."""
    found = specification(chart, catalogue, language)
    spec = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return {
        "title": "",
        "description": "",
        "type": "vega",
        "params": {"spec": spec},
        "uiState": {},
        "data": {
            "aggs": [],
            "searchSource": {"query": {"query": "", "language": "kuery"}, "filter": []},
        },
    }
