#!/usr/bin/env bash
# train.sh [--trainer=sklearn|mllib] [--dry-run]
#
# Trains now, and promotes the model if it passes the gate.
#   sklearn   (the default) a Vertex AI custom job in our image, as Cloud Scheduler starts it
#   mllib     Spark MLlib fits, as a Dataproc Serverless batch; Vertex AI judges what it fitted

VALUES=--trainer
source "$(dirname "$0")/lib.sh"
source "$INFRA/jobs.sh"
begin "$@"

# in_vertex PYTHON-ARGUMENTS…
in_vertex() {
  local joined
  printf -v joined '%s,' "$@"
  run gcloud ai custom-jobs create --project="$PROJECT" --region="$REGION" \
    --display-name="$TRAINING" --service-account="$(email train)" --labels="$LABELS" \
    --worker-pool-spec="machine-type=n1-standard-4,replica-count=1,container-image-uri=$IMAGE" \
    --command=python --args="-m,beam_pipeline.training.train,${joined%,}"
}

mapfile -t arguments < <(training_arguments)
case ${TRAINER:-sklearn} in
  sklearn) in_vertex "${arguments[@]}" ;;
  mllib)
    # What Spark needs of ours is one module; what it fitted, the same gate judges, on the same
    # examples: those of closed days, up to the same one.
    folder=$BUILD/mllib candidate=gs://$TEMP/dataproc/candidate.json
    until=$(date --utc --date=yesterday +%F)
    mkdir -p "$folder/beam_pipeline/training"
    cp "$ROOT/beam_pipeline/__init__.py" "$folder/beam_pipeline/"
    cp "$ROOT"/beam_pipeline/training/{__init__,split}.py "$folder/beam_pipeline/training/"
    (cd "$folder" && "${ENCORE_PYTHON:-python3}" -m zipfile -c encore.zip beam_pipeline)
    run gcloud storage cp "$ROOT/beam_pipeline/training/mllib.py" "$folder/encore.zip" \
      "gs://$TEMP/dataproc/"
    run gcloud dataproc batches submit pyspark "gs://$TEMP/dataproc/mllib.py" \
      --project="$PROJECT" --region="$REGION" --version=2.2 --subnet="$SUBNET" \
      --py-files="gs://$TEMP/dataproc/encore.zip" --service-account="$(email train)" \
      --deps-bucket="gs://$TEMP" --labels="$LABELS" --ttl=2h \
      -- --bigquery="$PROJECT.$DATASET" --until="$until" --candidate="$candidate"
    in_vertex "${arguments[@]}" --until="$until" --candidate="$candidate"
    ;;
  *) die "--trainer is sklearn or mllib, not $TRAINER." ;;
esac
