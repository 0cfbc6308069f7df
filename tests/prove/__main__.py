"""`python -m tests.prove`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from infra.local.errors import LocalError
from infra.local.paths import LOCAL
from infra.local.stack import Ports
from tests.prove.page import page
from tests.prove.report import Report, as_table
from tests.prove.run import Plan, prove

ABOUT = """A faulty day in simulated time through the whole real system: ingest function, Pub/Sub
emulator, pipeline, Elasticsearch, Redis, BigQuery emulator. Then every store is read back whole
and graded, record by record, against what the simulator knows. Prints a report card and writes
it as JSON and as an HTML page."""
END = "Exit codes: 0 everything is exact, 1 something differs, 2 it could not be run."
EXACT, DIFFERS, REFUSED, INTERRUPTED = 0, 1, 2, 130
WIDTH = 120


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One sentence, exit 2."""
        print(f"{message[0].upper()}{message[1:]} (see --help).", file=sys.stderr)
        raise SystemExit(REFUSED)


def parser() -> argparse.ArgumentParser:
    """What `python -m tests.prove --help` says."""
    top = _Parser(prog="python -m tests.prove", description=ABOUT, epilog=END, allow_abbrev=False)
    top.add_argument("--events", type=_whole("events", 1_000, 5_000_000), default=300_000,
                     metavar="N", help="at least so many events (300000); fewer are a shorter "
                     "day, not a thinner one")  # fmt: skip
    top.add_argument("--seed", type=_whole("a seed", 0, 2**31), default=1, metavar="S",
                     help="of the listeners and of every fault (1)")  # fmt: skip
    top.add_argument("--json", type=Path, metavar="FILE",
                     help="the report card for programs (HOME/report.json)")  # fmt: skip
    top.add_argument("--html", type=Path, metavar="FILE",
                     help="the report card for people (HOME/report.html)")  # fmt: skip
    top.add_argument("--home", type=Path, default=LOCAL / "prove", metavar="DIR",
                     help="folder for data, logs and process records (.local/prove)")  # fmt: skip
    return top


def _whole(what: str, low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not {what} from {low} to {high}")
        return int(text)

    return read


def write(report: Report, as_json: Path, as_html: Path) -> None:
    """Write both cards; LocalError when a file cannot be written."""
    text = json.dumps(report.as_json(), indent=2, ensure_ascii=False) + "\n"
    for file, content in ((as_json, text), (as_html, page(report))):
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
        except OSError as error:
            raise LocalError(f"{file} cannot be written: {error.strerror}.") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proof and tell what it found; the exit code."""
    args = parser().parse_args(arguments)
    home = args.home.resolve()
    as_json, as_html = args.json or home / "report.json", args.html or home / "report.html"
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    try:
        report = prove(Plan(args.events, args.seed), home, Ports.free())
        write(report, as_json, as_html)
    except LocalError as error:
        print(error, file=sys.stderr)
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED
    console.print(as_table(report))
    console.print(f"The report card: {as_html} and {as_json}", soft_wrap=True)
    return EXACT if report.exact else DIFFERS


if __name__ == "__main__":
    sys.exit(main())
