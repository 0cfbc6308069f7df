"""What 12-functions.sh gives each function is what the function's code asks its environment for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest

import functions.board.settings
import functions.ingest.settings
import functions.offer.settings
import functions.sms.settings
from functions.shared.environment import SettingsError
from tests.infra_cloud.recording import INFRA, PROJECT, Bench, Recording

READERS: dict[str, Callable[[Mapping[str, str]], object]] = {
    "ingest": functions.ingest.settings.Settings.read,
    "offer": functions.offer.settings.Settings.read,
    "sms": functions.sms.settings.Settings.read,
    "board": functions.board.settings.Settings.read,
}
KEYS = '{"key-1": "a secret of more than sixteen"}'


class Asked(Mapping[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def deployed(recording: Recording) -> dict[str, dict[str, str]]:
    """The environment of each function, secrets by a stand-in for their value."""
    found = {}
    for command in recording.commands:
        if command[1:3] != ["functions", "deploy"]:
            continue
        flags = dict(word.split("=", 1) for word in command if word.startswith("--set-"))
        plain = dict(each.split("=", 1) for each in flags["--set-env-vars"].split(","))
        secret = dict(each.split("=", 1) for each in flags["--set-secrets"].split(","))
        assert not set(plain) & set(secret)
        values = {name: KEYS if name == "ENCORE_KEYS" else of for name, of in secret.items()}
        found[command[3].removeprefix("encore-")] = plain | values
    return found


@pytest.fixture(params=["hmac", "iam"])
def environments(request: pytest.FixtureRequest, bench: Bench) -> dict[str, dict[str, str]]:
    mode = request.param
    run = bench.run(
        "all", "deploy.sh", "--only=12", ENCORE_INGEST_AUTH=mode, ENCORE_OFFER_AUTH=mode
    )
    assert run.code == 0, run.err
    return deployed(run)


def test_every_function_opens_with_what_it_is_given(
    environments: dict[str, dict[str, str]],
) -> None:
    assert set(environments) == set(READERS)
    for name, environment in environments.items():
        asked = Asked(environment)
        READERS[name](asked)
        unread = {"ENCORE_KEYS"} if environment.get("ENCORE_AUTH") == "iam" else set()
        assert set(environment) - asked.names == unread, name


def test_the_sms_function_sends_for_the_scheduler_alone_and_the_board_knows_its_stores(
    environments: dict[str, dict[str, str]],
) -> None:
    sms = environments["sms"]
    assert sms["ENCORE_AUTH"] == "oidc"
    assert sms["ENCORE_SCHEDULER_ACCOUNT"] == (
        f"encore-scheduler@{PROJECT}.iam.gserviceaccount.com"
    )
    assert {"ELASTICSEARCH_URL", "ELASTICSEARCH_API_KEY", "REDIS_URL"} <= set(environments["board"])
    assert environments["board"]["BOARD_MODEL"] == (
        f"gs://{PROJECT}-encore-models/models/current.json"
    )
    assert all("REDIS_URL" in each for each in environments.values())


def test_a_function_without_one_of_its_values_does_not_open(
    environments: dict[str, dict[str, str]],
) -> None:
    for name, secret in (("offer", "REDIS_URL"), ("sms", "TWILIO_AUTH_TOKEN")):
        less = {key: value for key, value in environments[name].items() if key != secret}
        with pytest.raises(SettingsError, match=f"{secret} is not set"):
            READERS[name](less)


def test_the_scheduler_calls_under_the_address_that_sms_takes_for_its_own(bench: Bench) -> None:
    run = bench.run("all", "deploy.sh", "--only=14")
    (job,) = [each for each in run.commands if "encore-sms" in each and "update" in each]
    flags = dict(word.split("=", 1) for word in job if word.startswith("--"))
    assert flags["--oidc-token-audience"] == "https://encore-sms.example"
    assert flags["--uri"] == "https://encore-sms.example/v1/send"
    assert "https://{request.host}" in (INFRA.parent / "functions/sms/scheduler.py").read_text()
