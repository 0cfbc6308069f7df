"""The scripts as a stranger meets them: help, mistakes, the plan, settings; and shellcheck."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.infra_cloud.recording import INFRA, PROJECT, ROOT, SENTINEL, SHIM, Bench, Recording
from tests.infra_cloud.test_commands import CREATES, things

LIBRARIES = {"lib.sh", "names.sh", "stage.sh", "jobs.sh"}
BOOT = {"elastic-vm.sh"}
SCRIPTS = sorted(file.name for file in INFRA.glob("*.sh") if file.name not in LIBRARIES | BOOT)


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_says_what_it_does(script: str, bench: Bench) -> None:
    told = bench.run("nothing", script, "--help")
    assert told.code == 0
    first, blank, *rest = told.out.splitlines()
    assert first.startswith(script)
    assert blank == ""
    assert len(" ".join(rest)) > 80
    assert told.commands == []


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_flag_that_there_is_not_is_one_sentence_and_exit_2(script: str, bench: Bench) -> None:
    told = bench.run("nothing", script, "--nonsense")
    assert told.code == 2
    assert told.err == f"{script} does not know --nonsense; see {script} --help.\n"
    assert told.commands == []


def test_missing_settings_are_one_sentence_and_exit_2(bench: Bench) -> None:
    settings = bench.settings({"ENCORE_PROJECT": ""})
    told = bench.run("nothing", "01-apis.sh", ENCORE_PROJECT="")
    assert (told.code, told.err) == (2, f"ENCORE_PROJECT is empty in {settings}.\n")
    settings.unlink()
    environment = bench.environment("nothing", bench.folder / "log", settings)
    done = subprocess.run(
        [INFRA / "deploy.sh"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"There is no {settings}: copy infra/settings.example.env")


@pytest.mark.parametrize(
    ("script", "arguments", "sentence"),
    [
        ("daily.sh", (), "Give the day: daily.sh --day=YYYY-MM-DD."),
        ("daily.sh", ("--day=today",), "Give the day: daily.sh --day=YYYY-MM-DD."),
        ("train.sh", ("--trainer=magic",), "--trainer is sklearn or mllib, not magic."),
        ("backfill.sh", (), "Give files: backfill.sh --plays=gs://BUCKET/plays.ndjson."),
        ("restore.sh", (), "Say what to restore; see restore.sh --help."),
    ],
)
def test_what_is_missing_is_said(
    script: str, arguments: tuple[str, ...], sentence: str, bench: Bench
) -> None:
    told = bench.run("all", script, *arguments)
    assert (told.code, told.err.splitlines()[-1]) == (2, sentence)
    assert told.commands == []


def test_a_dry_run_prints_the_plan_and_asks_nothing(bench: Bench) -> None:
    plan = bench.run("nothing", "deploy.sh", "--dry-run")
    assert plan.code == 0, plan.err
    assert plan.commands == []
    assert SENTINEL not in plan.out + plan.err
    lines = plan.out.splitlines()
    assert all(line.startswith(("gcloud ", "bq ")) for line in lines)
    real = bench.run("nothing", "deploy.sh")
    planned = Recording([shlex.split(line) for line in lines], "", "", 0)
    assert things(planned, CREATES) == things(real, CREATES)


def test_teardown_can_be_looked_at_first(bench: Bench) -> None:
    plan = bench.run("all", "teardown.sh", "--delete-data", "--dry-run")
    assert plan.code == 0, plan.err
    assert plan.commands == []
    assert "gcloud compute networks delete encore" in plan.out


def test_deploy_goes_on_where_it_is_told(bench: Bench) -> None:
    plan = bench.run("nothing", "deploy.sh", "--dry-run", "--from=14")
    headings = re.findall(r"^── (\S+)", plan.err, re.MULTILINE)
    assert headings == ["14-schedules.sh", "15-monitoring.sh", "16-budget.sh"]


def test_trouble_that_is_not_absence_stops_the_script(bench: Bench, tmp_path: Path) -> None:
    broken = tmp_path / "gcloud"
    broken.write_text("#!/bin/sh\necho 'ERROR: the network is unreachable' >&2\nexit 1\n")
    broken.chmod(0o755)
    environment = bench.environment("nothing", tmp_path / "log", bench.settings({}))
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    done = subprocess.run(
        [INFRA / "05-pubsub.sh"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Cannot tell whether it is there (gcloud pubsub topics describe")


def library(bench: Bench, script: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run some lines of bash with lib.sh sourced and the settings read."""
    environment = bench.environment("all", bench.folder / "library-log", bench.settings({}))
    text = f'source "{INFRA}/lib.sh"\nbegin\n{script}\n'
    return subprocess.run(
        ["bash", "-c", text],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_secret_that_has_not_changed_gets_no_new_version(bench: Bench) -> None:
    same = library(bench, "put_secret encore-redis-url", "SECRET-older-value")
    assert (same.returncode, same.stderr) == (0, "  is current: secret encore-redis-url\n")
    other = library(bench, "put_secret encore-redis-url", "SECRET-newer-value")
    assert other.returncode == 0
    assert "versions add encore-redis-url" in other.stderr


def test_what_was_just_made_is_waited_for_until_google_knows_it(bench: Bench) -> None:
    counter = bench.folder / "tries"
    counter.unlink(missing_ok=True)
    late = (
        f'late() {{ echo x >>"{counter}"; (($(wc -l <"{counter}") > 2)) || '
        '{ echo "ERROR: Service account a@b does not exist." >&2; return 1; }; }\n'
    )
    told = library(bench, late + "grant late")
    assert (told.returncode, counter.read_text()) == (0, "x\n" * 3)
    assert told.stderr.count("not known yet, waiting") == 2
    other = library(bench, "broken() { echo 'ERROR: denied' >&2; return 1; }\ngrant broken")
    assert (other.returncode, other.stderr) == (1, "» broken\nERROR: denied\n")


@pytest.mark.parametrize("script", ["11-setup.sh", "12-functions.sh", "13-dataflow.sh"])
def test_what_needs_a_secret_does_not_start_without_its_value(script: str, bench: Bench) -> None:
    told = bench.run("nothing", script)
    assert told.code == 2
    assert re.fullmatch(r"Secret encore-\S+ has no value: run 09-secrets.sh first.\n", told.err)


def test_every_setting_is_explained_in_the_example() -> None:
    example = (INFRA / "settings.example.env").read_text()
    explained = set(re.findall(r"^([A-Z_]+)=", example, re.MULTILINE))
    used: set[str] = set()
    for file in INFRA.glob("*.sh"):
        text = file.read_text()
        used |= set(re.findall(r"\$\{?((?:ENCORE|TWILIO)_[A-Z_]+)", text))
        for needed in re.findall(r"^need (.+)$", text, re.MULTILINE):
            used |= set(needed.split())
    of_the_caller = {"ENCORE_SETTINGS", "ENCORE_DRY_RUN", "ENCORE_BUILD", "ENCORE_POLL"}
    assert used - explained - of_the_caller == set()
    by_kind = {"ENCORE_CUSTOMERS", "ENCORE_TRACKS"}
    assert explained - used - by_kind == set()


def test_the_keys_that_readme_makes_may_what_the_trials_keys_may() -> None:
    readme = (INFRA / "README.md").read_text()
    requests = re.findall(r"^    POST /_security/api_key\n((?:    .+\n)+)", readme, re.MULTILINE)
    described = {}
    for text in requests:
        request = json.loads(text)
        roles = request["role_descriptors"]["encore"]
        (indices,) = roles["indices"]
        described[request["name"]] = (roles["cluster"], indices["names"], indices["privileges"])
    boot = (INFRA / "elastic-vm.sh").read_text()
    names = re.search(r"local names='(.+)'", boot)
    assert names
    made = {
        name: (json.loads(cluster), json.loads(names[1]), json.loads(privileges))
        for name, cluster, privileges in re.findall(r"^api_key (\S+) '(.+)' '(.+)'$", boot, re.M)
    }
    assert described == made
    assert len(made) == 2


def test_shellcheck_finds_nothing() -> None:
    program = shutil.which("shellcheck")
    if program is None:
        pytest.skip("shellcheck is not installed: apt-get install shellcheck")
    files = [*INFRA.glob("*.sh"), *(INFRA / "dataflow").glob("*.sh"), SHIM / "gcloud"]
    done = subprocess.run(
        [program, "--external-sources", "--source-path=SCRIPTDIR", *files],
        cwd=INFRA,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""


def test_no_project_and_no_key_is_in_the_repository() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    invented = r"(?!(?:project-of-the-tests|encore-project|encore-local|example)\b)"
    patterns = {
        "an API key": r"AIza[0-9A-Za-z_-]{35}",
        "a private key": r"-----BEGIN (RSA |EC )?PRIVATE KEY-----",
        "a Twilio account": r"\bAC[0-9a-f]{32}\b",
        "an account of a project": rf"[a-z0-9-]+@{invented}[a-z][a-z0-9-]{{4,28}}"
        r"\.iam\.gserviceaccount\.com",
        "a bucket of a project": rf"gs://{invented}[a-z][a-z0-9-]{{4,28}}-encore-",
        "a Slack or GitHub token": r"\b(xox[bp]-|gh[pousr]_)[0-9A-Za-z-]{20,}",
    }
    found = []
    for name in listed.stdout.split("\0"):
        file = ROOT / name
        if not name or not file.is_file() or file.suffix in {".png", ".parquet", ".woff2"}:
            continue
        text = file.read_text(errors="replace")
        found += [f"{what} in {name}" for what, shape in patterns.items() if re.search(shape, text)]
    assert found == []
    assert not [name for name in listed.stdout.split("\0") if name.endswith("settings.env")]
    assert PROJECT == "project-of-the-tests"
