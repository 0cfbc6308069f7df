#!/usr/bin/env bash
# restore.sh [--redis-export=gs://…/redis/TIME.rdb] [--guards] [--snapshot=NAME] [--list] [--dry-run]
#
# Puts a backup back. Drain the stream first (gcloud dataflow jobs drain), and start it afterwards
# with 13-dataflow.sh: it then reads from where the restored stores have come to, for up to 7 days.
#   --list                show what there is
#   --redis-export=FILE   replaces everything in Redis; it does not answer meanwhile
#   --guards              adds what BigQuery knows and Redis lacks: who has been chosen, and what
#                         became of messages, so that nobody is chosen or written to twice; after
#                         every import of an export, or alone where there is none
#   --snapshot=NAME       replaces the indices that the snapshot holds

FLAGS="--list --guards" VALUES="--redis-export --snapshot"
source "$(dirname "$0")/lib.sh"
source "$INFRA/jobs.sh"
begin "$@"
[[ ${LIST-}${REDIS_EXPORT-}${GUARDS-}${SNAPSHOT-} ]] || die "Say what to restore; see restore.sh --help."
need_secret encore-es-api-key encore-redis-url

snapshots() {
  local action=$1
  shift
  in_network "$SNAPSHOTS_JOB" -- /app/infra/dataflow/snapshots.py "$action" \
    --elasticsearch="$(es_url)" --api-key="$(secret_reference encore-es-api-key)" \
    --repository="$ES_REPOSITORY" "$@"
}

if [[ ${LIST-} ]]; then
  run gcloud storage ls "gs://$BACKUPS/redis/"
  snapshots list
  exit 0
fi
if [[ ${REDIS_EXPORT-} ]]; then
  run gcloud redis instances import "$REDIS_EXPORT" "$REDIS" --project="$PROJECT" --region="$REGION"
fi
if [[ ${GUARDS-} ]]; then
  in_network "$GUARDS_JOB" -- /app/infra/dataflow/guards.py \
    --redis="$(secret_reference encore-redis-url)" --bigquery="$PROJECT.$DATASET"
fi
if [[ ${SNAPSHOT-} ]]; then snapshots restore --snapshot="$SNAPSHOT" --replace; fi
