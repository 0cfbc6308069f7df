"""`python -m beam_pipeline.training.rollback`: the model that was live before is live again."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NoReturn

from beam_pipeline.domain.score import InvalidModel
from beam_pipeline.edges.objects import Conflict, Unreachable, open_objects
from beam_pipeline.training.errors import BadInput
from beam_pipeline.training.registry import NotPromotable, Registry

ABOUT = """Make the model that was live before the present one live again; running pipelines take
it up within a minute. Exit codes: 0 done, 2 there is nothing to go back to or it cannot be used."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[0].upper()}{message[1:]}")


def main(arguments: Sequence[str], now: datetime) -> int:
    """Roll back as the command line says; the exit code."""
    top = _Parser(prog="python -m beam_pipeline.training.rollback", description=ABOUT)
    top.add_argument("--models", required=True, metavar="PLACE",
                     help="a folder, or gs://BUCKET/PREFIX")  # fmt: skip
    top.add_argument("--to", metavar="VERSION", help="an earlier live version (the last before)")
    try:
        args = top.parse_args(arguments)
        pointer = Registry(open_objects(args.models)).rollback(now, args.to)
    except (BadInput, Conflict, InvalidModel, NotPromotable, Unreachable) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{pointer.live.version} is live\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], datetime.now(UTC)))
