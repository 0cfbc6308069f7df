"""Checks JSON against the messages of Google's own API clients, which come with gcloud.

Standard library alone, run by the Python that gcloud runs on: reads a list of
`{"api", "version", "message", "value"}` on standard input, prints a list of complaints.
"""

import importlib
import json
import sys
from pathlib import Path

SDK = Path(sys.argv[1])
sys.path[:0] = [str(SDK / "lib"), str(SDK / "lib" / "third_party")]

from apitools.base.protorpclite import messages  # noqa: E402
from apitools.base.py import encoding  # noqa: E402


def unknown(message: messages.Message, where: str) -> list[str]:
    """Fields and values that a message did not know, anywhere in it."""
    found = [f"{where}: {name}" for name in message.all_unrecognized_fields()]
    for field in message.all_fields():
        value = message.get_assigned_value(field.name)
        if "additionalProperties" in field.name:
            continue
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, messages.Message):
                found += unknown(each, f"{where}.{field.name}")
    return found


def complaints(check: dict) -> list[str]:
    """What is wrong with one value; nothing for a good one."""
    api, version, name = check["api"], check["version"], check["message"]
    module = importlib.import_module(
        f"googlecloudsdk.generated_clients.apis.{api}.{version}.{api}_{version}_messages"
    )
    try:
        message = encoding.JsonToMessage(getattr(module, name), json.dumps(check["value"]))
    except (messages.ValidationError, ValueError, TypeError) as error:
        return [f"{name}: {error}"]
    maps = ("additionalProperties",)
    return [each for each in unknown(message, name) if not each.endswith(maps)]


print(json.dumps([each for check in json.load(sys.stdin) for each in complaints(check)]))
