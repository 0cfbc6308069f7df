#!/usr/bin/env bash
# On every machine of the backfill's cluster, once, as root: fetch the image, so that Spark's own
# account finds it there and needs no key of the registry.

set -euo pipefail

image=$(/usr/share/google/get_metadata_value attributes/encore-image)
gcloud auth configure-docker "${image%%/*}" --quiet
docker pull "$image"
