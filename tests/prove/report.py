"""The report card: every grade of a run, for people and for programs."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tests.prove.grade import Difference, Grade

STORES = ("Ingest", "Elasticsearch", "Redis", "BigQuery")
EXACT, WRONG = "Exact", "Not exact"


@dataclass(frozen=True)
class Report:
    """What was sent, how it went, and how each store stands in each subject."""

    run: Mapping[str, Any]
    """Seed, time, rate, faults: what is needed to run it again."""
    summary: Mapping[str, Any]
    """The simulator's account, strays included."""
    grades: Sequence[Grade]
    reasons: Mapping[str, tuple[int, int]]
    """Rejected lines by reason: expected, held."""
    minutes: pl.DataFrame
    """Of each minute of publication what was expected, and whether every store is `right`."""
    struck: Mapping[str, int] = field(default_factory=dict)
    """How often each fault struck, where it can be counted."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """How long each stage took."""

    @property
    def exact(self) -> bool:
        """Whether every grade is."""
        return all(grade.exact for grade in self.grades)

    @property
    def records(self) -> int:
        """How many records were compared."""
        return sum(grade.expected for grade in self.grades)

    @property
    def precision(self) -> float:
        """The worst of all."""
        return min(grade.precision for grade in self.grades)

    @property
    def recall(self) -> float:
        """The worst of all."""
        return min(grade.recall for grade in self.grades)

    @property
    def subjects(self) -> list[str]:
        """In the order of the card."""
        return list(dict.fromkeys(grade.subject for grade in self.grades))

    def of(self, subject: str) -> dict[str, Grade]:
        """A subject's grades by store."""
        return {grade.store: grade for grade in self.grades if grade.subject == subject}

    def as_json(self) -> dict[str, Any]:
        """All of it but the minutes, as plain values."""
        return {
            "verdict": (EXACT if self.exact else WRONG).lower(),
            "precision": self.precision,
            "recall": self.recall,
            "records": self.records,
            "run": dict(self.run),
            "sent": dict(self.summary),
            "struck": dict(self.struck),
            "rejected_by_reason": {
                reason: {"expected": expected, "held": held}
                for reason, (expected, held) in self.reasons.items()
            },
            "grades": [_plain(grade) for grade in self.grades],
            "seconds": dict(self.seconds),
            "machine": machine(),
        }


def machine() -> str:
    """What it ran on, in a few words."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def told(value: Any) -> Any:
    """A value of a record as text or number."""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else value


def share(value: float) -> str:
    """1.0 only for 1; what is less never rounds up to it."""
    return "1.0" if value == 1 else f"{int(value * 10_000) / 10_000:.4f}"


def as_table(report: Report) -> RenderableType:
    """The card for a terminal: grades, and the first differing records side by side."""
    table = Table(title="What the simulator knows, and what each store holds", title_justify="left")
    table.add_column("")
    table.add_column("expected", justify="right")
    for store in STORES:
        table.add_column(store, justify="right")
    table.add_column("")
    for subject in report.subjects:
        grades = report.of(subject)
        expected = max(grade.expected for grade in grades.values())
        exact = all(grade.exact for grade in grades.values())
        cells = [_cell(grades.get(store)) for store in STORES]
        verdict = "[green]exact" if exact else "[red]differs"
        table.add_row(subject, f"{expected:,}", *cells, verdict)
    parts: list[RenderableType] = [table]
    parts += [_differing(grade) for grade in report.grades if not grade.exact]
    colour = "bold green" if report.exact else "bold red"
    verdict = EXACT if report.exact else WRONG
    parts.append(
        Text(
            f"{verdict}: precision {share(report.precision)}, recall {share(report.recall)} over "
            f"{report.records:,} records, of {report.summary['received']:,} events.",
            colour,
        )
    )
    return Group(*parts)


def _cell(grade: Grade | None) -> str:
    if grade is None:
        return ""
    text = f"{share(grade.precision)} / {share(grade.recall)}"
    return text if grade.exact else f"[red]{text}\n{grade.held:,} held[/]"


def _differing(grade: Grade) -> Table:
    title = f"{grade.subject} in {grade.store}: the first that differ"
    table = Table(title=title, title_justify="left")
    for name in ("who", "column", "expected", "held"):
        table.add_column(name, overflow="fold")
    for one in grade.differences:
        who = ", ".join(f"{name} {told(value)}" for name, value in one.who.items())
        for name, expected, held in sides(one):
            table.add_row(who, name, expected, held)
            who = ""
    return table


def sides(one: Difference) -> list[tuple[str, str, str]]:
    """Column by column what was expected and what is held; a missing record is one line."""
    if one.expected is None or one.held is None:
        there = one.expected or one.held or {}
        text = ", ".join(f"{name} {told(value)}" for name, value in there.items()) or "there"
        return [("", text if one.expected else "nothing", text if one.held else "nothing")]
    return [
        (name, str(told(one.expected.get(name))), str(told(one.held.get(name))))
        for name in one.columns()
    ]


def _plain(grade: Grade) -> dict[str, Any]:
    figures = {name: value for name, value in asdict(grade).items() if name != "differences"}
    differences = [
        {
            side: None if record is None else {name: told(value) for name, value in record.items()}
            for side, record in (("who", one.who), ("expected", one.expected), ("held", one.held))
        }
        for one in grade.differences
    ]
    more = {"precision": grade.precision, "recall": grade.recall, "exact": grade.exact}
    return {**figures, **more, "differences": differences}
