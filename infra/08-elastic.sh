#!/usr/bin/env bash
# 08-elastic.sh [--dry-run]
#
# Where Elasticsearch and Kibana are.
#   ENCORE_ES_MODE=cloud   an Elastic Cloud deployment that you made: its URL is ENCORE_ES_URL, its
#                          two API keys are files in ENCORE_SECRETS_DIR. Nothing is made here.
#   ENCORE_ES_MODE=vm      a trial: one VM without a public address, which installs both, makes the
#                          two API keys itself and puts them into Secret Manager.
# Indices, retention and dashboards are set up by 11-setup.sh, which runs inside the network.

source "$(dirname "$0")/lib.sh"
begin "$@"

for name in encore-es-api-key encore-es-board-key; do ensure_secret "$name"; done

if [[ $ES_MODE == cloud ]]; then
  need ENCORE_ES_URL
  say "Elasticsearch is $ENCORE_ES_URL"
  exit 0
fi
[[ $ES_MODE == vm ]] || die "ENCORE_ES_MODE is cloud or vm, not $ES_MODE."

for name in encore-es-api-key encore-es-board-key; do
  grant_on secretmanager.secretVersionAdder elastic gcloud secrets "$name"
done

ensure gcloud compute disks describe "$ES_VM" --project="$PROJECT" --zone="$ES_ZONE" \
  :absent gcloud compute disks create "$ES_VM" --project="$PROJECT" --zone="$ES_ZONE" \
  --size="${ENCORE_ES_DISK_GB:-200}GB" --type=pd-balanced --labels="$LABELS"

ensure gcloud compute instances describe "$ES_VM" --project="$PROJECT" --zone="$ES_ZONE" \
  :absent gcloud compute instances create "$ES_VM" --project="$PROJECT" --zone="$ES_ZONE" \
  --machine-type="${ENCORE_ES_MACHINE:-e2-standard-4}" --subnet="$SUBNET" \
  --image-family=debian-12 --image-project=debian-cloud --tags=encore-elastic \
  --disk="name=$ES_VM,device-name=data,auto-delete=no" --labels="$LABELS" \
  --service-account="$(email elastic)" --scopes=cloud-platform \
  --metadata="es-version=${ENCORE_ES_VERSION:-8.19.5},backups=$BACKUPS" \
  --metadata-from-file="startup-script=$INFRA/elastic-vm.sh" --shielded-secure-boot --no-address

keys_are_there() { [[ -n $(secret_version encore-es-api-key) && -n $(secret_version encore-es-board-key) ]]; }
await 900 "Elasticsearch on $ES_VM" keys_are_there
