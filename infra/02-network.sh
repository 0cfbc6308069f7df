#!/usr/bin/env bash
# 02-network.sh [--dry-run]
#
# The private network: one VPC with one subnet for workers, a NAT for their way out (they have no
# public addresses), a range for Memorystore, a connector for the functions, and a firewall that
# lets in nothing but what the parts of Encore say to each other.

source "$(dirname "$0")/lib.sh"
begin "$@"

ensure gcloud compute networks describe "$NETWORK" --project="$PROJECT" \
  :absent gcloud compute networks create "$NETWORK" --project="$PROJECT" --subnet-mode=custom

ensure gcloud compute networks subnets describe "$SUBNET" --project="$PROJECT" --region="$REGION" \
  :absent gcloud compute networks subnets create "$SUBNET" --project="$PROJECT" --region="$REGION" \
  --network="$NETWORK" --range="$SUBNET_RANGE" --enable-private-ip-google-access

ensure gcloud compute routers describe "$ROUTER" --project="$PROJECT" --region="$REGION" \
  :absent gcloud compute routers create "$ROUTER" --project="$PROJECT" --region="$REGION" \
  --network="$NETWORK"

ensure gcloud compute routers nats describe "$NAT" --project="$PROJECT" --region="$REGION" \
  --router="$ROUTER" \
  :absent gcloud compute routers nats create "$NAT" --project="$PROJECT" --region="$REGION" \
  --router="$ROUTER" --nat-all-subnet-ip-ranges --auto-allocate-nat-external-ips

# firewall NAME DIRECTION-FREE RULE FLAGS…
firewall() {
  local name=encore-$1
  shift
  ensure gcloud compute firewall-rules describe "$name" --project="$PROJECT" \
    :absent gcloud compute firewall-rules create "$name" --project="$PROJECT" \
    --network="$NETWORK" --direction=INGRESS "$@"
}
firewall dataflow --allow=tcp:12345-12346 --source-tags=dataflow --target-tags=dataflow
firewall dataproc --allow=tcp,udp,icmp --source-ranges="$SUBNET_RANGE" --target-tags=encore-dataproc
if [[ $ES_MODE == vm ]]; then
  firewall elastic --allow=tcp:9200 --source-ranges="$SUBNET_RANGE,$CONNECTOR_RANGE" \
    --target-tags=encore-elastic
  # The range from which Google's Identity-Aware Proxy forwards: SSH and Kibana, for people.
  firewall iap --allow=tcp:22,tcp:5601 --source-ranges=35.235.240.0/20 --target-tags=encore-elastic
fi

# Memorystore lives in Google's network, joined to ours by this range.
ensure gcloud compute addresses describe "$PEERING_RANGE" --project="$PROJECT" --global \
  :absent gcloud compute addresses create "$PEERING_RANGE" --project="$PROJECT" \
  --purpose=VPC_PEERING --prefix-length=20 --network="$NETWORK" --global
peered=$(ask '' gcloud services vpc-peerings list --network="$NETWORK" --project="$PROJECT" \
  --format='value(peering)')
if [[ $DRY_RUN || -z $peered ]]; then
  run gcloud services vpc-peerings connect --network="$NETWORK" --ranges="$PEERING_RANGE" \
    --project="$PROJECT"
fi

ensure gcloud compute networks vpc-access connectors describe "$CONNECTOR" --project="$PROJECT" \
  --region="$REGION" \
  :absent gcloud compute networks vpc-access connectors create "$CONNECTOR" --project="$PROJECT" \
  --region="$REGION" --network="$NETWORK" --range="$CONNECTOR_RANGE" \
  --min-instances=2 --max-instances=4 --machine-type=e2-micro
