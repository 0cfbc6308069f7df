#!/usr/bin/env bash
# restore.sh [--redis-export=gs://…/redis/TIME.rdb] [--snapshot=NAME] [--list] [--dry-run]
#
# Puts a backup back. Drain the stream first (gcloud dataflow jobs drain), and start it afterwards
# with 13-dataflow.sh: it then reads from where the restored stores have come to, for up to 7 days.
#   --list                show what there is
#   --redis-export=FILE   replaces everything in Redis; it does not answer meanwhile
#   --snapshot=NAME       replaces the indices that the snapshot holds
# After a loss of Redis newer than the backup, also rebuild the guards (RUNBOOK.md, "Redis is lost").

FLAGS=--list VALUES="--redis-export --snapshot"
source "$(dirname "$0")/lib.sh"
source "$INFRA/jobs.sh"
begin "$@"
[[ ${LIST-}${REDIS_EXPORT-}${SNAPSHOT-} ]] || die "Say what to restore; see restore.sh --help."
need_secret encore-es-api-key

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
if [[ ${SNAPSHOT-} ]]; then snapshots restore --snapshot="$SNAPSHOT" --replace; fi
