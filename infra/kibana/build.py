"""Builds `encore.ndjson`, the file that Kibana imports, from the board's catalogue.

python -m infra.kibana.build [--check]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from functions.board.catalogue import load
from infra.kibana.dashboards import objects

OUTPUT = Path(__file__).parent / "encore.ndjson"


def content() -> str:
    """The file, one saved object a line."""
    return "".join(json.dumps(found, ensure_ascii=False) + "\n" for found in objects(load()))


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file, or say whether it is what the catalogue makes."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.kibana.build",
        description="Builds infra/kibana/encore.ndjson from the board's catalogue.",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when stale")
    asked = parser.parse_args(arguments)
    built = content()
    if asked.check:
        fresh = OUTPUT.exists() and OUTPUT.read_text() == built
        if not fresh:
            sys.stderr.write(f"{OUTPUT} is stale: run python -m infra.kibana.build\n")
        return 0 if fresh else 1
    OUTPUT.write_text(built)
    sys.stdout.write(f"{OUTPUT}: {built.count(chr(10))} objects, {len(built.encode())} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
