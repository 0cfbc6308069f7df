#!/usr/bin/env bash
# train.sh [--trainer=sklearn|mllib] [--dry-run]
#
# Trains now, and promotes the model if it passes the gate.
#   sklearn   (the default) a Vertex AI custom job in our image, as Cloud Scheduler starts it
#   mllib     Spark MLlib as a Dataproc Serverless batch, in our image too

VALUES=--trainer
source "$(dirname "$0")/lib.sh"
source "$INFRA/jobs.sh"
begin "$@"

mapfile -t arguments < <(training_arguments)
case ${TRAINER:-sklearn} in
  sklearn)
    printf -v joined '%s,' "${arguments[@]}"
    run gcloud ai custom-jobs create --project="$PROJECT" --region="$REGION" \
      --display-name="$TRAINING" --service-account="$(email train)" --labels="$LABELS" \
      --worker-pool-spec="machine-type=n1-standard-4,replica-count=1,container-image-uri=$IMAGE" \
      --command=python --args="-m,beam_pipeline.training.train,${joined%,}"
    ;;
  mllib)
    run gcloud storage cp "$ROOT/beam_pipeline/training/mllib.py" "gs://$TEMP/dataproc/mllib.py"
    run gcloud dataproc batches submit pyspark "gs://$TEMP/dataproc/mllib.py" \
      --project="$PROJECT" --region="$REGION" --version=2.2 --subnet="$SUBNET" \
      --service-account="$(email train)" --deps-bucket="gs://$TEMP" --labels="$LABELS" --ttl=2h \
      -- "${arguments[@]}"
    ;;
  *) die "--trainer is sklearn or mllib, not $TRAINER." ;;
esac
