"""The page's data: every chart's rows for a view, in one `_msearch`, kept as long as they serve."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from elasticsearch import ApiError, Elasticsearch, TransportError

from functions.board import effect, listening, searches
from functions.board.cache import Cache
from functions.board.catalogue import Catalogue, Chart
from functions.board.progress import ProgressReader
from functions.board.searches import Row, Search
from functions.board.titles import Titles
from functions.board.units import HOUR_MS, MINUTE_MS
from functions.board.view import Times, View
from functions.shared.logs import log

LIGHT_S = 2.0
"""How long an answer serves."""
_HEAVY_SHARE, _HEAVY_MOST_S = 2_880, 60.0
"""One that looks at every play of the range serves a 2,880th of it: what it could miss does not
show in a chart."""
_FIRST_S = 30.0
MOST_CUSTOMERS = 20_000
"""A region or device with more customers than this cannot narrow what has only customers."""

Answer = Mapping[str, Any]


class Unavailable(RuntimeError):
    """Elasticsearch did not answer: transient."""


@dataclass(frozen=True, slots=True)
class _Planned:
    """What a chart asks for, and how its answers are read."""

    chart: Chart
    searches: list[Search]
    read: Callable[[list[Answer]], list[Row]]


class Data:
    """Reads Elasticsearch and the progress for the page. Read-only."""

    def __init__(
        self,
        client: Elasticsearch,
        progress: ProgressReader,
        catalogue: Catalogue,
        *,
        customers: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`customers`: whether customer ids may be shown; `clock`: seconds since the epoch."""
        self._client = client
        self._progress = progress
        self._charts = [
            chart
            for chart in catalogue.of("page")
            if chart.kind != "model" and (customers or chart.needs != "customers")
        ]
        self._clock = clock
        self._rows: Cache[list[Row]] = Cache(most=2_000)
        self._firsts: Cache[tuple[int | None]] = Cache(most=8)
        self._heard: Cache[tuple[list[str] | None]] = Cache(most=64)
        self._titles = Titles(self.ask)

    def page(self, view: View) -> dict[str, Any]:
        """Everything that the page shows for a view.

        Raises:
            Unavailable: when nothing can be read.
        """
        now = self._clock()
        now_ms = int(now * 1000)
        first_ms = self._first(view, now)
        times = Times.of(view, now_ms, first_ms)
        charts = self._charts_of(view, times, now)
        progress = self._progress.read(now_ms)
        window = times.window(30 * MINUTE_MS)
        return {
            "at": now_ms,
            "complete_to": progress.complete_to_ms,
            "stale": progress.stale,
            "from": times.from_ms,
            "axis": [times.axis_from_ms, times.axis_to_ms],
            "bucket": times.bucket_ms,
            "window": window,
            "compared": first_ms is not None and first_ms <= window[0] - HOUR_MS,
            "charts": charts,
        }

    def customers_of(self, view: View) -> list[Row]:
        """The customers of a region who played most: ids and figures, nothing else."""
        now = self._clock()
        times = Times.of(view, int(now * 1000), self._first(view, now))
        where = [*searches.narrowing(view), {"range": {"played_at": {"gte": times.from_ms}}}]
        figures = {
            "mobile": {"filter": {"term": {"is_mobile": True}}},
            "latest": {"max": {"field": "played_at"}},
            "distinct_tracks": {"cardinality": {"field": "track_id"}},
        }
        terms = {"field": "customer_id", "size": 100, "collect_mode": "breadth_first"}
        body = {
            "query": {"bool": {"filter": where}},
            "size": 0,
            "track_total_hits": False,
            "aggs": {"customer": {"terms": terms, "aggs": figures}},
        }
        answer = self.ask([Search("plays-*", body)])[0]
        return [
            {
                "customer": bucket["key"],
                "plays": bucket["doc_count"],
                "mobile": bucket["mobile"]["doc_count"] / bucket["doc_count"],
                "distinct_tracks": bucket["distinct_tracks"]["value"],
                "latest": int(bucket["latest"]["value"]),
            }
            for bucket in answer.get("aggregations", {}).get("customer", {}).get("buckets", ())
        ]

    def ask(self, asked: Sequence[Search]) -> list[Answer]:
        """The answers to searches that all have to succeed, in one request.

        Raises:
            Unavailable: when one of them failed.
        """
        answers = self._msearch(asked)
        if any("error" in answer for answer in answers):
            raise Unavailable("a search failed")
        return answers

    def _charts_of(self, view: View, times: Times, now: float) -> dict[str, dict[str, Any]]:
        """Every chart's content; what is narrowed by customers waits until those are known."""
        held = self._heard.get(view, now) if view.narrowed else (None,)
        first = [chart for chart in self._charts if held is not None or not _by_customers(chart)]
        also = [] if held is not None else [_heard_search(view, times)]
        found, answers = self._read(first, view, times, held and held[0], now, also)
        if held is None:
            held = (_heard(answers[0]),)
            self._heard.put(view, held, now + self._heavy_s(view))
            rest = [chart for chart in self._charts if _by_customers(chart)]
            found |= self._read(rest, view, times, held[0], now)[0]
        if all(rows is None for rows in found.values()):
            raise Unavailable("every search failed")
        return {
            chart.id: {"failed": True}
            if found[chart.id] is None
            else self._content(chart, found[chart.id], view, held[0])
            for chart in self._charts
        }

    def _read(
        self,
        charts: list[Chart],
        view: View,
        times: Times,
        heard: list[str] | None,
        now: float,
        also: Sequence[Search] = (),
    ) -> tuple[dict[str, list[Row] | None], list[Answer]]:
        """Rows by chart, None where a search failed; and the answers to what is `also` asked.

        Those that still serve are given as they are, the others asked for in one request.

        Raises:
            Unavailable: when Elasticsearch does not answer, or one of `also` failed.
        """
        found = {chart.id: self._rows.get((chart.id, view), now) for chart in charts}
        plans = [
            self._plan(chart, view, times, heard) for chart in charts if found[chart.id] is None
        ]
        asked = list(also)
        for plan in plans:
            asked += [search for search in plan.searches if search not in asked]
        answers = self._msearch(asked) if asked else []
        if any("error" in answer for answer in answers[: len(also)]):
            raise Unavailable("a search failed")
        for plan in plans:
            own = [answers[asked.index(search)] for search in plan.searches]
            if any("error" in answer for answer in own):
                continue
            rows = self._titles.add(plan.chart, plan.read(own), now)
            self._rows.put((plan.chart.id, view), rows, now + self._serves(plan.chart, view))
            found[plan.chart.id] = rows
        return found, answers[: len(also)]

    def _content(
        self, chart: Chart, rows: list[Row] | None, view: View, heard: list[str] | None
    ) -> dict[str, Any]:
        content: dict[str, Any] = {"rows": rows}
        narrowed = chart.dataset.narrowed if chart.dataset else "never"
        if view.narrowed and narrowed != "fields":
            content["reach"] = "heard" if narrowed == "customers" and heard is not None else "all"
        return content

    def _plan(self, chart: Chart, view: View, times: Times, heard: list[str] | None) -> _Planned:
        if chart.kind == "effect":
            return _Planned(chart, effect.searches(times, heard), effect.rows)
        if listening.serves(chart, view, times):
            return _Planned(
                chart,
                listening.searches(chart, times),
                lambda answers: listening.rows(chart, answers, times),
            )
        return _Planned(
            chart,
            [searches.search(chart, view, times, heard)],
            lambda answers: searches.rows(chart, answers[0], times),
        )

    def _serves(self, chart: Chart, view: View) -> float:
        return self._heavy_s(view) if chart.heavy else LIGHT_S

    def _heavy_s(self, view: View) -> float:
        return max(LIGHT_S, min(view.range_ms / 1000 / _HEAVY_SHARE, _HEAVY_MOST_S))

    def _first(self, view: View, now: float) -> int | None:
        """When listening began, as far back as the view looks."""
        known = self._firsts.get(view.range, now)
        if known is None:
            answer = self.ask([listening.first_search(view, int(now * 1000))])[0]
            known = (listening.first(answer),)
            self._firsts.put(view.range, known, now + _FIRST_S)
        return known[0]

    def _msearch(self, asked: Sequence[Search]) -> list[Answer]:
        lines: list[dict[str, Any]] = []
        for search in asked:
            lines.append(
                {
                    "index": search.index,
                    "ignore_unavailable": True,
                    "allow_no_indices": True,
                    "allow_partial_search_results": False,
                }
            )
            lines.append(search.body)
        try:
            answers = self._client.msearch(searches=lines)["responses"]
        except (ApiError, TransportError) as error:
            log("ERROR", "elasticsearch is not answering", metric="board_down", why=str(error))
            raise Unavailable(type(error).__name__) from error
        for answer in answers:
            if "error" in answer:
                log("ERROR", "a search failed", metric="board_search", why=str(answer["error"]))
        return list(answers)


def _by_customers(chart: Chart) -> bool:
    return chart.dataset is not None and chart.dataset.narrowed == "customers"


def _heard_search(view: View, times: Times) -> Search:
    """The customers heard in the view's region and on its device: `_heard` reads them."""
    where = [*searches.narrowing(view), {"range": {"played_at": {"gte": times.from_ms}}}]
    terms = {"field": "customer_id", "size": MOST_CUSTOMERS + 1}
    body = {
        "query": {"bool": {"filter": where}},
        "size": 0,
        "track_total_hits": False,
        "aggs": {"customers": {"terms": terms}},
    }
    return Search("plays-*", body)


def _heard(answer: Answer) -> list[str] | None:
    """Customers in order; None where they are too many for a list."""
    buckets = answer.get("aggregations", {}).get("customers", {}).get("buckets", ())
    there = sorted(bucket["key"] for bucket in buckets)
    return there if len(there) <= MOST_CUSTOMERS else None
