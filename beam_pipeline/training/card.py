"""The model card: one page that says what a model is, how good, and why it may or may not act."""

from __future__ import annotations

from html import escape

from beam_pipeline.training.drawings import (
    calibration_chart,
    coefficient_chart,
    error_chart,
    roc_chart,
)
from beam_pipeline.training.gate import Check
from beam_pipeline.training.report import Figures, Part, Report

_STYLE = """
:root{--ink:#1d2433;--soft:#5b6577;--line:#dfe4ec;--page:#f5f7fa;--card:#fff;--model:#2563a8;
--live:#b7791f;--other:#98a2b3;--good:#16794c;--bad:#b42318;--tint:#e8f5ee;--alarm:#fdeceb}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf2;--soft:#9aa5b8;--line:#2c3545;--page:#11161f;
--card:#19202c;--model:#6aa9e9;--live:#e0a94f;--other:#6b7688;--good:#5cc492;--bad:#f08579;
--tint:#16301f;--alarm:#3a1a18}}
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1080px;margin:0 auto;padding:28px 20px 48px}
h1{font-size:24px;margin:0}h2{font-size:15px;margin:0 0 10px}p{margin:4px 0}
.soft{color:var(--soft)}.grid{display:grid;gap:16px;grid-template-columns:repeat(12,1fr)}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;
grid-column:span 12;min-width:0}.verdict{border-left:6px solid var(--good);background:var(--tint)}
.verdict.refused{border-color:var(--bad);background:var(--alarm)}
.verdict.only{border-color:var(--other);background:var(--card)}
@media(min-width:760px){.four{grid-column:span 3}.half{grid-column:span 6}
.quarter{grid-column:span 3}}
.big{font-size:28px;font-weight:650;letter-spacing:-.02em}table{width:100%;border-collapse:collapse}
td,th{padding:6px 8px 6px 0;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
th{font-weight:600;color:var(--soft);font-size:13px}td.n,th.n{text-align:right;
font-variant-numeric:tabular-nums}.yes{color:var(--good);font-weight:650}
.no{color:var(--bad);font-weight:650}.scroll{overflow-x:auto}
svg{width:100%;height:auto;display:block}svg text{fill:var(--ink);font-size:13px}
svg .small{font-size:11px;fill:var(--soft)}svg .middle{text-anchor:middle}svg .end{text-anchor:end}
.grid path.grid,path.grid{stroke:var(--line);fill:none}.axis{stroke:var(--soft)}
.line{fill:none;stroke-width:2.5}.line.model{stroke:var(--model)}.line.live{stroke:var(--live)}
.line.chance{stroke:var(--other);stroke-dasharray:4 4;stroke-width:1.5}
.line.thin{stroke:var(--model);stroke-width:1.2;opacity:.6}.dot{fill:var(--model)}
.bar.model,.bar.more{fill:var(--model)}.bar.live,.bar.less{fill:var(--live)}
.bar.majority{fill:var(--other)}.whisker{stroke:var(--ink);fill:none}
svg .number{paint-order:stroke;stroke:var(--card);stroke-width:4px}
.limit{stroke:var(--bad);stroke-width:2;stroke-dasharray:5 3}
.key{display:inline-block;width:12px;height:3px;margin:0 5px 3px 12px}
"""


