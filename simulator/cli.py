"""The command line: customers, tracks, plays, http, import."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NoReturn, TypeVar

from simulator.catalogue import write_catalogue
from simulator.errors import UsageError
from simulator.faults import Fault, Faults
from simulator.files import write_run
from simulator.live import FOREVER_S, LONGEST_BACKLOG_MS, Sending, post_run
from simulator.old_log import import_log
from simulator.people import DAY_MS, write_people
from simulator.places import HOUR_MS, Places
from simulator.settings import Settings

ABOUT = """Seeded listeners of an invented streaming site: reference data, plays and ad events with
faults, to files or to the ingest function, and beside every run an answer key of what the stores
must hold."""


Number = TypeVar("Number", int, float)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """One sentence, exit 2."""
        sentence = message[0].upper() + message[1:]
        print(f"{sentence}. Try {self.prog} --help.", file=sys.stderr)
        raise SystemExit(2)


def main(arguments: Sequence[str]) -> int:
    """Run one subcommand; 0 is success, 2 a flag or a file that cannot be used."""
    args = parser().parse_args(arguments)
    try:
        code: int = args.run(args)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    return code


def parser() -> argparse.ArgumentParser:
    """All subcommands and their flags."""
    top = _Parser(prog="python -m simulator", description=ABOUT)
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _customers(commands.add_parser("customers", help="write a customers CSV"))
    _tracks(commands.add_parser("tracks", help="write a tracks CSV"))
    _plays(commands.add_parser("plays", help="write plays and ad events to files, with their key"))
    _http(commands.add_parser("http", help="post plays and ad events to the ingest function"))
    _import(commands.add_parser("import", help="turn an original play log into NDJSON"))
    return top


def _import(sub: argparse.ArgumentParser) -> None:
    sub.description = (
        "The original headerless log (event_id,customer_id,track_id,time,ismobile,zip) as NDJSON; "
        "its naive times are UTC."
    )
    sub.add_argument("--log", type=Path, required=True, metavar="FILE")
    sub.add_argument("--output", type=Path, required=True, metavar="FILE")
    sub.set_defaults(run=_import_log)


def _import_log(args: argparse.Namespace) -> int:
    count = import_log(args.log, args.output)
    print(f"{count} plays", file=sys.stderr)
    return 0


def _http(sub: argparse.ArgumentParser) -> None:
    sub.description = (
        "Posts to the ingest function: the backlog as fast as it goes, then live at --rate; or, "
        "with --simulated, a stretch of simulated time as fast as the function takes it (the "
        "function must run with ENCORE_SIMULATED_TIME=1). Ends by itself, or cleanly on Ctrl-C; "
        "then writes the answer key and prints its summary as JSON."
    )
    sub.add_argument("--url", required=True, help="e.g. http://127.0.0.1:8080")
    sub.add_argument("--key-id", metavar="ID", help="whose secret signs the requests")
    sub.add_argument("--secret-file", type=Path, metavar="FILE", help="holds that secret")
    real = sub.add_argument_group("real time")
    real.add_argument("--backlog", type=_duration, default=0, metavar="1h",
                      help="plays of the time before now, posted first (at most 110m)")  # fmt: skip
    real.add_argument("--live", action="store_true", help="go on live")
    real.add_argument("--for", dest="live_s", type=_positive, metavar="S",
                      help="live for so many seconds (until stopped)")  # fmt: skip
    simulated = sub.add_argument_group("simulated time")
    simulated.add_argument("--simulated", action="store_true")
    simulated.add_argument("--start", type=_moment, metavar="TIME")
    simulated.add_argument("--hours", type=_positive, metavar="H")
    sub.add_argument("--batch", type=_batch, default=200, metavar="N",
                     help="events a request, 1 to 1000 (200)")  # fmt: skip
    sub.add_argument("--connections", type=_connections, default=4, metavar="N")
    sub.add_argument("--patience", type=_positive, default=120.0, metavar="S",
                     help="give up when a request finds no answer for so long (120)")  # fmt: skip
    sub.add_argument("--status", type=Path, metavar="FILE",
                     help="where the run stands, one JSON line, replaced every second")  # fmt: skip
    sub.add_argument("--key", type=Path, metavar="DIR", help="an empty folder for the answer key")
    _listeners(sub)
    sub.set_defaults(run=_post)


def _post(args: argparse.Namespace) -> int:
    summary = post_run(_settings(args), _sending(args))
    print(json.dumps(summary))
    if summary["refused"]:
        print(summary["refused"], file=sys.stderr)
        return 1
    return 0


def _sending(args: argparse.Namespace) -> Sending:
    if (args.key_id is None) != (args.secret_file is None):
        raise UsageError("--key-id and --secret-file belong together.")
    if args.simulated:
        if args.backlog or args.live or args.live_s:
            raise UsageError("--simulated has no --backlog, --live or --for.")
        if args.start is None or args.hours is None:
            raise UsageError("--simulated needs --start and --hours.")
        span = (args.start, args.start + max(1, int(args.hours * HOUR_MS)))
    else:
        if args.start is not None or args.hours is not None:
            raise UsageError("--start and --hours belong to --simulated.")
        if args.backlog > LONGEST_BACKLOG_MS:
            raise UsageError("--backlog is at most 110m: plays older than two hours are too late.")
        live = args.live or args.live_s is not None
        if not live and not args.backlog:
            raise UsageError("Say what to post: --backlog, --live or --simulated.")
        now = int(time.time() * 1000)
        length = int((args.live_s or FOREVER_S) * 1000) if live else 0
        span = (now - args.backlog, now + length)
    return Sending(args.url, args.key_id, args.secret_file, span, args.simulated, args.batch,
                   args.connections, args.patience, args.status, args.key)  # fmt: skip


def _customers(sub: argparse.ArgumentParser) -> None:
    sub.description = "Customers with the original headers, and Age, Phone, SmsConsent."
    sub.add_argument("--count", type=_count, required=True, metavar="N")
    sub.add_argument("--seed", type=_seed, default=1, metavar="S")
    sub.add_argument("--as-of", type=_day, default=date(2026, 1, 1), metavar="DATE",
                     help="the day they stand at; one in twenty signs up in the 90 days after it "
                     "(2026-01-01)")  # fmt: skip
    sub.add_argument("--output", type=Path, required=True, metavar="FILE")
    sub.set_defaults(run=_write_customers)


def _write_customers(args: argparse.Namespace) -> int:
    write_people(args.output, args.count, args.seed, args.as_of, Places.load())
    return 0


def _tracks(sub: argparse.ArgumentParser) -> None:
    sub.description = "A catalogue of invented tracks with the original headers."
    sub.add_argument("--count", type=_count, required=True, metavar="N")
    sub.add_argument("--seed", type=_seed, default=1, metavar="S")
    sub.add_argument("--output", type=Path, required=True, metavar="FILE")
    sub.set_defaults(run=_write_tracks)


def _write_tracks(args: argparse.Namespace) -> int:
    write_catalogue(args.output, args.count, args.seed)
    return 0


def _plays(sub: argparse.ArgumentParser) -> None:
    sub.description = (
        "Plays and ad events of a stretch of time: DIR/plays.ndjson, DIR/ad-events.ndjson and the "
        "answer key in DIR/key. Prints the key's summary as JSON."
    )
    sub.add_argument("--start", type=_moment, required=True, metavar="TIME",
                     help="when it begins, e.g. 2026-03-02 or 2026-03-02T08:00Z (UTC)")  # fmt: skip
    length = sub.add_mutually_exclusive_group(required=True)
    length.add_argument("--days", type=_positive, metavar="D")
    length.add_argument("--hours", type=_positive, metavar="H")
    sub.add_argument("--output", type=Path, required=True, metavar="DIR")
    sub.add_argument("--no-key", dest="key", action="store_false", help="write no answer key")
    _listeners(sub)
    sub.set_defaults(run=_write_plays)


def _write_plays(args: argparse.Namespace) -> int:
    length = args.days * DAY_MS if args.days else args.hours * HOUR_MS
    end_ms = args.start + max(int(length), 1)
    summary = write_run(_settings(args), args.start, end_ms, args.output, key=args.key)
    print(json.dumps(summary))
    return 0


def _listeners(sub: argparse.ArgumentParser) -> None:
    """The flags of everything that emits plays."""
    sub.add_argument("--customers", type=Path, required=True, metavar="FILE")
    sub.add_argument("--tracks", type=Path, required=True, metavar="FILE")
    sub.add_argument("--rate", type=_positive, default=50.0, metavar="R",
                     help="plays a second, averaged over the run (50)")  # fmt: skip
    sub.add_argument("--seed", type=_seed, default=1, metavar="S")
    sub.add_argument("--bursts", type=_share, default=0.01, metavar="SHARE",
                     help="share of plays in bursts of one track (0.01)")  # fmt: skip
    sub.add_argument("--churn", type=_share, default=0.03, metavar="SHARE",
                     help="listeners lost in 30 days (0.03)")  # fmt: skip
    sub.add_argument("--flat", action="store_true", help="every hour alike, no peaks")
    faults = sub.add_argument_group(
        "faults", "each RATE or RATE:SEED; without a seed of its own a fault follows --seed"
    )
    faults.add_argument("--faults", choices=("none", "usual"), default="none",
                        help="the rates to start from: none, or those of a bad day")  # fmt: skip
    for fault in fields(Faults):
        text = f"{fault.metadata['help']} (usual: {fault.metadata['usual']})"
        flag = f"--{fault.name.replace('_', '-')}"
        faults.add_argument(flag, type=_fault, metavar="RATE", help=text)


def _settings(args: argparse.Namespace) -> Settings:
    base = Faults.usual() if args.faults == "usual" else Faults()
    chosen = {f.name: getattr(args, f.name) for f in fields(Faults)}
    faults = base.replaced({name: one for name, one in chosen.items() if one is not None})
    return Settings(args.customers, args.tracks, args.seed, args.rate, args.bursts, args.churn,
                    args.flat, faults)  # fmt: skip


def _count(text: str) -> int:
    return _number(text, int, lambda n: n >= 1, "a whole number from 1 on")


def _seed(text: str) -> int:
    return _number(text, int, lambda n: 0 <= n < 2**63, "a whole number from 0 on")


def _positive(text: str) -> float:
    return _number(text, float, lambda x: 0 < x < 1e9, "a number above 0")


def _share(text: str) -> float:
    return _number(text, float, lambda x: 0 <= x <= 0.9, "a share from 0 to 0.9")


def _fault(text: str) -> Fault:
    rate, colon, seed = text.partition(":")
    return Fault(
        _number(rate, float, lambda x: 0 <= x <= 100, "a RATE or RATE:SEED"),
        _seed(seed) if colon else None,
    )


def _duration(text: str) -> int:
    unit = {"s": 1_000, "m": 60_000, "h": HOUR_MS}.get(text[-1:])
    number = _number(text[:-1] if unit else text, float, lambda x: 0 <= x < 1e9, "a time like 30m")
    return int(number * (unit or 1_000))


def _batch(text: str) -> int:
    return _number(text, int, lambda n: 1 <= n <= 1000, "a whole number from 1 to 1000")


def _connections(text: str) -> int:
    return _number(text, int, lambda n: 1 <= n <= 64, "a whole number from 1 to 64")


def _moment(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return int(at.timestamp() * 1000)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date") from None


def _number(text: str, kind: type[Number], fits: Callable[[Number], bool], wanted: str) -> Number:
    try:
        number = kind(text)
    except ValueError:
        number = None
    if number is None or not fits(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return number
