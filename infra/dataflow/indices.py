"""Set Elasticsearch up: the index templates, and how long plays stay.

    python infra/dataflow/indices.py --elasticsearch URL [--api-key KEY] [--keep-days 90]

Repeatable. The policy is put on the indices of plays that are there, and on the template, so that
every later day has it from its first document on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from elasticsearch import ApiError, Elasticsearch, TransportError

from beam_pipeline.edges.elasticsearch import ElasticsearchConfig, apply_templates

POLICY = "encore-plays"
SETTING = {"index.lifecycle.name": POLICY}


def keep(client: Elasticsearch, days: int) -> None:
    """Delete the index of a day of plays `days` after it was made; needs ILM on the server."""
    phases = {"delete": {"min_age": f"{days}d", "actions": {"delete": {}}}}
    client.ilm.put_lifecycle(name=POLICY, policy={"phases": phases})
    template = client.indices.get_index_template(name="encore-plays")["index_templates"][0]
    body = template["index_template"]
    body["template"]["settings"].setdefault("index", {})["lifecycle"] = {"name": POLICY}
    client.indices.put_index_template(name="encore-plays", body=body)
    client.indices.put_settings(
        index="plays-*", settings=SETTING, allow_no_indices=True, ignore_unavailable=True
    )


def main(arguments: Sequence[str]) -> int:
    """Apply templates and retention; 1 when Elasticsearch does not take them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--elasticsearch", required=True, metavar="URL")
    parser.add_argument(
        "--api-key", metavar="KEY", help="an encoded API key, or secret:NAME of one"
    )
    parser.add_argument(
        "--keep-days", type=int, default=90, metavar="N", help="0 keeps plays for ever (default 90)"
    )
    parser.add_argument(
        "--replicas", type=int, default=1, metavar="N", help="0 for one node (default 1)"
    )
    args = parser.parse_args(arguments)
    client = ElasticsearchConfig(args.elasticsearch, args.api_key).client()
    try:
        names = apply_templates(client, replicas=args.replicas)
        if args.keep_days:
            keep(client, args.keep_days)
    except (ApiError, TransportError) as error:
        print(f"Elasticsearch did not take it: {error}", file=sys.stderr)  # noqa: T201
        return 1
    print(f"applied {', '.join(names)}; plays stay {args.keep_days or 'all'} days")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
