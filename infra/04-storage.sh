#!/usr/bin/env bash
# 04-storage.sh [--dry-run]
#
# Four buckets and the image registry. Everything is private and without object ACLs.
#   …-encore-temp     staging of Dataflow and Dataproc, templates; objects live 14 days,
#                     except below templates/
#   …-encore-models   models/VERSION and models/current.json, versioned
#   …-encore-data     reference data and files for backfills
#   …-encore-backups  exports of Redis, snapshots of Elasticsearch; exports live 90 days

source "$(dirname "$0")/lib.sh"
begin "$@"

# bucket NAME [UPDATE FLAGS…]
bucket() {
  local name=$1
  shift
  ensure gcloud storage buckets describe "gs://$name" --project="$PROJECT" \
    :absent gcloud storage buckets create "gs://$name" --project="$PROJECT" --location="$REGION" \
    --uniform-bucket-level-access --public-access-prevention
  run gcloud storage buckets update "gs://$name" --project="$PROJECT" --update-labels="$LABELS" "$@"
}
bucket "$TEMP" --lifecycle-file="$INFRA/storage/temp.json" --clear-soft-delete
bucket "$MODELS" --versioning
bucket "$DATA"
bucket "$BACKUPS" --lifecycle-file="$INFRA/storage/backups.json"

on_bucket() { grant_on "$1" "$2" gcloud storage buckets "gs://$3"; }
on_bucket storage.objectAdmin dataflow "$TEMP"
on_bucket storage.objectViewer dataflow "$MODELS"
on_bucket storage.objectViewer board "$MODELS"
on_bucket storage.objectViewer dataflow "$DATA"
on_bucket storage.objectViewer daily "$TEMP"
on_bucket storage.objectAdmin train "$MODELS"
on_bucket storage.objectAdmin train "$TEMP"
on_bucket storage.objectAdmin backfill "$TEMP"
on_bucket storage.objectViewer backfill "$DATA"
on_bucket storage.objectViewer loader "$DATA"
on_bucket storage.objectViewer build "$TEMP"
[[ $ES_MODE == vm ]] && on_bucket storage.objectAdmin elastic "$BACKUPS"

ensure gcloud artifacts repositories describe "$REPOSITORY" --project="$PROJECT" \
  --location="$REGION" \
  :absent gcloud artifacts repositories create "$REPOSITORY" --project="$PROJECT" \
  --location="$REGION" --repository-format=docker --labels="$LABELS" \
  --description="Encore's image and its functions" \
  :present gcloud artifacts repositories update "$REPOSITORY" --project="$PROJECT" \
  --location="$REGION" --update-labels="$LABELS"
GRANT_FLAGS=(--location="$REGION")
grant_on artifactregistry.writer build gcloud artifacts repositories "$REPOSITORY"
for account in dataflow train backfill loader; do
  grant_on artifactregistry.reader "$account" gcloud artifacts repositories "$REPOSITORY"
done
run gcloud artifacts repositories set-cleanup-policies "$REPOSITORY" --project="$PROJECT" \
  --location="$REGION" --policy="$INFRA/storage/images.json" --no-dry-run
