#!/usr/bin/env bash
# 10-image.sh [--dry-run]
#
# Builds the one image (pipeline, daily run, training, loader) with Cloud Build, as the commit that
# is checked out, and the two Flex Templates that start it. An image that is there is not built again.

source "$(dirname "$0")/lib.sh"
source "$INFRA/stage.sh"
begin "$@"

folder=$(stage_image)
if exists gcloud artifacts docker images describe "$IMAGE" --project="$PROJECT" --format=none; then
  say "  is there: $IMAGE"
else
  run gcloud builds submit "$folder" --project="$PROJECT" --region="$REGION" \
    --config="$INFRA/dataflow/cloudbuild.yaml" --substitutions="_IMAGE=$IMAGE" \
    --service-account="projects/$PROJECT/serviceAccounts/$(email build)" \
    --gcs-source-staging-dir="gs://$TEMP/sources"
fi

for template in stream daily; do
  run gcloud dataflow flex-template build "gs://$TEMP/templates/$template.json" \
    --project="$PROJECT" --image="$IMAGE" --sdk-language=PYTHON \
    --metadata-file="$INFRA/dataflow/$template.json"
done
