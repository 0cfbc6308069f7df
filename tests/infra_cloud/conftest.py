"""The recordings that the tests of this folder look at, made once a session."""

from __future__ import annotations

import pytest

from tests.infra_cloud.recording import Bench, Recording

TRIAL = {"ENCORE_ES_MODE": "vm"}


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A folder with settings and secrets, from which scripts are run."""
    return Bench(tmp_path_factory.mktemp("cloud"))


@pytest.fixture(scope="session")
def recordings(bench: Bench) -> dict[str, Recording]:
    """Every script through both of its branches, by a name of ours."""
    plays = "--plays=gs://b/plays.ndjson,gs://b/more.ndjson"
    runs = {
        "deploy nothing": bench.run("nothing", "deploy.sh"),
        "deploy all": bench.run("all", "deploy.sh"),
        "deploy all, replace": bench.run("all", "deploy.sh", "--only=13", "--replace"),
        "deploy nothing, trial": bench.run("nothing", "deploy.sh", **TRIAL),
        "deploy all, trial": bench.run("all", "deploy.sh", **TRIAL),
        "teardown all": bench.run("all", "teardown.sh", "--yes"),
        "teardown all, data": bench.run("all", "teardown.sh", "--yes", "--delete-data"),
        "teardown all, data, trial": bench.run(
            "all", "teardown.sh", "--yes", "--delete-data", **TRIAL
        ),
        "teardown nothing": bench.run("nothing", "teardown.sh", "--yes", "--delete-data"),
        "daily": bench.run("all", "daily.sh", "--day=2026-03-01"),
        "train sklearn": bench.run("all", "train.sh"),
        "train mllib": bench.run("all", "train.sh", "--trainer=mllib"),
        "backfill": bench.run("secrets", "backfill.sh", plays, ENCORE_PYTHON="true"),
        "backup": bench.run("all", "backup.sh"),
        "restore": bench.run(
            "all", "restore.sh", "--redis-export=gs://b/1.rdb", "--guards", "--snapshot=s1"
        ),
        "restore list": bench.run("all", "restore.sh", "--list"),
    }
    failed = {name: each.err[-800:] for name, each in runs.items() if each.code != 0}
    assert failed == {}
    return runs
