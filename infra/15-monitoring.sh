#!/usr/bin/env bash
# 15-monitoring.sh [--dry-run]
#
# Metrics from log lines, one dashboard, and the alerts, all from files in infra/monitoring. Alerts
# go by e-mail to ENCORE_ALERT_EMAIL; each says where in RUNBOOK.md to read on.

source "$(dirname "$0")/lib.sh"
begin "$@"
need ENCORE_ALERT_EMAIL

for file in "$INFRA"/monitoring/metrics/*.json; do
  name=encore/$(basename "$file" .json)
  ensure gcloud logging metrics describe "$name" --project="$PROJECT" \
    :absent gcloud logging metrics create "$name" --project="$PROJECT" --config-from-file="$file" \
    :present gcloud logging metrics update "$name" --project="$PROJECT" --config-from-file="$file"
done

# channel prints the name of the e-mail channel, nothing when there is none.
channel() {
  ask 'e-mail channel' gcloud beta monitoring channels list --project="$PROJECT" \
    --filter="displayName=Encore" --format='value(name)' --limit=1
}
if [[ $DRY_RUN || -z $(channel) ]]; then
  run gcloud beta monitoring channels create --project="$PROJECT" --display-name=Encore \
    --type=email --channel-labels="email_address=$ENCORE_ALERT_EMAIL" --user-labels="$LABELS"
fi
channel=$(channel)

for file in "$INFRA"/monitoring/alerts/*.json; do
  title=$(sed -n 's/^  "displayName": "\(.*\)",$/\1/p' "$file")
  policy=
  [[ $DRY_RUN ]] || policy=$(gcloud alpha monitoring policies list --project="$PROJECT" \
    --filter="displayName=\"$title\"" --format='value(name)' --limit=1)
  # A metric that was made a moment ago is no metric yet for an alert.
  if [[ -z $policy ]]; then
    settle 'cannot find metric' gcloud alpha monitoring policies create --project="$PROJECT" \
      --policy-from-file="$file" --notification-channels="$channel" --user-labels="$LABELS"
  else
    settle 'cannot find metric' gcloud alpha monitoring policies update "$policy" --project="$PROJECT" \
      --policy-from-file="$file" --set-notification-channels="$channel"
  fi
done

# A dashboard holds nothing, so a newer one replaces it under the same address.
mkdir -p "$BUILD"
sed "1s|{|{\n  \"name\": \"projects/$PROJECT/dashboards/encore\",|" "$INFRA/monitoring/dashboard.json" \
  >"$BUILD/dashboard.json"
if exists gcloud monitoring dashboards describe encore --project="$PROJECT" --format=none; then
  run gcloud monitoring dashboards delete encore --project="$PROJECT" --quiet
fi
run gcloud monitoring dashboards create --project="$PROJECT" \
  --config-from-file="$BUILD/dashboard.json"
