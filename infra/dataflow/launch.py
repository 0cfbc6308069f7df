"""What a Flex Template starts: `--entry=stream` the pipeline, `--entry=daily` the daily run.

One image serves both, and a template names one file; everything but `--entry` is handed on.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

ENTRIES = {"stream": "beam_pipeline.main", "daily": "beam_pipeline.daily"}
FLAG = "--entry="


def main(arguments: Sequence[str]) -> int:
    """Start what `--entry` names; 2 when it names nothing that there is."""
    chosen = [word.removeprefix(FLAG) for word in arguments if word.startswith(FLAG)]
    if len(chosen) != 1 or chosen[0] not in ENTRIES:
        print(f"Give one {FLAG}{'|'.join(ENTRIES)}", file=sys.stderr)  # noqa: T201
        return 2
    module = importlib.import_module(ENTRIES[chosen[0]])
    code: int = module.main([word for word in arguments if not word.startswith(FLAG)])
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
