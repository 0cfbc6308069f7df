"""The report card as a page of its own: no script, no request, light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta
from html import escape
from pathlib import Path

from tests.prove.grade import Grade
from tests.prove.record import record
from tests.prove.report import EXACT, STORES, Report, machine, share, sides, told

STYLE = Path(__file__).with_name("style.css")
KEYS = {
    "counted": "counted",
    "late": "late",
    "duplicate": "duplicate",
    "rejected": "rejected",
    "afterwards": "arrived after the day",
}


def page(report: Report) -> str:
    """The page as HTML; it asks nothing of anyone."""
    style = STYLE.read_text(encoding="utf-8")
    body = (
        _hero(report),
        _card(report),
        *(_differing(grade) for grade in report.grades if not grade.exact),
        _struck(report),
        _reasons(report),
        _run(report),
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Encore, the proof: {_verdict(report)}</title><style>{style}</style></head>"
        f'<body class="{"exact" if report.exact else "wrong"}"><main>{"".join(body)}</main>'
        "</body></html>\n"
    )


def _verdict(report: Report) -> str:
    return f"{EXACT}." if report.exact else f"{_wrong(report):,} differ."


def _wrong(report: Report) -> int:
    """Records that are missing, too many or not as they should be."""
    return sum(max(grade.expected, grade.held) - grade.right for grade in report.grades)


def _hero(report: Report) -> str:
    start = datetime.fromisoformat(report.run["start"])
    length = timedelta(hours=report.run["hours"])
    worst = min(report.precision, report.recall)
    fate = "Every one is right." if report.exact else "Not every one is right."
    tiles = (
        ("precision", share(report.precision), "of what is held is right, in the worst case"),
        ("recall", share(report.recall), "of what should be held is, in the worst case"),
        ("events", f"{report.summary['received']:,}", "sent, with every fault on"),
        ("records", f"{report.records:,}", "read back and compared, whole"),
    )
    shown = "".join(
        f'<div class="tile"><span class="quiet">{name}</span><b>{figure}</b>'
        f'<small class="quiet">{note}</small></div>'
        for name, figure, note in tiles
    )
    keys = "".join(
        f'<span><i style="background:var(--{key})"></i>{name}</span>' for key, name in KEYS.items()
    )
    return (
        f'<section class="hero"><div>{record(report.minutes, start, length, share(worst))}</div>'
        f'<div><span class="quiet">Encore · the proof</span><h1>{_verdict(report)}</h1>'
        f"<p>{_span(length)} of listening, in every way that it goes wrong, went through the real "
        "function, Pub/Sub, pipeline and stores. Then every record of every store was held "
        f"against what the simulator knows. {fate}</p>"
        f'<div class="tiles">{shown}</div>'
        f'<p class="keys">{keys}</p><p class="quiet">One turn of the record is the time that was '
        "played. A minute that a store counts wrong is a scratch.</p></div></section>"
    )


def _span(length: timedelta) -> str:
    hours = length.total_seconds() / 3600
    return "One day" if hours == 24 else f"{hours:g} hour{'s' * (hours != 1)}"


def _card(report: Report) -> str:
    rows = []
    for subject in report.subjects:
        grades = report.of(subject)
        expected = max(grade.expected for grade in grades.values())
        cells = "".join(f"<td>{_mark(grades.get(store))}</td>" for store in STORES)
        rows.append(f'<tr><td>{escape(subject)}</td><td class="n">{expected:,}</td>{cells}</tr>')
    heads = "".join(f"<th>{store}</th>" for store in STORES)
    return (
        "<section><h2>The report card: precision / recall, record by record</h2>"
        f'<div class="scroll"><table><tr><th></th><th class="n">expected</th>{heads}</tr>'
        f"{''.join(rows)}</table></div></section>"
    )


def _mark(grade: Grade | None) -> str:
    if grade is None:
        return ""
    if grade.exact:
        return '<span class="mark yes">✓ 1.0 / 1.0</span>'
    figures = f"{share(grade.precision)} / {share(grade.recall)}"
    return f'<span class="mark no">✗ {figures}</span><small>{grade.held:,} held</small>'


def _differing(grade: Grade) -> str:
    rows = []
    for one in grade.differences:
        who = ", ".join(f"{name} <b>{_text(value)}</b>" for name, value in one.who.items())
        for name, expected, held in sides(one):
            rows.append(
                f'<tr><td>{who}</td><td>{escape(name)}</td><td class="expected">'
                f'{escape(expected)}</td><td class="held">{escape(held)}</td></tr>'
            )
            who = ""
    missing, more = grade.expected - grade.right, grade.held - grade.right
    return (
        f"<section><h2>{escape(grade.subject)} in {grade.store}: {missing:,} expected and not "
        f"there, {more:,} there and not expected; the first side by side</h2>"
        '<div class="scroll"><table><tr><th>who</th><th>column</th><th>expected</th><th>held</th>'
        f"</tr>{''.join(rows)}</table></div></section>"
    )


def _text(value: object) -> str:
    return escape(str(told(value)))


def _struck(report: Report) -> str:
    rows = _bars({name: (count, count) for name, count in report.struck.items()}, "late")
    return f'<section class="half"><h2>What went wrong, and how often</h2>{rows}</section>'


def _reasons(report: Report) -> str:
    return (
        '<section class="half"><h2>Lines refused, by reason</h2>'
        f"{_bars(report.reasons, 'plain')}</section>"
    )


def _bars(counts: Mapping[str, tuple[int, int]], kind: str) -> str:
    """Bars of expected counts, on a scale of magnitudes; a held count that differs is said."""
    most = math.log1p(max((expected for expected, _ in counts.values()), default=0)) or 1.0
    rows = []
    for name, (expected, held) in counts.items():
        width = 100 * math.log1p(expected) / most
        note = "" if expected == held else f' <span class="no">{held:,} held</span>'
        rows.append(
            f'<span>{escape(name.replace("_", " "))}</span><i class="{kind}" '
            f'style="width:{width:.1f}%"></i><span class="n">{expected:,}{note}</span>'
        )
    return f'<div class="bars">{"".join(rows)}</div>'


def _run(report: Report) -> str:
    whole = sum(report.seconds.values()) or 1.0
    strips = "".join(
        f'<i style="width:{100 * seconds / whole:.1f}%;opacity:{1 - 0.13 * number:.2f}"></i>'
        for number, seconds in enumerate(report.seconds.values())
    )
    names = " · ".join(f"{name} {seconds:.0f} s" for name, seconds in report.seconds.items())
    faults = ", ".join(
        f"{name.replace('_', ' ')} {rate:g}" for name, rate in report.run["faults"].items()
    )
    events, seed = report.run["events"], report.run["seed"]
    return (
        f'<section><h2>The run: {whole:.0f} s</h2><div class="stages">{strips}</div>'
        f'<p class="quiet">{names}</p><p class="quiet">Rates: {escape(faults)}.</p>'
        f"<p>Again: <code>make prove ARGS=&quot;--events {events} --seed {seed}&quot;</code></p>"
        f'<p class="quiet">{report.run["customers"]:,} customers, {report.run["tracks"]:,} tracks, '
        f"from {escape(report.run['start'])}. {escape(machine())}.</p></section>"
    )
