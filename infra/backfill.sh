#!/usr/bin/env bash
# backfill.sh --plays=gs://…[,gs://…] [--ad-events=gs://…[,…]] [--keep-cluster] [--dry-run]
#
# Runs files of past events through the same pipeline on Spark, into BigQuery and Elasticsearch: on
# a Dataproc cluster made for it, which deletes itself when idle for 30 minutes. Files are NDJSON or
# the original CSV log, gzip too. What the stores hold already is completed, never added to.
#
# The pipeline becomes one jar on this machine first: that needs Java 17, Python 3.12 with
# requirements.txt (ENCORE_PYTHON, by default python3), and the internet for Beam's Spark job
# server. The workers run our image, by the cluster's Docker.

FLAGS=--keep-cluster VALUES="--plays --ad-events"
source "$(dirname "$0")/lib.sh"
begin "$@"
[[ -n ${PLAYS-}${AD_EVENTS-} ]] || die "Give files: backfill.sh --plays=gs://BUCKET/plays.ndjson."
need_secret encore-redis-url encore-es-api-key

JAR=$BUILD/backfill.jar
PLACE=(--project="$PROJECT" --region="$REGION")

sources=()
if [[ -n ${PLAYS-} ]]; then sources+=(--plays "${PLAYS//,/ }"); fi
if [[ -n ${AD_EVENTS-} ]]; then sources+=(--ad-events "${AD_EVENTS//,/ }"); fi

mkdir -p "$BUILD"
cd "$ROOT"
# shellcheck disable=SC2086,SC2068 # a list of files is several words
run "${ENCORE_PYTHON:-python3}" -m infra.dataflow.launch --entry=stream ${sources[@]} \
  --redis="$(secret_reference encore-redis-url)" --bigquery="$PROJECT.$DATASET" \
  --elasticsearch="$(es_url)" --elasticsearch-api-key="$(secret_reference encore-es-api-key)" \
  --shards="${ENCORE_SHARDS:-4}" --runner=SparkRunner --spark_version=3 \
  --environment_type=DOCKER --environment_config="$IMAGE" --output_executable_path="$JAR"
run gcloud storage cp "$JAR" "gs://$TEMP/dataproc/backfill.jar"
run gcloud storage cp "$INFRA/dataflow/pull-image.sh" "gs://$TEMP/dataproc/pull-image.sh"

ensure gcloud dataproc clusters describe "$CLUSTER" "${PLACE[@]}" \
  :absent gcloud dataproc clusters create "$CLUSTER" "${PLACE[@]}" --image-version=2.2-debian12 \
  --optional-components=DOCKER --num-workers=2 --master-machine-type=n2-standard-4 \
  --worker-machine-type=n2-standard-4 --subnet="$SUBNET" --service-account="$(email backfill)" \
  --scopes=cloud-platform --tags=encore-dataproc --bucket="$TEMP" --temp-bucket="$TEMP" \
  --initialization-actions="gs://$TEMP/dataproc/pull-image.sh" --metadata="encore-image=$IMAGE" \
  --delete-max-idle=30m --labels="$LABELS" --no-address

run gcloud dataproc jobs submit spark --cluster="$CLUSTER" "${PLACE[@]}" --labels="$LABELS" \
  --class=org.apache.beam.runners.spark.SparkPipelineRunner \
  --jars="gs://$TEMP/dataproc/backfill.jar"

[[ ${KEEP_CLUSTER-} ]] || run gcloud dataproc clusters delete "$CLUSTER" "${PLACE[@]}" --quiet
