#!/usr/bin/env bash
# daily.sh --day=YYYY-MM-DD [--dry-run]
#
# The bounded run over one closed day (UTC) on Dataflow batch, as Cloud Scheduler starts it every
# night: for a day that was missed, or after reference data got better. A day is written whole, so
# running it again changes nothing.

VALUES=--day
source "$(dirname "$0")/lib.sh"
begin "$@"
[[ ${DAY-} =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}$ ]] || die "Give the day: daily.sh --day=YYYY-MM-DD."
need_secret encore-redis-url

run gcloud dataflow flex-template run "$DAILY-${DAY//-/}" --project="$PROJECT" --region="$REGION" \
  --template-file-gcs-location="gs://$TEMP/templates/daily.json" \
  --parameters="entry=daily,day=$DAY,redis=$(secret_reference encore-redis-url),bigquery=$PROJECT.$DATASET,sdk_container_image=$IMAGE" \
  --service-account-email="$(email dataflow)" --subnetwork="regions/$REGION/subnetworks/$SUBNET" \
  --temp-location="gs://$TEMP/dataflow" --staging-location="gs://$TEMP/dataflow" \
  --worker-machine-type="${ENCORE_WORKER_MACHINE:-n2-standard-2}" \
  --max-workers="${ENCORE_WORKERS_MAX:-4}" --additional-user-labels="$LABELS" --disable-public-ips
