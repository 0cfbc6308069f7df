#!/usr/bin/env bash
# 07-redis.sh [--dry-run]
#
# Memorystore for Redis, with a password and TLS, on the private network alone. Guards and contacts
# live here without expiry, so it never evicts: when it is full, writes fail and the alert comes.

source "$(dirname "$0")/lib.sh"
begin "$@"

ensure gcloud redis instances describe "$REDIS" --project="$PROJECT" --region="$REGION" \
  :absent gcloud redis instances create "$REDIS" --project="$PROJECT" --region="$REGION" \
  --size="${ENCORE_REDIS_GB:-5}" --tier="${ENCORE_REDIS_TIER:-standard}" --redis-version=redis_7_2 \
  --network="projects/$PROJECT/global/networks/$NETWORK" --connect-mode=private-service-access \
  --reserved-ip-range="$PEERING_RANGE" --transit-encryption-mode=server-authentication \
  --redis-config=maxmemory-policy=noeviction --persistence-mode=rdb --rdb-snapshot-period=6h \
  --labels="$LABELS" --enable-auth \
  :present gcloud redis instances update "$REDIS" --project="$PROJECT" --region="$REGION" \
  --size="${ENCORE_REDIS_GB:-5}" --update-redis-config=maxmemory-policy=noeviction \
  --update-labels="$LABELS"

# The instance's own identity writes its exports (backup.sh) and reads them (restore.sh).
identity=$(ask 'identity of Redis' gcloud redis instances describe "$REDIS" --project="$PROJECT" \
  --region="$REGION" --format='value(persistenceIamIdentity)')
grant gcloud storage buckets add-iam-policy-binding "gs://$BACKUPS" --project="$PROJECT" \
  --member="$identity" --role=roles/storage.objectAdmin --format=none
