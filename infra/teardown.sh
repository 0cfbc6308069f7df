#!/usr/bin/env bash
# teardown.sh [--delete-data] [--yes] [--dry-run]
#
# Takes Encore out of the project, in the reverse order of deploy.sh. Asks first, unless --yes.
#
# Without --delete-data everything that costs by the hour goes, and what cannot be made again stays:
# the BigQuery dataset, the buckets of models, data and backups, the secrets, the topic with its
# subscription (7 days of events), and the data disk of the trial's Elasticsearch VM. Redis is
# exported to the backup bucket before it goes. deploy.sh afterwards brings the system back.
#   --delete-data   these too. Nothing can be brought back.
# APIs stay on. An Elastic Cloud deployment is yours, and stays.

FLAGS="--delete-data --yes"
source "$(dirname "$0")/lib.sh"
begin "$@"

HERE=(--project="$PROJECT")
PLACE=("${HERE[@]}" --region="$REGION")
SPOT=("${HERE[@]}" --zone="$ES_ZONE")

if [[ -z ${YES-} && -z $DRY_RUN ]]; then
  what="all of Encore but its data"
  [[ ${DELETE_DATA-} ]] && what="all of Encore AND ALL ITS DATA"
  read -r -p "This deletes $what from $PROJECT. Type the project's id to go on: " answer || answer=
  [[ $answer == "$PROJECT" ]] || die "Nothing was deleted."
fi

say "── budget, alerts, schedules"
if [[ -n ${ENCORE_BILLING_ACCOUNT-} ]]; then
  ask budget gcloud billing budgets list --billing-account="$ENCORE_BILLING_ACCOUNT" \
    --filter="displayName=\"Encore in $PROJECT\"" --format='value(name)' |
    while read -r name; do run gcloud billing budgets delete "$name" --quiet; done
fi
remove gcloud monitoring dashboards describe encore "${HERE[@]}" \
  :present gcloud monitoring dashboards delete encore "${HERE[@]}" --quiet
ask policies gcloud alpha monitoring policies list "${HERE[@]}" \
  --filter='displayName:"Encore: "' --format='value(name)' |
  while read -r name; do run gcloud alpha monitoring policies delete "$name" "${HERE[@]}" --quiet; done
ask channel gcloud beta monitoring channels list "${HERE[@]}" --filter='displayName=Encore' \
  --format='value(name)' |
  while read -r name; do
    run gcloud beta monitoring channels delete "$name" "${HERE[@]}" --quiet --force
  done
