#!/usr/bin/env bash
# 06-bigquery.sh [--dry-run]
#
# The dataset, its tables and its views, from bigquery/: ddl/*.sql makes what is missing,
# schemas/*.json is what tables that are there are brought to (columns can be added, never taken
# away), views/*.sql replaces the views. Both in the order of their names.

source "$(dirname "$0")/lib.sh"
begin "$@"

BQ=(bq --project_id="$PROJECT" --headless --quiet)

sql() { run_from "$1" "${BQ[@]}" query --use_legacy_sql=false --dataset_id="$PROJECT:$DATASET" --location="$LOCATION"; }

if exists "${BQ[@]}" show --dataset "$PROJECT:$DATASET"; then
  run "${BQ[@]}" update --dataset --set_label=app:encore --set_label="env:$ENVIRONMENT" "$PROJECT:$DATASET"
else
  run "${BQ[@]}" mk --dataset --location="$LOCATION" --label=app:encore --label="env:$ENVIRONMENT" \
    --description="Encore: plays, interests, listening, targets and what was learned" \
    "$PROJECT:$DATASET"
fi

for file in "$ROOT"/bigquery/ddl/*.sql; do
  table=$(basename "$file" .sql)
  schema=$ROOT/bigquery/schemas/$table.json
  if [[ -f $schema ]] && exists "${BQ[@]}" show "$PROJECT:$DATASET.$table"; then
    run "${BQ[@]}" update --schema="$schema" "$PROJECT:$DATASET.$table"
  else
    sql "$file"
  fi
done
for file in "$ROOT"/bigquery/views/*.sql; do sql "$file"; done

# dataset_role ACCOUNT ROLE
dataset_role() {
  grant "${BQ[@]}" query --use_legacy_sql=false --location="$LOCATION" \
    "GRANT \`roles/bigquery.$2\` ON SCHEMA \`$PROJECT.$DATASET\` TO 'serviceAccount:$(email "$1")'"
}
for account in dataflow loader backfill; do dataset_role "$account" dataEditor; done
dataset_role train dataViewer
