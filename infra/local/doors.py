"""The Cloud Functions of a demo, each in the functions framework as it runs in the cloud.

Beside them a carrier for text messages, which stands in for the world outside.
"""

import json
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.lesson import models_folder
from infra.local.paths import ROOT
from infra.local.services import HOST, Launch, get, is_open
from infra.local.stack import Stack

KEY_ID = "demo"
ACCOUNT, TOKEN, SENDER = "ACencore", "carrier-token", "+15005550006"
"""Of the simulated carrier; the number is the one that Twilio keeps for tests."""
NAMES = ("carrier", "ingest", "offer", "sms", "board")
TEXTS = "texts.ndjson"
CARRIER_FAULTS = ("--busy", "0.02", "--lost", "0.02")
"""Now and then it is too busy, or takes a message and says that it has not."""


@dataclass(frozen=True)
class Caller:
    """Who may call the doors of this demo: a secret drawn anew for each run."""

    folder: Path
    secret: str = field(default_factory=lambda: secrets.token_hex(24), repr=False)

    @property
    def secret_file(self) -> Path:
        """Where the simulator reads it."""
        return self.folder / "ingest.secret"

    @property
    def keys_file(self) -> Path:
        """Where the functions read it."""
        return self.folder / "ingest-keys.json"

    def write(self) -> None:
        """Leave the secret where the functions and the simulator read it, for this user alone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for file, text in (
            (self.secret_file, self.secret),
            (self.keys_file, json.dumps({KEY_ID: self.secret})),
        ):
            file.touch(mode=0o600)
            file.write_text(text + "\n")


@dataclass(frozen=True)
class Part:
    """A process that listens: its name, its port, and how one knows that it is ready."""

    name: str
    port: int
    launch: Launch
    ready: Callable[[], bool]


def every(stack: Stack, caller: Caller) -> list[Part]:
    """The carrier and the four functions, in the order in which they are started."""
    return [
        _carrier(stack),
        ingest(stack, caller),
        _function(stack, "offer", {**_signed(caller), "REDIS_URL": stack.endpoints.redis}),
        _function(stack, "sms", _sms(stack, caller)),
        _function(stack, "board", _board(stack)),
    ]


def ingest(stack: Stack, caller: Caller, simulated_time: bool = False) -> Part:
    """The function that takes plays and ad events; with `simulated_time` a request says when."""
    settings = {
        "REDIS_URL": stack.endpoints.redis,
        "ENCORE_SIMULATED_TIME": "1" if simulated_time else "0",
    }
    return _function(stack, "ingest", {**_signed(caller), **_publishes(stack), **settings})


def build_board() -> Launch:
    """Builds the page's chart library where it is missing."""
    return Launch([sys.executable, "-m", "functions.board.build"], {"PYTHONPATH": str(ROOT)})


def texts(stack: Stack) -> Path:
    """The carrier's own record of what has arrived, an object a line."""
    return stack.home / "data" / TEXTS


def _signed(caller: Caller) -> dict[str, str]:
    return {"ENCORE_AUTH": "hmac", "ENCORE_KEYS_FILE": str(caller.keys_file)}


def _publishes(stack: Stack) -> dict[str, str]:
    ends = stack.endpoints
    return {
        "ENCORE_PROJECT": ends.project,
        "ENCORE_TOPIC": ends.topic,
        "PUBSUB_EMULATOR_HOST": ends.pubsub,
    }


def _sms(stack: Stack, caller: Caller) -> dict[str, str]:
    return {
        **_signed(caller),
        **_publishes(stack),
        "REDIS_URL": stack.endpoints.redis,
        "TWILIO_ACCOUNT_SID": ACCOUNT,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "TWILIO_FROM": SENDER,
        "TWILIO_API_URL": f"http://{HOST}:{stack.ports.carrier}",
    }


def _board(stack: Stack) -> dict[str, str]:
    return {
        "ELASTICSEARCH_URL": stack.endpoints.elasticsearch,
        "REDIS_URL": stack.endpoints.redis,
        "BOARD_CUSTOMERS": "1",
        "BOARD_MODEL": str(models_folder(stack.home) / "current.json"),
    }


def _function(stack: Stack, name: str, settings: dict[str, str]) -> Part:
    port: int = getattr(stack.ports, name)
    source = ROOT / "functions" / name / "main.py"
    framework = ("-m", "functions_framework", "--source", source, "--target", name)
    listen = ("--host", HOST, "--port", str(port))
    launch = Launch([sys.executable, *framework, *listen], {"PYTHONPATH": str(ROOT), **settings})
    return Part(name, port, launch, lambda: get(port, "/healthz")[0] == 200)


def _carrier(stack: Stack) -> Part:
    port = stack.ports.carrier
    about = ("--port", str(port), "--account", ACCOUNT, "--token", TOKEN)
    program = ("-m", "simulator.carrier", *about, "--record", texts(stack), *CARRIER_FAULTS)
    launch = Launch([sys.executable, *program], {"PYTHONPATH": str(ROOT)})
    return Part("carrier", port, launch, lambda: is_open(port))