for file in "$INFRA"/monitoring/metrics/*.json; do
  name=encore/$(basename "$file" .json)
  remove gcloud logging metrics describe "$name" "${HERE[@]}" \
    :present gcloud logging metrics delete "$name" "${HERE[@]}" --quiet
done
for name in "$SMS_JOB" "$TRAINING" "$DAILY"; do
  remove gcloud scheduler jobs describe "$name" "${HERE[@]}" --location="$REGION" \
    :present gcloud scheduler jobs delete "$name" "${HERE[@]}" --location="$REGION" --quiet
done

say "── doors, then the stream, which drains what came in"
for name in "${FUNCTIONS[@]}"; do
  remove gcloud functions describe "encore-$name" "${PLACE[@]}" --gen2 \
    :present gcloud functions delete "encore-$name" "${PLACE[@]}" --gen2 --quiet
done
gone() { [[ $(gcloud dataflow jobs describe "$1" "${PLACE[@]}" --format='value(currentState)') != *ING ]]; }
ask running-jobs gcloud dataflow jobs list "${PLACE[@]}" --status=active \
  --filter='name:encore-*' --format='value(id)' |
  while read -r id; do
    run gcloud dataflow jobs drain "$id" "${PLACE[@]}"
    await 1800 "The draining of job $id" gone "$id"
  done
for name in "$INDICES_JOB" "$SNAPSHOTS_JOB" "$GUARDS_JOB" "$REFERENCE_JOB"; do
  remove gcloud run jobs describe "$name" "${PLACE[@]}" \
    :present gcloud run jobs delete "$name" "${PLACE[@]}" --quiet
done
remove gcloud dataproc clusters describe "$CLUSTER" "${PLACE[@]}" \
  :present gcloud dataproc clusters delete "$CLUSTER" "${PLACE[@]}" --quiet

say "── stores"
if [[ ${DELETE_DATA-} ]]; then
  for name in "${SECRETS[@]}"; do
    remove gcloud secrets describe "$name" "${HERE[@]}" \
      :present gcloud secrets delete "$name" "${HERE[@]}" --quiet
  done
fi
if [[ $ES_MODE == vm ]]; then
  remove gcloud compute instances describe "$ES_VM" "${SPOT[@]}" \
    :present gcloud compute instances delete "$ES_VM" "${SPOT[@]}" --quiet
  [[ ${DELETE_DATA-} ]] && remove gcloud compute disks describe "$ES_VM" "${SPOT[@]}" \
    :present gcloud compute disks delete "$ES_VM" "${SPOT[@]}" --quiet
fi
if [[ $DRY_RUN ]] || exists gcloud redis instances describe "$REDIS" "${PLACE[@]}" --format=none; then
  [[ ${DELETE_DATA-} ]] || run gcloud redis instances export \
    "gs://$BACKUPS/redis/$(date -u +%Y%m%d-%H%M%S)-teardown.rdb" "$REDIS" "${PLACE[@]}"
  run gcloud redis instances delete "$REDIS" "${PLACE[@]}" --quiet
fi
if [[ ${DELETE_DATA-} ]]; then
  BQ=(bq --project_id="$PROJECT" --headless --quiet)
  if [[ $DRY_RUN ]] || exists "${BQ[@]}" show --dataset "$PROJECT:$DATASET"; then
    run "${BQ[@]}" rm --recursive --force --dataset "$PROJECT:$DATASET"
  fi
  remove gcloud pubsub subscriptions describe "$SUBSCRIPTION" "${HERE[@]}" \
    :present gcloud pubsub subscriptions delete "$SUBSCRIPTION" "${HERE[@]}"
  remove gcloud pubsub topics describe "$TOPIC" "${HERE[@]}" \
    :present gcloud pubsub topics delete "$TOPIC" "${HERE[@]}"
fi
buckets=("$TEMP")
[[ ${DELETE_DATA-} ]] && buckets+=("$MODELS" "$DATA" "$BACKUPS")
for name in "${buckets[@]}"; do
  remove gcloud storage buckets describe "gs://$name" "${HERE[@]}" \
    :present gcloud storage rm "gs://$name" "${HERE[@]}" --all-versions --recursive
done
remove gcloud artifacts repositories describe "$REPOSITORY" "${HERE[@]}" --location="$REGION" \
  :present gcloud artifacts repositories delete "$REPOSITORY" "${HERE[@]}" --location="$REGION" --quiet

say "── accounts and their roles"
if [[ $DRY_RUN ]] || exists gcloud iam service-accounts describe "$(email build)" "${HERE[@]}" --format=none; then
  grant gcloud projects remove-iam-policy-binding "$PROJECT" --condition="$SOURCES_ONLY" \
    --member="serviceAccount:$(email build)" --role=roles/storage.objectViewer --format=none
fi
for account in "${ACCOUNTS[@]}"; do
  for role in ${PROJECT_ROLES[$account]-}; do
    if exists gcloud iam service-accounts describe "$(email "$account")" "${HERE[@]}" --format=none ||
      [[ $DRY_RUN ]]; then
      grant gcloud projects remove-iam-policy-binding "$PROJECT" --condition=None \
        --member="serviceAccount:$(email "$account")" --role="roles/$role" --format=none
    fi
  done
  remove gcloud iam service-accounts describe "$(email "$account")" "${HERE[@]}" \
    :present gcloud iam service-accounts delete "$(email "$account")" "${HERE[@]}" --quiet
done

say "── network"
remove gcloud compute networks vpc-access connectors describe "$CONNECTOR" "${PLACE[@]}" \
  :present gcloud compute networks vpc-access connectors delete "$CONNECTOR" "${PLACE[@]}" --quiet
if [[ $DRY_RUN || -n $(gcloud services vpc-peerings list --network="$NETWORK" "${HERE[@]}" \
  --format='value(peering)') ]]; then
  run gcloud services vpc-peerings delete --network="$NETWORK" "${HERE[@]}" --quiet
fi
remove gcloud compute addresses describe "$PEERING_RANGE" "${HERE[@]}" --global \
  :present gcloud compute addresses delete "$PEERING_RANGE" "${HERE[@]}" --quiet --global
for name in dataflow dataproc elastic iap; do
  remove gcloud compute firewall-rules describe "encore-$name" "${HERE[@]}" \
    :present gcloud compute firewall-rules delete "encore-$name" "${HERE[@]}" --quiet
done
remove gcloud compute routers nats describe "$NAT" "${PLACE[@]}" --router="$ROUTER" \
  :present gcloud compute routers nats delete "$NAT" "${PLACE[@]}" --router="$ROUTER" --quiet
remove gcloud compute routers describe "$ROUTER" "${PLACE[@]}" \
  :present gcloud compute routers delete "$ROUTER" "${PLACE[@]}" --quiet
remove gcloud compute networks subnets describe "$SUBNET" "${PLACE[@]}" \
  :present gcloud compute networks subnets delete "$SUBNET" "${PLACE[@]}" --quiet
remove gcloud compute networks describe "$NETWORK" "${HERE[@]}" \
  :present gcloud compute networks delete "$NETWORK" "${HERE[@]}" --quiet
say "Encore is gone from $PROJECT."
