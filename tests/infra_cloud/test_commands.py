"""What the scripts ask of gcloud and bq: right, made once, taken away again, without secrets."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.infra_cloud.recording import PROJECT, SENTINEL, Bench, Recording

Recordings = dict[str, Recording]

CREATES = {"create", "deploy", "connect", "mk"}
DELETES = {"delete", "rm"}
KEPT_WITHOUT_DELETE_DATA = {
    f"storage gs://{PROJECT}-encore-models",
    f"storage gs://{PROJECT}-encore-data",
    f"storage gs://{PROJECT}-encore-backups",
    f"bq {PROJECT}:encore",
    "pubsub subscriptions events-pipeline",
    "pubsub topics events",
    *(
        f"secrets encore-{name}"
        for name in (
            "redis-url",
            "es-api-key",
            "es-board-key",
            "ingest-keys",
            "offer-keys",
            "twilio-auth-token",
        )
    ),
}
# Things of which there may be several are found by a list, and are named by what it answers.
LISTED = {
    "beta monitoring channels": "beta monitoring channels projects/p/notificationChannels/1",
    "alpha monitoring policies": "alpha monitoring policies projects/p/alertPolicies/1",
    "billing budgets": "billing budgets billingAccounts/A/budgets/1",
    "monitoring dashboards": "monitoring dashboards encore",
    "services vpc-peerings": "services vpc-peerings",
}


def thing(command: list[str], verbs: set[str]) -> str | None:
    """What a command makes or takes away, as group and name; None when it does neither."""
    words = [word for word in command if not word.startswith("-")]
    if words[0] == "bq":
        return f"bq {words[-1]}" if verbs & set(words[1:2]) and "--dataset" in command else None
    found = [number for number, word in enumerate(words) if word in verbs]
    if not found:
        return None
    group, rest = words[1 : found[0]], words[found[0] + 1 :]
    if group in (["dataflow", "flex-template"], ["ai", "custom-jobs"], ["secrets", "versions"]):
        return None
    if group == ["storage"] or group == ["storage", "buckets"]:
        return f"storage {rest[0]}"
    listed = LISTED.get(" ".join(group))
    if listed:
        return listed
    if group == ["scheduler", "jobs"] and rest[0] == "http":
        rest = rest[1:]
    if group == ["iam", "service-accounts"]:
        rest = [rest[0].partition("@")[0]]
    return " ".join([*group, rest[0]])


def things(recording: Recording, verbs: set[str]) -> set[str]:
    """Everything that a run makes or takes away."""
    found = {thing(command, verbs) for command in recording.commands}
    return {each for each in found if each}


def bindings(recording: Recording, verb: str) -> set[tuple[str, str, str]]:
    """Member, role and condition of the bindings of the whole project."""
    found = set()
    for command in recording.commands:
        if command[1:3] == ["projects", verb]:
            flags = dict(word.split("=", 1) for word in command if "=" in word)
            found.add((flags["--member"], flags["--role"], flags["--condition"]))
    return found


@pytest.mark.slow
def test_gcloud_knows_every_command(recordings: Recordings, tmp_path: Path) -> None:
    wanted = sorted(
        {
            shlex.join(command)
            for recording in recordings.values()
            for command in recording.commands
            if command[0] == "gcloud"
        }
    )
    assert len(wanted) > 250
    file = tmp_path / "commands.json"
    numbered = [{"command_string": text, "id": number} for number, text in enumerate(wanted)]
    file.write_text(json.dumps(numbered))
    done = subprocess.run(
        ["gcloud", "meta", "lint-gcloud-commands", f"--commands-file={file}", "--serialize"],
        env=os.environ | {"CLOUDSDK_CONFIG": str(tmp_path / "gcloud")},
        capture_output=True,
        text=True,
        check=True,
    )
    verdicts = [verdict for each in json.loads(done.stdout).values() for verdict in each]
    assert len(verdicts) == len(wanted)
    wrong = [
        f"{verdict['command_string']}: {verdict['error_message']}"
        for verdict in verdicts
        if not verdict["success"]
    ]
    assert wrong == []


def test_no_call_switches_on_more_apis_than_google_takes(recordings: Recordings) -> None:
    calls = [
        [word for word in command if word.endswith(".googleapis.com")]
        for command in recordings["deploy nothing"].commands
        if command[1:3] == ["services", "enable"]
    ]
    assert [len(call) <= 20 for call in calls] == [True, True]
    assert len({api for call in calls for api in call}) == sum(map(len, calls)) > 20


def test_what_is_there_is_not_made_again(recordings: Recordings) -> None:
    for name in ("deploy all", "deploy all, trial"):
        again = things(recordings[name], {"create", "connect", "mk"})
        assert again == {"monitoring dashboards encore"}, name
        deleted = things(recordings[name], DELETES)
        assert deleted == {"monitoring dashboards encore"}, name


def test_everything_that_deploy_makes_teardown_takes_away(recordings: Recordings) -> None:
    on_demand = set().union(
        *(things(recordings[name], CREATES) for name in ("backfill", "backup", "restore"))
    )
    for trial in ("", ", trial"):
        made = things(recordings[f"deploy nothing{trial}"], CREATES) | on_demand
        gone = things(recordings[f"teardown all, data{trial}"], DELETES)
        assert len(made) > 50
        assert made - gone == set()


def test_data_stays_unless_it_is_said_that_it_may_go(recordings: Recordings) -> None:
    all_of_it = things(recordings["teardown all, data"], DELETES)
    without = things(recordings["teardown all"], DELETES)
    assert all_of_it - without == KEPT_WITHOUT_DELETE_DATA
    exports = [line for line in recordings["teardown all"].lines() if "instances export" in line]
    assert len(exports) == 1


def test_teardown_takes_its_time_backwards(recordings: Recordings) -> None:
    lines = recordings["teardown all, data"].lines()

    def first(start: str) -> int:
        return next(number for number, line in enumerate(lines) if line.startswith(start))

    order = [
        "gcloud scheduler jobs delete",
        "gcloud functions delete encore-ingest",
        "gcloud dataflow jobs drain",
        "gcloud redis instances delete",
        "gcloud pubsub subscriptions delete",
        "gcloud iam service-accounts delete",
        "gcloud compute networks delete",
    ]
    places = [first(start) for start in order]
    assert places == sorted(places)


def test_teardown_of_nothing_deletes_nothing(recordings: Recordings) -> None:
    assert things(recordings["teardown nothing"], DELETES) == set()


def test_teardown_without_an_answer_deletes_nothing(bench: Bench) -> None:
    asked = bench.run("all", "teardown.sh", "--delete-data")
    assert asked.code == 2
    assert asked.err.splitlines()[-1] == "Nothing was deleted."
    assert asked.commands == []


def test_roles_for_the_whole_project_are_few_and_taken_back(recordings: Recordings) -> None:
    for trial in ("", ", trial"):
        given = bindings(recordings[f"deploy nothing{trial}"], "add-iam-policy-binding")
        taken = bindings(recordings[f"teardown all, data{trial}"], "remove-iam-policy-binding")
        assert given == taken
        roles = {role.removeprefix("roles/") for _, role, _ in given}
        assert not roles & {"owner", "editor", "viewer"}
        assert not {role for role in roles if role.lower().endswith("admin")}


def test_nobody_is_let_in_from_everywhere_but_where_a_signature_is_asked_for(
    recordings: Recordings, bench: Bench
) -> None:
    def openly(recording: Recording) -> set[str]:
        return {
            command[3]
            for command in recording.commands
            if command[1:3] == ["functions", "deploy"] and "--allow-unauthenticated" in command
        }

    assert openly(recordings["deploy all"]) <= {"encore-ingest", "encore-offer", "encore-sms"}
    locked = bench.run(
        "all", "deploy.sh", "--only=12", ENCORE_INGEST_AUTH="iam", ENCORE_OFFER_AUTH="iam"
    )
    assert openly(locked) <= {"encore-sms"}
    members = [line for line in recordings["deploy all"].lines() if "allUsers" in line]
    assert members == []


def test_no_secret_is_on_a_command_line_or_in_what_is_said(recordings: Recordings) -> None:
    for name, recording in recordings.items():
        text = "\n".join([*recording.lines(), recording.out, recording.err])
        assert SENTINEL not in text, name


def test_functions_read_their_secrets_at_a_version(recordings: Recordings) -> None:
    deploys = [
        word
        for recording in recordings.values()
        for command in recording.commands
        for word in command
        if word.startswith("--set-secrets=")
    ]
    assert deploys
    for word in deploys:
        for each in word.removeprefix("--set-secrets=").split(","):
            assert re.fullmatch(r"[A-Z_]+=encore-[a-z-]+:\d+", each), each


def test_everything_that_can_have_labels_has_them(recordings: Recordings) -> None:
    labelled = ("pubsub topics", "pubsub subscriptions", "redis instances", "secrets", "functions")
    for command in recordings["deploy nothing"].commands:
        made = thing(command, {"create", "deploy"}) or ""
        if made.startswith(labelled):
            text = " ".join(command)
            assert "labels=app=encore,env=prod" in text, text
    buckets = [line for line in recordings["deploy nothing"].lines() if "buckets update" in line]
    assert len(buckets) == 4
    assert all("--update-labels=app=encore,env=prod" in line for line in buckets)


def test_workers_and_machines_have_no_public_address(recordings: Recordings) -> None:
    for recording in recordings.values():
        for line in recording.lines():
            if line.startswith("gcloud dataflow flex-template run"):
                assert "--disable-public-ips" in line
            if re.match(r"gcloud (compute instances|dataproc clusters) create", line):
                assert "--no-address" in line


def test_a_running_stream_is_updated_and_only_replaced_when_told(recordings: Recordings) -> None:
    def dataflow(name: str) -> list[str]:
        return [line for line in recordings[name].lines() if line.startswith("gcloud dataflow")]

    first = [line for line in dataflow("deploy nothing") if " run " in line]
    assert len(first) == 1
    assert "replay=progress" in first[0]
    assert "--update" not in first[0].split()
    update = [line for line in dataflow("deploy all") if " run " in line]
    assert len(update) == 1
    assert "replay=none" in update[0]
    assert "--update" in update[0].split()
    assert not [line for line in dataflow("deploy all") if " drain " in line]
    replaced = dataflow("deploy all, replace")
    drained = next(n for n, line in enumerate(replaced) if " drain " in line)
    started = next(n for n, line in enumerate(replaced) if " run " in line)
    assert drained < started
    assert "replay=progress" in replaced[started]
