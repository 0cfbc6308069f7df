#!/usr/bin/env bash
# backup.sh [--dry-run]
#
# Saves what cannot be had again from elsewhere, now: Redis (guards, contacts, interest lists) as an
# export in the backup bucket, Elasticsearch as a snapshot. BigQuery keeps 7 days of its own past.
# restore.sh puts them back.

source "$(dirname "$0")/lib.sh"
source "$INFRA/jobs.sh"
begin "$@"
need_secret encore-es-api-key

run gcloud redis instances export "gs://$BACKUPS/redis/$(date -u +%Y%m%d-%H%M%S).rdb" "$REDIS" \
  --project="$PROJECT" --region="$REGION"
in_network "$SNAPSHOTS_JOB" -- /app/infra/dataflow/snapshots.py take --elasticsearch="$(es_url)" \
  --api-key="$(secret_reference encore-es-api-key)" --repository="$ES_REPOSITORY"
