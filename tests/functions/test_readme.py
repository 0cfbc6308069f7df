"""README's examples of calling the doors do, as they stand there, what stands below them."""

from __future__ import annotations

import re
import subprocess

from infra.local.stack import Stack
from tests.functions.process import KEYS, ROOT, Function

KEY = "key-two"
ANSWER = "#> "


def example() -> str:
    """The shell block of the section."""
    section = (ROOT / "README.md").read_text().split("\n## The doors\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    return str(block)


def test_the_examples_of_the_doors_answer_as_printed(
    stack: Stack, ingest: Function, offer: Function
) -> None:
    printed = example()
    script = printed
    for there, here in (
        ("KEY=demo", f"KEY={KEY}"),
        ("$(cat .local/demo/config/ingest.secret)", f"'{KEYS[KEY]}'"),
        ("http://127.0.0.1:8080", ingest.url),
        ("http://127.0.0.1:8081", offer.url),
    ):
        assert there in script
        script = script.replace(there, here)
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    expected = [
        line.removeprefix(ANSWER) for line in printed.splitlines() if line.startswith(ANSWER)
    ]
    assert len(expected) == 4
    assert done.stdout.splitlines() == expected
