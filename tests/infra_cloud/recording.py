"""Running the scripts of infra/ with a gcloud and bq that only write down what they are asked."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
SHIM = Path(__file__).parent / "shim"
PROJECT = "project-of-the-tests"
SENTINEL = "SECRET-"
"""What every secret value of these tests begins with."""

SETTINGS = {
    "ENCORE_PROJECT": PROJECT,
    "ENCORE_REGION": "us-central1",
    "ENCORE_BILLING_ACCOUNT": "AAAAAA-BBBBBB-CCCCCC",
    "ENCORE_BUDGET": "1000USD",
    "ENCORE_ALERT_EMAIL": "someone@example.com",
    "ENCORE_ES_MODE": "cloud",
    "ENCORE_ES_URL": "https://elastic.example:443",
    "ENCORE_BOARD_VIEWERS": '"user:one@example.com group:two@example.com"',
    "TWILIO_ACCOUNT_SID": "AC0",
    "TWILIO_FROM": "+15005550006",
    "ENCORE_CUSTOMERS": "gs://elsewhere/customers.csv",
    "ENCORE_TRACKS": "gs://elsewhere/tracks.csv",
    "ENCORE_IMAGE_TAG": "tested",
    "ENCORE_PYTHON": sys.executable,
}
SECRET_FILES = ("es-api-key", "es-board-key", "twilio-auth-token")


@dataclass(frozen=True)
class Recording:
    """What a run of scripts asked of gcloud and bq, and what it said."""

    commands: list[list[str]]
    out: str
    err: str
    code: int

    def lines(self) -> list[str]:
        """Every command as one line of words."""
        return [" ".join(command) for command in self.commands]


class Bench:
    """A folder with settings and secrets, from which scripts are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        secrets = folder / "secrets"
        secrets.mkdir()
        for name in SECRET_FILES:
            (secrets / name).write_text(f"{SENTINEL}{name}")

    def settings(self, changes: Mapping[str, str]) -> Path:
        """A file of settings, with some of them changed."""
        values = {**SETTINGS, "ENCORE_SECRETS_DIR": str(self.folder / "secrets"), **changes}
        file = self.folder / "settings.env"
        file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        return file

    def run(self, world: str, script: str, *arguments: str, **changes: str) -> Recording:
        """Run a script in a world of `nothing` or `all`; `changes` are settings."""
        log = self.folder / "commands"
        log.unlink(missing_ok=True)
        done = subprocess.run(
            [INFRA / script, *arguments],
            env=self.environment(world, log, self.settings(changes)),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        text = log.read_text() if log.exists() else ""
        commands = [each.split("\x1f")[:-1] for each in text.split("\x1e") if each]
        return Recording(commands, done.stdout, done.stderr, done.returncode)

    def environment(self, world: str, log: Path, settings: Path) -> dict[str, str]:
        """The environment with the shim first on PATH."""
        kept = {name: os.environ[name] for name in ("HOME", "LANG") if name in os.environ}
        return kept | {
            "PATH": f"{SHIM}:{os.environ['PATH']}",
            "SHIM_LOG": str(log),
            "SHIM_WORLD": world,
            "ENCORE_SETTINGS": str(settings),
            "ENCORE_BUILD": str(self.folder / "build"),
            "ENCORE_POLL": "0.01",
        }
