#!/usr/bin/env bash
# 06-bigquery.sh [--dry-run]
#
# The dataset, its tables and its views, from bigquery/: ddl/*.sql makes the tables that are missing,
# those that are there are brought to schemas/*.json (columns can be added, never taken away), and
# views/*.sql replaces the views.

source "$(dirname "$0")/lib.sh"
begin "$@"

BQ=(bq --project_id="$PROJECT" --headless --quiet)

# all_of FOLDER: its files as one script
all_of() {
  mkdir -p "$BUILD"
  cat "$ROOT/bigquery/$1"/*.sql >"$BUILD/$1.sql"
  run_from "$BUILD/$1.sql" "${BQ[@]}" query --use_legacy_sql=false --location="$LOCATION" --max_child_jobs=1
}

if exists "${BQ[@]}" show --dataset "$PROJECT:$DATASET"; then
  was_there=1
  run "${BQ[@]}" update --dataset --set_label=app:encore --set_label="env:$ENVIRONMENT" "$PROJECT:$DATASET"
else
  was_there=
  run "${BQ[@]}" mk --dataset --location="$LOCATION" --label=app:encore --label="env:$ENVIRONMENT" \
    --description="Encore: plays, interests, listening, targets and what was learned" \
    "$PROJECT:$DATASET"
fi

all_of ddl
if [[ $was_there ]]; then
  for schema in "$ROOT"/bigquery/schemas/*.json; do
    run "${BQ[@]}" update --schema="$schema" "$PROJECT:$DATASET.$(basename "$schema" .json)"
  done
fi
all_of views

# dataset_role ACCOUNT ROLE
dataset_role() {
  grant "${BQ[@]}" query --use_legacy_sql=false --location="$LOCATION" \
    "GRANT \`roles/bigquery.$2\` ON SCHEMA \`$PROJECT.$DATASET\` TO 'serviceAccount:$(email "$1")'"
}
for account in dataflow loader backfill; do dataset_role "$account" dataEditor; done
dataset_role train dataViewer
