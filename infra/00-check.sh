#!/usr/bin/env bash
# 00-check.sh [--dry-run]
#
# Looks at all that the other scripts stand on before any of them makes something, and says
# everything that is missing at once: tools, settings, files of secrets and reference data, and
# (not in a dry run) the login, the project and its billing. It makes nothing.

source "$(dirname "$0")/lib.sh"
begin "$@"

missing=()
lacks() { missing+=("$*"); }
# matches NAME PATTERN WORDS: a setting of a certain shape, where it has a value
matches() { [[ -z ${!1-} || ${!1} =~ ^($2)$ ]] || lacks "$1 is $3, not ${!1}."; }
# given NAME WHY: a setting without which a later script would stop
given() { [[ -n ${!1-} ]] || lacks "$1 is empty: $2."; }

for tool in gcloud bq git; do
  command -v "$tool" >/dev/null || lacks "$tool is not installed."
done
python=${ENCORE_PYTHON:-python3}
"$python" -c 'import sys, pip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null ||
  lacks "$python is not Python 3.11 to 3.13 with pip (ENCORE_PYTHON)."

matches ENCORE_PROJECT '[a-z][a-z0-9-]{4,28}[a-z0-9]' "a project's id"
matches ENCORE_REGION '[a-z]+-[a-z]+[0-9]+' "a region, like us-central1"
matches ENCORE_ES_MODE 'cloud|vm' "cloud or vm"
for name in ENCORE_INGEST_AUTH ENCORE_OFFER_AUTH; do matches "$name" 'hmac|iam' "hmac or iam"; done
matches ENCORE_REDIS_TIER 'standard|basic' "standard or basic"
matches ENCORE_SMS_LANGUAGE 'en|ko' "en or ko"
matches ENCORE_BILLING_ACCOUNT '[0-9A-F]{6}-[0-9A-F]{6}-[0-9A-F]{6}' "like 012345-6789AB-CDEF01"
matches ENCORE_BUDGET '[0-9]+(\.[0-9]+)?[A-Z]{3}' "an amount and a currency, like 1000USD"
matches ENCORE_ALERT_EMAIL '[^ @]+@[^ @]+' "an address"
given ENCORE_ALERT_EMAIL "somebody has to be told of alerts"
given ENCORE_BILLING_ACCOUNT "the budget needs it (gcloud billing accounts list shows yours)"
given ENCORE_BUDGET "the budget needs it"

# secret_file NAME: its file, or a version that is there from an earlier run
secret_file() {
  [[ -r ${ENCORE_SECRETS_DIR:-/nonexistent}/$1 ]] && return
  [[ ! $DRY_RUN && -n $(secret_version "encore-$1" 2>/dev/null || true) ]] && return
  lacks "There is no file $1 in ENCORE_SECRETS_DIR (${ENCORE_SECRETS_DIR:-which is empty})."
}
case $ES_MODE in
  cloud)
    given ENCORE_ES_URL "where Elastic Cloud is, or set ENCORE_ES_MODE=vm for a trial"
    secret_file es-api-key
    secret_file es-board-key
    ;;
esac
if [[ -n ${TWILIO_ACCOUNT_SID-} ]]; then
  given TWILIO_FROM "the number that messages come from"
  secret_file twilio-auth-token
fi
if [[ ${ENCORE_SECRETS_DIR-} ]]; then
  [[ -d $ENCORE_SECRETS_DIR ]] || lacks "ENCORE_SECRETS_DIR is no folder: $ENCORE_SECRETS_DIR."
  case $(cd "$ENCORE_SECRETS_DIR" 2>/dev/null && pwd)/ in
    "$ROOT"/*) lacks "ENCORE_SECRETS_DIR lies in the repository: put it elsewhere." ;;
  esac
fi
for name in ENCORE_CUSTOMERS ENCORE_TRACKS; do
  [[ -z ${!name-} || ${!name} == gs://* || -r ${!name} ]] || lacks "$name cannot be read: ${!name}."
done

if [[ ! $DRY_RUN ]]; then
  if ! told=$(gcloud projects describe "$PROJECT" --format='value(projectId)' 2>&1 </dev/null); then
    lacks "gcloud does not reach the project $PROJECT (gcloud auth login?): ${told//$'\n'/ }"
  elif [[ $(gcloud billing projects describe "$PROJECT" --format='value(billingEnabled)' 2>&1 </dev/null) == False ]]; then
    lacks "The project $PROJECT has no billing: gcloud billing projects link $PROJECT --billing-account=…"
  fi
fi

((${#missing[@]})) || { say "  all there"; exit 0; }
for sentence in "${missing[@]}"; do say "  $sentence"; done
[[ $DRY_RUN ]] && { say "  (the plan goes on; in it stands <NAME> for what is missing)"; exit 0; }
die "${#missing[@]} missing; nothing was made. The settings are ${ENCORE_SETTINGS:-infra/settings.env}."
