"""The pipeline's next release, for a test: it knows version 2 of a play once a file is there.

A job that is updated in place keeps its state and goes on by new rules; a local runner cannot do
that, so here one process turns from the one release into the other.

    python -m tests.e2e.release FLAGS…      with ENCORE_TEST_UPGRADE naming the file
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from beam_pipeline.domain import events
from beam_pipeline.domain.events import Kind
from beam_pipeline.main import main

UPGRADE = "ENCORE_TEST_UPGRADE"


class Rules(dict[tuple[str, str], Kind]):
    """The rules of every version, and of version 2 once `upgrade` exists."""

    def __init__(self, upgrade: Path) -> None:
        super().__init__(events.SCHEMAS)
        self._upgrade = upgrade

    def get(self, key: Any, default: Any = None) -> Any:
        """As a dict does."""
        if key == ("play", "2") and self._upgrade.exists():
            return events.PLAY
        return super().get(key, default)


if __name__ == "__main__":
    events.SCHEMAS = Rules(Path(os.environ[UPGRADE]))
    raise SystemExit(main(sys.argv[1:]))
