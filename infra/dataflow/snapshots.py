"""Elasticsearch's snapshots: schedule them, take one, list them, put one back.

    python infra/dataflow/snapshots.py take --elasticsearch URL --repository NAME|gs://BUCKET/PATH
    python infra/dataflow/snapshots.py restore --snapshot NAME --replace …

A repository of the cluster is named; `gs://` registers one with the machine's own identity.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from elasticsearch import ApiError, Elasticsearch, TransportError

from beam_pipeline.edges.elasticsearch import ElasticsearchConfig

INDICES = "plays-*,interests,listening,ad_events,targets,messages,health"
REGISTERED = "encore"
HOUR = 3600.0


class Refused(Exception):
    """What was asked for is not done; the text is one sentence that says why."""


def repository(client: Elasticsearch, wanted: str) -> str:
    """The name of the repository; a `gs://BUCKET/PATH` is registered first."""
    if not wanted.startswith("gs://"):
        return wanted
    bucket, _, path = wanted.removeprefix("gs://").partition("/")
    settings = {"bucket": bucket, "base_path": path}
    client.snapshot.create_repository(
        name=REGISTERED, repository={"type": "gcs", "settings": settings}
    )
    return REGISTERED


def take(client: Elasticsearch, where: str, now: datetime) -> str:
    """Take a snapshot of all of Encore's indices and wait for it; its name.

    Raises:
        Refused: a shard was not saved.
    """
    name = now.strftime("encore-%Y%m%d-%H%M%S")
    answer = client.options(request_timeout=HOUR).snapshot.create(
        repository=where,
        snapshot=name,
        indices=INDICES,
        ignore_unavailable=True,
        include_global_state=False,
        wait_for_completion=True,
    )
    if answer["snapshot"]["state"] != "SUCCESS":
        raise Refused(f"Snapshot {name} is {answer['snapshot']['state']}, not SUCCESS.")
    return name


def names(client: Elasticsearch, where: str) -> list[str]:
    """The snapshots in a repository, the oldest first."""
    snapshots = client.snapshot.get(repository=where, snapshot="_all")["snapshots"]
    return [f"{each['snapshot']} {each['state']}" for each in snapshots]


def restore(client: Elasticsearch, where: str, snapshot: str, replace: bool) -> list[str]:
    """Put the indices of a snapshot back; their names.

    Raises:
        Refused: one of them is there and `replace` does not say that it may go.
    """
    saved = client.snapshot.get(repository=where, snapshot=snapshot)["snapshots"][0]["indices"]
    present = [name for name in saved if client.indices.exists(index=name)]
    if present and not replace:
        raise Refused(f"{', '.join(present)} would be replaced: say --replace.")
    for name in present:
        client.indices.delete(index=name)
    client.options(request_timeout=HOUR).snapshot.restore(
        repository=where,
        snapshot=snapshot,
        indices=",".join(saved),
        include_global_state=False,
        wait_for_completion=True,
    )
    return list(saved)


def parser() -> argparse.ArgumentParser:
    """What `--help` says."""
    top = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    top.add_argument("action", choices=("schedule", "take", "list", "restore"))
    top.add_argument("--elasticsearch", required=True, metavar="URL")
    top.add_argument("--api-key", metavar="KEY", help="an encoded API key, or secret:NAME of one")
    top.add_argument("--repository", required=True, metavar="NAME", help="or gs://BUCKET/PATH")
    top.add_argument("--snapshot", metavar="NAME", help="which one to restore")
    top.add_argument("--replace", action="store_true", help="restore over indices that are there")
    return top


def act(client: Elasticsearch, args: argparse.Namespace) -> str:
    """Do what the command line asks for; what to print."""
    where = repository(client, args.repository)
    if args.action == "schedule":
        client.slm.put_lifecycle(
            policy_id="encore",
            repository=where,
            schedule="0 30 2 * * ?",
            name="<encore-{now/d}>",
            config={"indices": INDICES, "include_global_state": False},
            retention={"expire_after": "30d", "min_count": 5},
        )
        return "a snapshot every night at 02:30 UTC, each kept for 30 days"
    if args.action == "take":
        return take(client, where, datetime.now(UTC))
    if args.action == "list":
        return "\n".join(names(client, where))
    if not args.snapshot:
        raise Refused("Give the snapshot to restore: --snapshot NAME.")
    return "restored " + ", ".join(restore(client, where, args.snapshot, args.replace))


def main(arguments: Sequence[str]) -> int:
    """Run one action; 2 for what is refused, 1 when Elasticsearch does not take it."""
    args = parser().parse_args(arguments)
    client = ElasticsearchConfig(args.elasticsearch, args.api_key).client()
    try:
        print(act(client, args))  # noqa: T201
    except Refused as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    except (ApiError, TransportError) as error:
        print(f"Elasticsearch did not take it: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
