#!/usr/bin/env bash
# 11-setup.sh [--dry-run]
#
# What has to be done from inside the network, by a Cloud Run job in our image: the index templates
# and the retention of Elasticsearch, and the reference data (ENCORE_CUSTOMERS, ENCORE_TRACKS) into
# Redis and BigQuery. Then the dashboards into Kibana, where ENCORE_KIBANA_URL names one.
# Loading again replaces; nobody is deleted.

source "$(dirname "$0")/lib.sh"
source "$INFRA/jobs.sh"
begin "$@"
need_secret encore-es-api-key encore-redis-url

elastic=(--elasticsearch="$(es_url)" --api-key="$(secret_reference encore-es-api-key)")
replicas=1
[[ $ES_MODE == vm ]] && replicas=0
in_network "$INDICES_JOB" -- /app/infra/dataflow/indices.py "${elastic[@]}" \
  --keep-days="${ENCORE_ES_KEEP_DAYS:-90}" --replicas="$replicas"
# Elastic Cloud takes snapshots by itself; the VM is told to.
if [[ $ES_MODE == vm ]]; then
  in_network "$SNAPSHOTS_JOB" -- /app/infra/dataflow/snapshots.py schedule "${elastic[@]}" \
    --repository="$ES_REPOSITORY"
fi

# A file of this machine goes to the data bucket first; the job sees the bucket as a folder.
in_bucket() {
  local name=$2
  if [[ $1 != "gs://$DATA/$name" ]]; then
    run gcloud storage cp "$1" "gs://$DATA/$name"
  fi
}
if [[ -n ${ENCORE_CUSTOMERS-}${ENCORE_TRACKS-} ]]; then
  arguments=()
  for kind in customers tracks; do
    setting=ENCORE_${kind^^}
    [[ -n ${!setting-} ]] || continue
    in_bucket "${!setting}" "reference/$kind.csv"
    arguments+=("--$kind=/data/reference/$kind.csv")
  done
  in_network "$REFERENCE_JOB" --add-volume="name=data,type=cloud-storage,bucket=$DATA,readonly=true" \
    --add-volume-mount=volume=data,mount-path=/data -- \
    /app/infra/dataflow/launch.py --entry=reference "${arguments[@]}" --redis="$(secret_reference encore-redis-url)" \
    --bigquery="$PROJECT.$DATASET"
fi

if [[ -n ${ENCORE_KIBANA_URL-} ]]; then
  into_kibana=("$INFRA/kibana/import.sh" "$ENCORE_KIBANA_URL")
  if [[ $DRY_RUN ]]; then run_from 'the secret encore-es-api-key' "${into_kibana[@]}"
  else
    run_from <(gcloud secrets versions access latest --secret=encore-es-api-key --project="$PROJECT") \
      "${into_kibana[@]}"
  fi
fi
