"""Index templates, retention and snapshots, on a real Elasticsearch."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from infra.dataflow import indices, snapshots
from infra.local import jars
from infra.local.paths import ROOT
from infra.local.stack import Ports, Stack

NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elasticsearch]:
    """A node of this module's own that may keep snapshots in a folder."""
    home = tmp_path_factory.mktemp("elastic")
    config = home / "config"
    config.mkdir()
    port = Ports.free().elasticsearch
    lines = {
        "cluster.name": "encore-snapshots",
        "network.host": "127.0.0.1",
        "http.port": port,
        "transport.port": 0,
        "discovery.type": "single-node",
        "path.data": home / "data",
        "path.logs": home / "logs",
        "path.repo": home / "repository",
        "cluster.routing.allocation.disk.threshold_enabled": "false",
    }
    text = "".join(f"{key}: {value}\n" for key, value in lines.items())
    (config / "elasticsearch.yml").write_text(text)
    log4j = ROOT / "infra" / "local" / "log4j2.properties"
    (config / "log4j2.properties").write_text(log4j.read_text())
    module = "infra.local.elasticsearch_node"
    with (home / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(jars.elasticsearch_home()), str(config)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
        )
    try:
        wait_until_ready(port, process, home / "log")
        yield Elasticsearch(f"http://127.0.0.1:{port}", request_timeout=60)
    finally:
        process.terminate()
        process.wait(60)


def wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-2000:]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/_cluster/health")
            if json.loads(connection.getresponse().read())["status"] in {"green", "yellow"}:
                return
        except (OSError, ValueError, KeyError):
            time.sleep(0.2)
        finally:
            connection.close()
    raise AssertionError(log.read_text()[-2000:])


@pytest.fixture
def stored(node: Elasticsearch, tmp_path_factory: pytest.TempPathFactory) -> Elasticsearch:
    """The node with two documents in it and a repository called `folder`."""
    node.snapshot.create_repository(
        name="folder", repository={"type": "fs", "settings": {"location": "encore"}}
    )
    for name in ("plays-2026.03.14", "interests"):
        node.indices.delete(index=name, ignore_unavailable=True)
        node.index(index=name, id="1", document={"title": name}, refresh=True)
    return node


def count(client: Elasticsearch, index: str) -> int:
    return int(client.count(index=index)["count"])


@pytest.mark.slow
def test_what_is_lost_after_a_snapshot_comes_back_with_it(stored: Elasticsearch) -> None:
    name = snapshots.take(stored, "folder", NOW)
    assert name == "encore-20260314-092653"
    assert f"{name} SUCCESS" in snapshots.names(stored, "folder")
    stored.delete(index="plays-2026.03.14", id="1", refresh=True)
    stored.index(index="interests", id="2", document={"title": "later"}, refresh=True)
    with pytest.raises(snapshots.Refused, match=r"interests.* would be replaced: say --replace\."):
        snapshots.restore(stored, "folder", name, replace=False)
    restored = snapshots.restore(stored, "folder", name, replace=True)
    assert set(restored) == {"plays-2026.03.14", "interests"}
    assert (count(stored, "plays-2026.03.14"), count(stored, "interests")) == (1, 1)


def test_templates_are_applied_again_and_again(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"--elasticsearch={stack.elasticsearch}", "--keep-days=0", "--replicas=0"]
    for _ in range(2):
        assert indices.main(words) == 0
        assert "encore-plays" in capsys.readouterr().out


def test_a_cluster_without_lifecycles_is_told_in_one_line(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"--elasticsearch={stack.elasticsearch}", "--keep-days=90", "--replicas=0"]
    assert indices.main(words) == 1
    error = capsys.readouterr().err
    assert error.startswith("Elasticsearch did not take it: ")
    assert error.count("\n") == 1


def test_restoring_needs_a_name(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["restore", f"--elasticsearch={stack.elasticsearch}", "--repository=found-snapshots"]
    assert snapshots.main(words) == 2
    assert capsys.readouterr().err == "Give the snapshot to restore: --snapshot NAME.\n"
