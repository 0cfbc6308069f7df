#!/usr/bin/env bash
# 12-functions.sh [--dry-run]
#
# Deploys the four doors as Cloud Functions (2nd gen), each from a folder of its own code, with its
# own account, its secrets at the newest version, and the connector to Redis.
#   ingest  takes events; open to signed requests (hmac) or to Google identities (iam)
#   offer   what to show a customer at login; likewise
#   sms     sends what is in the outbox; Cloud Scheduler calls it, Twilio calls its webhook
#   board   the live page; for ENCORE_BOARD_VIEWERS alone

source "$(dirname "$0")/lib.sh"
source "$INFRA/stage.sh"
begin "$@"
need_secret encore-redis-url encore-ingest-keys encore-offer-keys encore-es-board-key

secret_at() { printf '%s=%s:%s' "$1" "$2" "$(secret_version "$2")"; }

# deploy NAME ENVIRONMENT SECRETS FLAGS…
deploy() {
  local name=$1 environment=$2 secrets=$3 folder
  shift 3
  folder=$(stage_function "$name")
  run gcloud functions deploy "encore-$name" --project="$PROJECT" --region="$REGION" \
    --runtime=python312 --entry-point="$name" --source="$folder" \
    --service-account="$(email "$name")" \
    --build-service-account="projects/$PROJECT/serviceAccounts/$(email build)" \
    --docker-repository="projects/$PROJECT/locations/$REGION/repositories/$REPOSITORY" \
    --vpc-connector="$CONNECTOR" --egress-settings=private-ranges-only \
    --update-labels="$LABELS" --set-env-vars="$environment" --set-secrets="$secrets" \
    "$@" --gen2 --trigger-http
}

# Who may call: everybody where the function itself asks for a signature, else nobody yet.
open_to() { if [[ $1 == hmac ]]; then echo --allow-unauthenticated; else echo --no-allow-unauthenticated; fi; }

TOPIC_OF=ENCORE_PROJECT=$PROJECT,ENCORE_TOPIC=$TOPIC
auth=${ENCORE_INGEST_AUTH:-hmac}
deploy ingest "$TOPIC_OF,ENCORE_AUTH=$auth" \
  "$(secret_at ENCORE_KEYS encore-ingest-keys),$(secret_at REDIS_URL encore-redis-url)" \
  --min-instances="${ENCORE_INGEST_MIN:-1}" --max-instances="${ENCORE_INGEST_MAX:-20}" \
  --concurrency=40 --cpu=2 --memory=1Gi --timeout=30s "$(open_to "$auth")"

auth=${ENCORE_OFFER_AUTH:-hmac}
deploy offer "ENCORE_AUTH=$auth" \
  "$(secret_at ENCORE_KEYS encore-offer-keys),$(secret_at REDIS_URL encore-redis-url)" \
  --min-instances="${ENCORE_OFFER_MIN:-1}" --max-instances="${ENCORE_OFFER_MAX:-10}" \
  --concurrency=80 --cpu=1 --memory=512Mi --timeout=10s "$(open_to "$auth")"

# Open for Twilio's webhook, whose signature it checks; sending needs the scheduler's token. One
# instance at most: runs do not overlap, and a second would have nothing to do.
if [[ -n ${TWILIO_ACCOUNT_SID-} ]]; then
  need_secret encore-twilio-auth-token
  carrier=TWILIO_ACCOUNT_SID=${TWILIO_ACCOUNT_SID-},TWILIO_FROM=${TWILIO_FROM-}
  language=ENCORE_SMS_LANGUAGE=${ENCORE_SMS_LANGUAGE:-en}
  deploy sms "$TOPIC_OF,ENCORE_AUTH=oidc,ENCORE_SCHEDULER_ACCOUNT=$(email scheduler),$carrier,$language" \
    "$(secret_at TWILIO_AUTH_TOKEN encore-twilio-auth-token),$(secret_at REDIS_URL encore-redis-url)" \
    --min-instances=0 --max-instances=1 --concurrency=8 --cpu=1 --memory=512Mi --timeout=60s \
    --allow-unauthenticated
fi

model=BOARD_MODEL=gs://$MODELS/models/current.json
deploy board "ELASTICSEARCH_URL=$(es_url),BOARD_CUSTOMERS=${ENCORE_BOARD_CUSTOMERS:-0},$model" \
  "$(secret_at ELASTICSEARCH_API_KEY encore-es-board-key),$(secret_at REDIS_URL encore-redis-url)" \
  --min-instances=0 --max-instances=3 --concurrency=80 --cpu=1 --memory=1Gi --timeout=30s \
  --no-allow-unauthenticated
for viewer in ${ENCORE_BOARD_VIEWERS-}; do
  grant gcloud run services add-iam-policy-binding encore-board --project="$PROJECT" \
    --region="$REGION" --member="$viewer" --role=roles/run.invoker --format=none
done
