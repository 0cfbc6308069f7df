#!/usr/bin/env bash
# 01-apis.sh [--dry-run]
#
# Switches on the Google APIs that Encore uses. What is on stays on; teardown.sh leaves them on,
# because other work in the project may use them too.

source "$(dirname "$0")/lib.sh"
begin "$@"

APIS=(
  aiplatform artifactregistry bigquery bigquerystorage billingbudgets cloudbuild cloudfunctions
  cloudresourcemanager cloudscheduler compute dataflow dataproc iam iamcredentials logging monitoring
  pubsub redis run secretmanager servicenetworking storage vpcaccess
)
# One call takes 20 at most.
for ((first = 0; first < ${#APIS[@]}; first += 20)); do
  some=("${APIS[@]:first:20}")
  run gcloud services enable "${some[@]/%/.googleapis.com}" --project="$PROJECT"
done