def card(report: Report) -> str:
    """The page as HTML; it asks nothing of anyone."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>Model {escape(report.version)}</title><style>{_STYLE}</style></head>"
        f'<body><main><div class="grid">{_verdict(report)}{_tiles(report)}{_charts(report)}'
        f"{_checks(report)}{_data(report)}</div></main></body></html>\n"
    )


def _verdict(report: Report) -> str:
    kind, words = {
        "passed": ("", "Passed: may decide who is offered the upgrade"),
        "refused": ("refused", "Refused: decides nothing"),
        "report only": ("only", "A report only: decides nothing"),
    }[report.outcome]
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in report.reasons)
    return (
        f'<section class="verdict {kind}"><p class="soft">Will a listener click the offer?</p>'
        f"<h1>{words}</h1><p>Model <b>{escape(report.version)}</b>, fitted by "
        f"{escape(report.trainer)} on {escape(report.source)}</p>"
        + (f"<ul>{reasons}</ul>" if reasons else "")
        + "</section>"
    )


def _tiles(report: Report) -> str:
    model = report.model
    tiles = (
        ("Error on the test part", _percent(model.error), f"upper bound {model.error_upper:.2%}"),
        ("AUC", _number(model.auc), "1 is perfect, 0.5 is chance"),
        ("Brier skill", _number(model.brier_skill), "0 is the base rate, 1 is perfect"),
        ("Threshold", f"{report.threshold:.2f}", "a score of at least this is targeted"),
    )
    return "".join(
        f'<section class="four"><p class="soft">{name}</p><p class="big">{figure}</p>'
        f'<p class="soft">{note}</p></section>'
        for name, figure, note in tiles
    )


def _charts(report: Report) -> str:
    key = '<span class="key" style="background:var(--model)"></span>this model'
    if report.live:
        key += '<span class="key" style="background:var(--live)"></span>the live model'
    return (
        f'<section class="half"><h2>Error: this model and what it must beat</h2>{_errors(report)}'
        f"<h2>What pulls towards a click, per deviation of the feature</h2>"
        f"{coefficient_chart(report.coefficients)}</section>"
        f'<section class="quarter"><h2>ROC</h2>{roc_chart(report.roc, report.live_roc)}'
        f'<p class="soft">{key}</p></section>'
        f'<section class="quarter"><h2>Calibration</h2>{calibration_chart(report.calibration)}'
        '<p class="soft">a dot is a tenth of the examples</p></section>'
    )


def _errors(report: Report) -> str:
    bars: list[tuple[str, str, float, float]] = []
    found: tuple[tuple[str, str, Figures | None], ...] = (
        ("this model", "model", report.model),
        ("majority class", "majority", report.majority),
        ("live model", "live", report.live),
    )
    for label, kind, figures in found:
        if figures is not None and figures.error is not None:
            bars.append((label, kind, figures.error, figures.error_upper))
    return error_chart(bars, report.largest_error)


def _checks(report: Report) -> str:
    rows = "".join(_check(check) for check in report.checks)
    return (
        '<section><h2>The gate: all of it must hold</h2><div class="scroll"><table>'
        '<tr><th>check</th><th class="n">figure</th><th>wanted</th><th></th>'
        f"<th>note</th></tr>{rows}</table></div></section>"
    )


def _check(check: Check) -> str:
    verdict = '<td class="yes">holds</td>' if check.holds else '<td class="no">fails</td>'
    return (
        f'<tr><td>{escape(check.name)}</td><td class="n">{_number(check.figure)}</td>'
        f"<td>{check.wanted()}</td>{verdict}"
        f"<td>{escape(check.note)}</td></tr>"
    )


def _data(report: Report) -> str:
    parts = "".join(_part(part) for part in report.parts)
    worth = "".join(
        f'<tr><td>{escape(", ".join(one.features))}</td><td class="n">{one.log_loss:+.5f}</td>'
        f'<td class="n">{one.lower:+.5f} to {one.upper:+.5f}</td></tr>'
        for one in report.worths
    )
    return (
        '<section class="half"><h2>Examples</h2><div class="scroll"><table><tr><th>part</th>'
        '<th class="n">examples</th><th class="n">clicks</th><th>shown</th></tr>'
        f"{parts}</table></div>"
        f'<p class="soft">{report.left_out} more had no features and were left out. '
        f"Regularisation {report.regularisation:g}; features {escape(report.feature_hash)}; "
        f"code {escape(report.code_version)}; made {escape(report.created_at)}.</p></section>"
        '<section class="half"><h2>What each feature earns: log loss more without it</h2>'
        '<div class="scroll"><table><tr><th>without</th>'
        f'<th class="n">loss</th><th class="n">90 %</th></tr>{worth}</table></div></section>'
    )


def _part(part: Part) -> str:
    span = f"{part.first[:16]} to {part.last[:16]}" if part.first and part.last else ""
    return (
        f'<tr><td>{part.name}</td><td class="n">{part.examples}</td>'
        f'<td class="n">{part.clicks}</td><td>{span}</td></tr>'
    )


def _number(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.4g}"


def _percent(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.2%}"
