#!/usr/bin/env bash
# 05-pubsub.sh [--dry-run]
#
# The topic `events` and its one subscription. Acknowledged messages are kept for 7 days, so that a
# pipeline that lost its state can go back; there is no dead-letter policy, no ordering and no
# exactly-once delivery, which do not go together with a Dataflow source.

source "$(dirname "$0")/lib.sh"
begin "$@"

ensure gcloud pubsub topics describe "$TOPIC" --project="$PROJECT" \
  :absent gcloud pubsub topics create "$TOPIC" --project="$PROJECT" --labels="$LABELS"

ensure gcloud pubsub subscriptions describe "$SUBSCRIPTION" --project="$PROJECT" \
  :absent gcloud pubsub subscriptions create "$SUBSCRIPTION" --project="$PROJECT" \
  --topic="$TOPIC" --ack-deadline=60 --message-retention-duration=7d \
  --expiration-period=never --labels="$LABELS" --retain-acked-messages \
  :present gcloud pubsub subscriptions update "$SUBSCRIPTION" --project="$PROJECT" \
  --ack-deadline=60 --message-retention-duration=7d --retain-acked-messages

grant_on pubsub.publisher ingest gcloud pubsub topics "$TOPIC"
grant_on pubsub.publisher sms gcloud pubsub topics "$TOPIC"
grant_on pubsub.subscriber dataflow gcloud pubsub subscriptions "$SUBSCRIPTION"
grant_on pubsub.viewer dataflow gcloud pubsub subscriptions "$SUBSCRIPTION"
