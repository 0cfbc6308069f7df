"""What the image starts: `--entry=stream`, `--entry=daily` or `--entry=reference` (the loader).

One image serves all and a Flex Template names one file. Everything but `--entry` is handed on,
references of secrets too: they are resolved where a client is opened.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

ENTRIES = {
    "stream": "beam_pipeline.main",
    "daily": "beam_pipeline.daily",
    "reference": "beam_pipeline.reference",
}
FLAG = "--entry="


def has(arguments: Sequence[str], flag: str) -> bool:
    """Whether a flag with a value is on a command line."""
    return any(word == flag or word.startswith(f"{flag}=") for word in arguments)


def daily(arguments: Sequence[str], now: datetime) -> list[str]:
    """The daily run's command line: yesterday (UTC) where no day is named, since the body of a
    schedule is fixed; and a template's launcher, which has no job to wait for, does not wait."""
    words = list(arguments)
    if not has(words, "--day"):
        words.append(f"--day={now.astimezone(UTC).date() - timedelta(days=1)}")
    if has(words, "--template_location"):
        words.append("--no_wait_until_finish")
    return words


def main(arguments: Sequence[str], now: datetime) -> int:
    """Start what `--entry` names; 2 when it names nothing that there is."""
    chosen = [word.removeprefix(FLAG) for word in arguments if word.startswith(FLAG)]
    if len(chosen) != 1 or chosen[0] not in ENTRIES:
        print(f"Give one {FLAG}{'|'.join(ENTRIES)}", file=sys.stderr)  # noqa: T201
        return 2
    words = [word for word in arguments if not word.startswith(FLAG)]
    start = importlib.import_module(ENTRIES[chosen[0]]).main
    code: int = start(daily(words, now), now) if chosen[0] == "daily" else start(words)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], datetime.now(UTC)))
