#!/usr/bin/env bash
# 13-dataflow.sh [--replace] [--dry-run]
#
# Starts the stream on Dataflow. If it runs already, the new image takes over in place, with all
# its state; Dataflow refuses that when the steps have changed too much, and the old one runs on.
#   --replace   drain the running job to its end and start afresh, from where the stores have come
#               to less the dedup horizon: the history is read again, nothing is counted twice.
#               About 10 minutes without new numbers; events wait in Pub/Sub meanwhile.

FLAGS=--replace
source "$(dirname "$0")/lib.sh"
begin "$@"
need_secret encore-redis-url encore-es-api-key

JOBS=(gcloud dataflow jobs)
PLACE=(--project="$PROJECT" --region="$REGION")

state() { "${JOBS[@]}" describe "$1" "${PLACE[@]}" --format='value(currentState)'; }
is() { [[ $(state "$1") == "$2" ]]; }

# launch REPLAY FLAGS… prints the id of the new job
launch() {
  local replay=$1
  shift
  local -a settings=(
    entry=stream
    "subscription=projects/$PROJECT/subscriptions/$SUBSCRIPTION"
    "redis=$(secret_reference encore-redis-url)"
    "elasticsearch=$(es_url)"
    "elasticsearch-api-key=$(secret_reference encore-es-api-key)"
    "bigquery=$PROJECT.$DATASET"
    "models=gs://$MODELS/models"
    "shards=${ENCORE_SHARDS:-4}"
    "replay=$replay"
    "sdk_container_image=$IMAGE"
  )
  local IFS=,
  run gcloud dataflow flex-template run "$STREAM" "${PLACE[@]}" \
    --template-file-gcs-location="gs://$TEMP/templates/stream.json" \
    --parameters="${settings[*]}" \
    --service-account-email="$(email dataflow)" \
    --subnetwork="regions/$REGION/subnetworks/$SUBNET" \
    --temp-location="gs://$TEMP/dataflow" --staging-location="gs://$TEMP/dataflow" \
    --worker-machine-type="${ENCORE_WORKER_MACHINE:-n2-standard-2}" \
    --num-workers="${ENCORE_WORKERS:-1}" --max-workers="${ENCORE_WORKERS_MAX:-4}" \
    --additional-user-labels="$LABELS" --format='value(job.id)' \
    --enable-streaming-engine --disable-public-ips "$@"
}

# Waits until a job has left the starting line.
started() {
  local now
  now=$(state "$1")
  [[ $now != JOB_STATE_FAILED ]] || die "Job $1 failed to start, see its log. $2"
  [[ $now == JOB_STATE_RUNNING ]]
}

# A dry run shows the start, then what another run would do instead.
if [[ $DRY_RUN ]]; then
  launch progress
  show "${JOBS[@]}" drain '<running job>' "${PLACE[@]}"
  launch none --update
  exit 0
fi

running=$("${JOBS[@]}" list "${PLACE[@]}" --status=active --filter="name=$STREAM" \
  --format='value(id)' --limit=1)
if [[ -z $running ]]; then
  job=$(launch progress)
  await 900 "The start of job $job" started "$job" "Nothing runs now."
elif [[ ${REPLACE-} ]]; then
  run "${JOBS[@]}" drain "$running" "${PLACE[@]}"
  await 1800 "The draining of job $running" is "$running" JOB_STATE_DRAINED
  job=$(launch progress)
  await 900 "The start of job $job" started "$job" "Nothing runs now: start it again."
else
  job=$(launch none --update)
  await 900 "The update to job $job" started "$job" \
    "The old job $running runs on. If its log says that the graph does not fit: --replace."
fi
say "Dataflow runs $STREAM as $job"
