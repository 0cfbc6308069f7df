"""What a demo shows while it runs: a live panel on a terminal, plain lines everywhere else."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from infra.local.services import HOST
from infra.local.snapshots import Snapshot
from infra.local.stack import Stack

PLAIN_PACE_S = 5.0
PLAIN_WIDTH = 120


class Display:
    """Steps of the start, then the figures, on standard output."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False)
        if not self.console.is_terminal:
            self.console.width = PLAIN_WIDTH
        self._began = time.monotonic()
        self._plain_at = 0.0
        self._live: Live | None = None

    def __enter__(self) -> "Display":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.settle()

    def step(self, text: str) -> None:
        """One thing more that is done, with the seconds since the start."""
        at = f"[dim]{time.monotonic() - self._began:5.1f} s[/]"
        self.console.print(f"{at}  {text}", soft_wrap=True)

    def show(
        self, title: str, posting: Mapping[str, Any], last: Snapshot, before: Snapshot
    ) -> None:
        """The figures now; a line every few seconds where there is no terminal."""
        if not self.console.is_terminal:
            if time.monotonic() - self._plain_at >= PLAIN_PACE_S:
                self._plain_at = time.monotonic()
                self.step(f"{title}: {plain(posting, last, before)}")
            return
        if self._live is None:
            self._live = Live(console=self.console, auto_refresh=False)
            self._live.start()
        self._live.update(panel(title, posting, last, before), refresh=True)

    def settle(self) -> None:
        """End the live panel; its last state stays on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def figures(
    posting: Mapping[str, Any], last: Snapshot, before: Snapshot
) -> list[tuple[str, str, str]]:
    """What, how many, and how that is moving or where it lies."""
    seconds = last.at - before.at if before.at else 0.0
    gained = last.health.get("received", 0) - before.health.get("received", 0)
    through = f"{gained / seconds:,.0f}/s" if seconds > 0 else ""
    documents, rows = sum(last.documents.values()), sum(last.rows.values())
    sent = f"{posting.get('events_per_s', 0.0):,.0f}/s"
    return [
        ("sent", f"{posting.get('sent', 0):,}", sent),
        ("received", f"{last.health.get('received', 0):,}", through),
        ("accepted", f"{last.health.get('accepted', 0):,}", ""),
        ("duplicates", f"{last.health.get('duplicate', 0):,}", ""),
        ("rejected", f"{last.health.get('rejected', 0):,}", ""),
        ("interests found", f"{last.documents.get('interests', 0):,}", ""),
        ("targets", f"{last.documents.get('targets', 0):,}", _largest(last.channels)),
        ("offers shown", f"{last.actions.get('shown', 0):,}", _answers(last.actions)),
        ("text messages", f"{last.statuses.get('sent', 0):,}", _largest(last.statuses)),
        ("documents stored", f"{documents:,}", _largest(last.documents)),
        ("rows stored", f"{rows:,}", _largest(last.rows)),
    ]


def plain(posting: Mapping[str, Any], last: Snapshot, before: Snapshot) -> str:
    """The figures on one line."""
    found = figures(posting, last, before)
    return ", ".join(
        f"{name} {count}{f' ({note})' if name in ('sent', 'received') and note else ''}"
        for name, count, note in found
    )


def panel(title: str, posting: Mapping[str, Any], last: Snapshot, before: Snapshot) -> Panel:
    """The figures as a panel."""
    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(justify="right", style="bold")
    table.add_column(style="dim")
    for row in figures(posting, last, before):
        table.add_row(*row)
    hint = Text("Ctrl-C stops everything", style="dim")
    return Panel(Group(table, Text(), hint), title=f"Encore · {title}", expand=False)


def addresses(stack: Stack) -> list[str]:
    """Where to look while it runs."""
    ends, ports = stack.endpoints, stack.ports
    return [
        f"[bold]live board       http://{HOST}:{ports.board}/[/]",
        f"ingest function  http://{HOST}:{ports.ingest}/v1/plays",
        f"offer function   http://{HOST}:{ports.offer}/v1/offers/CUSTOMER",
        f"Elasticsearch    {ends.elasticsearch}/plays-*/_search",
        f"BigQuery         {ends.bigquery} ({ends.project}.{ends.dataset})",
        f"Redis            {ends.redis}",
        f"logs             {stack.home / 'logs'}",
    ]


def _answers(actions: Mapping[str, int]) -> str:
    return ", ".join(
        f"{actions[name]:,} {name}" for name in ("clicked", "upgraded") if actions.get(name)
    )


def _largest(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {count:,}" for name, count in ordered if count)
