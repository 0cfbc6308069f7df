#!/usr/bin/env bash
# 14-schedules.sh [--dry-run]
#
# What happens by the clock, by Cloud Scheduler:
#   encore-daily      ENCORE_DAILY_AT   the bounded run over yesterday, a Dataflow batch job:
#                                       profiles, features, examples
#   encore-training   ENCORE_TRAIN_AT   a Vertex AI job in our image: train, gate, promote
#   encore-sms        ENCORE_SMS_EVERY  sends what is in the outbox
# The calls are made as accounts that can do this and nothing else. To do one of them now:
# infra/daily.sh, infra/train.sh, or `gcloud scheduler jobs run NAME`.

source "$(dirname "$0")/lib.sh"
source "$INFRA/jobs.sh"
begin "$@"
need_secret encore-redis-url

# schedule NAME CRON DESCRIPTION URI FLAGS…
schedule() {
  local name=$1 cron=$2 description=$3 uri=$4
  shift 4
  local -a place=("$name" --project="$PROJECT" --location="$REGION")
  local -a what=(--schedule="$cron" --time-zone=Etc/UTC --uri="$uri" --http-method=POST
    --description="$description" "$@")
  ensure gcloud scheduler jobs describe "${place[@]}" \
    :absent gcloud scheduler jobs create http "${place[@]}" "${what[@]}" \
    --headers=Content-Type=application/json \
    :present gcloud scheduler jobs update http "${place[@]}" "${what[@]}" \
    --update-headers=Content-Type=application/json
}

body_file() { # NAME: the body on standard input becomes a file
  mkdir -p "$BUILD/bodies"
  cat >"$BUILD/bodies/$1.json"
  printf '%s/bodies/%s.json' "$BUILD" "$1"
}

schedule "$DAILY" "${ENCORE_DAILY_AT:-15 1 * * *}" "Profiles, features and examples of yesterday" \
  "$(daily_uri)" --message-body-from-file="$(daily_body | body_file daily)" \
  --oauth-service-account-email="$(email daily)" --attempt-deadline=180s --max-retry-attempts=3

schedule "$TRAINING" "${ENCORE_TRAIN_AT:-0 3 * * 1}" "Train, gate and promote" \
  "$(training_uri)" --message-body-from-file="$(training_body | body_file training)" \
  --oauth-service-account-email="$(email scheduler)" --attempt-deadline=180s --max-retry-attempts=3

if [[ -n ${TWILIO_ACCOUNT_SID-} ]]; then
  grant gcloud run services add-iam-policy-binding encore-sms --project="$PROJECT" \
    --region="$REGION" --member="serviceAccount:$(email scheduler)" --role=roles/run.invoker \
    --format=none
  url=$(ask 'URL of encore-sms' gcloud functions describe encore-sms --project="$PROJECT" \
    --region="$REGION" --format='value(serviceConfig.uri)' --gen2)
  schedule "$SMS_JOB" "${ENCORE_SMS_EVERY:-* * * * *}" "Send what is in the outbox" \
    "$url/v1/send" --message-body='{}' --oidc-service-account-email="$(email scheduler)" \
    --oidc-token-audience="$url" --attempt-deadline=60s --max-retry-attempts=0
fi
