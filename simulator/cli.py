"""The command line: customers, tracks, plays, http, import."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NoReturn

from simulator import flags
from simulator.catalogue import write_catalogue
from simulator.errors import UsageError
from simulator.faults import Fault
from simulator.files import write_run
from simulator.live import FOREVER_S, LONGEST_BACKLOG_MS, Sending, post_run
from simulator.old_log import import_log
from simulator.people import write_people
from simulator.places import Places
from simulator.requests import WITHIN_MS
from simulator.rules import DAY_MS, HOUR_MS

ABOUT = """Seeded listeners of an invented streaming site: reference data, plays and ad events with
faults, to files or to the ingest function, and beside every run an answer key of what the stores
must hold."""

USUAL_CUTS = 0.01


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
    real.add_argument("--backlog", type=flags.duration, default=0, metavar="1h",
                      help="plays of the time before now, posted first (at most 110m)")  # fmt: skip
    real.add_argument("--live", action="store_true", help="go on live")
    real.add_argument("--for", dest="live_s", type=flags.positive, metavar="S",
                      help="live for so many seconds (until stopped)")  # fmt: skip
    real.add_argument("--offer-url", metavar="URL",
                      help="of the offer function: listeners ask it as they log in, and click "
                      "and upgrade by the flags of offers below")  # fmt: skip
    real.add_argument("--history", type=Path, metavar="DIR",
                      help="an earlier run's answer key, as their past")  # fmt: skip
    simulated = sub.add_argument_group("simulated time")
    simulated.add_argument("--simulated", action="store_true")
    simulated.add_argument("--start", type=flags.moment, metavar="TIME")
    simulated.add_argument("--hours", type=flags.positive, metavar="H")
    simulated.add_argument("--days", type=flags.positive, metavar="D")
    simulated.add_argument("--within", type=flags.within, default=WITHIN_MS, metavar="1m",
                           help="a request, published at one moment, holds the events of so long "
                           "a time (1m; at most 4m)")  # fmt: skip
    sub.add_argument("--batch", type=flags.batch, default=200, metavar="N",
                     help="events a request, 1 to 1000 (200)")  # fmt: skip
    sub.add_argument("--connections", type=flags.connections, default=4, metavar="N")
    sub.add_argument("--cut", type=flags.fault, metavar="RATE",
                     help="requests that first break off midway (usual: 0.01)")  # fmt: skip
    sub.add_argument("--patience", type=flags.positive, default=120.0, metavar="S",
                     help="give up when a request finds no answer for so long (120)")  # fmt: skip
    sub.add_argument("--status", type=Path, metavar="FILE",
                     help="where the run stands, one JSON line, replaced every second")  # fmt: skip
    sub.add_argument("--key", type=Path, metavar="DIR", help="an empty folder for the answer key")
    flags.listeners(sub, offers=0.0)
    sub.set_defaults(run=_post)


def _post(args: argparse.Namespace) -> int:
    sending = _sending(args)
    summary = post_run(flags.settings(args, sending.span_ms), sending)
    print(json.dumps(summary))
    if summary["refused"]:
        print(summary["refused"], file=sys.stderr)
        return 1
    return 0


def _sending(args: argparse.Namespace) -> Sending:
    if (args.key_id is None) != (args.secret_file is None):
        raise UsageError("--key-id and --secret-file belong together.")
    span_ms = _simulated_span(args) if args.simulated else _real_span(args)
    cut = args.cut or Fault(USUAL_CUTS if args.faults == "usual" else 0.0)
    return Sending(
        url=args.url,
        key_id=args.key_id,
        secret_file=args.secret_file,
        span_ms=span_ms,
        open_ended=args.live and args.live_s is None,
        simulated=args.simulated,
        batch=args.batch,
        within_ms=args.within,
        connections=args.connections,
        patience_s=args.patience,
        cut=cut,
        offer_url=args.offer_url,
        history=args.history,
        status=args.status,
        key=args.key,
    )


def _simulated_span(args: argparse.Namespace) -> tuple[int, int]:
    if args.backlog or args.live or args.live_s or args.offer_url:
        raise UsageError("--simulated has no --backlog, --live, --for or --offer-url.")
    if args.start is None or (args.hours is None) == (args.days is None):
        raise UsageError("--simulated needs --start, and either --hours or --days.")
    length = args.days * DAY_MS if args.days else args.hours * HOUR_MS
    return args.start, args.start + max(1, int(length))


def _real_span(args: argparse.Namespace) -> tuple[int, int]:
    if args.start is not None or args.hours is not None or args.days is not None:
        raise UsageError("--start, --hours and --days belong to --simulated.")
    if args.backlog > LONGEST_BACKLOG_MS:
        raise UsageError("--backlog is at most 110m: plays older than two hours are too late.")
    live = args.live or args.live_s is not None
    if not live and not args.backlog:
        raise UsageError("Say what to post: --backlog, --live or --simulated.")
    now = int(time.time() * 1000)
    length = int((args.live_s or FOREVER_S) * 1000) if live else 0
    return now - args.backlog, now + length


def _customers(sub: argparse.ArgumentParser) -> None:
    sub.description = "Customers with the original headers, and Age, Phone, SmsConsent."
    sub.add_argument("--count", type=flags.count, required=True, metavar="N")
    sub.add_argument("--seed", type=flags.seed, default=1, metavar="S")
    sub.add_argument("--as-of", type=flags.day, default=date(2026, 1, 1), metavar="DATE",
                     help="the day they stand at; one in twenty signs up in the 90 days after it "
                     "(2026-01-01)")  # fmt: skip
    sub.add_argument("--output", type=Path, required=True, metavar="FILE")
    sub.set_defaults(run=_write_customers)


def _write_customers(args: argparse.Namespace) -> int:
    write_people(args.output, args.count, args.seed, args.as_of, Places.load())
    return 0


def _tracks(sub: argparse.ArgumentParser) -> None:
    sub.description = "A catalogue of invented tracks with the original headers."
    sub.add_argument("--count", type=flags.count, required=True, metavar="N")
    sub.add_argument("--seed", type=flags.seed, default=1, metavar="S")
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
    sub.add_argument("--start", type=flags.moment, required=True, metavar="TIME",
                     help="when it begins, e.g. 2026-03-02 or 2026-03-02T08:00Z (UTC)")  # fmt: skip
    length = sub.add_mutually_exclusive_group(required=True)
    length.add_argument("--days", type=flags.positive, metavar="D")
    length.add_argument("--hours", type=flags.positive, metavar="H")
    sub.add_argument("--output", type=Path, required=True, metavar="DIR")
    sub.add_argument("--no-key", dest="key", action="store_false", help="write no answer key")
    flags.listeners(sub, offers=0.05)
    sub.set_defaults(run=_write_plays)


def _write_plays(args: argparse.Namespace) -> int:
    length = args.days * DAY_MS if args.days else args.hours * HOUR_MS
    span = (args.start, args.start + max(int(length), 1))
    summary = write_run(flags.settings(args, span), span, args.output, key=args.key)
    print(json.dumps(summary))
    return 0
