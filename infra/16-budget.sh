#!/usr/bin/env bash
# 16-budget.sh [--dry-run]
#
# A budget for the project on ENCORE_BILLING_ACCOUNT: ENCORE_BUDGET a month, mails at 50, 90 and
# 100 % of it, and when the month is forecast to pass it. It warns, it does not switch anything off.

source "$(dirname "$0")/lib.sh"
begin "$@"
need ENCORE_BILLING_ACCOUNT ENCORE_BUDGET

NAME="Encore in $PROJECT"
# shellcheck disable=SC2054 # the comma is in the value
RULES=(--threshold-rule=percent=0.5 --threshold-rule=percent=0.9 --threshold-rule=percent=1.0
  --threshold-rule=percent=1.0,basis=forecasted-spend)

channel=$(ask 'e-mail channel' gcloud beta monitoring channels list --project="$PROJECT" \
  --filter="displayName=Encore" --format='value(name)' --limit=1)
budget=
[[ $DRY_RUN ]] || budget=$(gcloud billing budgets list --billing-account="$ENCORE_BILLING_ACCOUNT" \
  --filter="displayName=\"$NAME\"" --format='value(name)' --limit=1)

if [[ -z $budget ]]; then
  run gcloud billing budgets create --billing-account="$ENCORE_BILLING_ACCOUNT" \
    --display-name="$NAME" --budget-amount="$ENCORE_BUDGET" --filter-projects="projects/$PROJECT" \
    "${RULES[@]}" ${channel:+--notifications-rule-monitoring-notification-channels="$channel"}
else
  run gcloud billing budgets update "$budget" --budget-amount="$ENCORE_BUDGET"
fi
