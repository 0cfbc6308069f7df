#!/usr/bin/env bash
# 03-accounts.sh [--dry-run]
#
# One service account for each part, with no key, and the few roles that can only be given for the
# whole project. All other roles are given by the later scripts, each on its one resource; the
# whole table is in README.md.

source "$(dirname "$0")/lib.sh"
begin "$@"

for account in "${ACCOUNTS[@]}"; do
  ensure gcloud iam service-accounts describe "$(email "$account")" --project="$PROJECT" \
    :absent gcloud iam service-accounts create "encore-$account" --project="$PROJECT" \
    --display-name="Encore $account"
done

for account in "${ACCOUNTS[@]}"; do
  # shellcheck disable=SC2086 # the roles are words
  grant_project "$account" ${PROJECT_ROLES[$account]-}
done

# Builds of functions read their sources, and no other bucket.
grant gcloud projects add-iam-policy-binding "$PROJECT" \
  --member="serviceAccount:$(email build)" --role=roles/storage.objectViewer \
  --condition="$SOURCES_ONLY" --format=none

# Who may start work as somebody else, and as nobody but them.
for pair in scheduler:train daily:dataflow; do
  grant gcloud iam service-accounts add-iam-policy-binding "$(email "${pair#*:}")" \
    --member="serviceAccount:$(email "${pair%:*}")" --role=roles/iam.serviceAccountUser \
    --project="$PROJECT" --format=none
done
