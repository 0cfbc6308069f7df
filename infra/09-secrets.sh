#!/usr/bin/env bash
# 09-secrets.sh [--dry-run]
#
# Fills Secret Manager and says who may read what. A value comes from the file of its name (without
# encore-) in ENCORE_SECRETS_DIR, else from the version that is there already; Redis's is put together here,
# and the doors' keys are drawn at random when there are none. Values go over standard input only.
# To rotate: change the file, run this, then the scripts that use it (RUNBOOK.md, "Rotation").

source "$(dirname "$0")/lib.sh"
begin "$@"

# The instance's own certificates, as a value of a URL.
url_encode() {
  local text
  text=$(cat; printf .)
  text=${text%.}
  text=${text//%/%25} text=${text//+/%2B} text=${text//\//%2F} text=${text//=/%3D}
  text=${text// /%20} text=${text//$'\n'/%0A}
  printf '%s' "$text"
}

# rediss://…: password and certificate in one value. The certificate authority is this instance's
# alone, so a certificate that it signed is the instance's, whatever name it carries.
redis_url() {
  local -a instance=(gcloud redis instances describe "$REDIS" --project="$PROJECT" --region="$REGION")
  local host password
  host=$("${instance[@]}" --format='value(host)')
  password=$(gcloud redis instances get-auth-string "$REDIS" --project="$PROJECT" \
    --region="$REGION" --format='value(authString)')
  printf 'rediss://:%s@%s:6378/0?ssl_check_hostname=false&ssl_ca_data=%s' "$password" "$host" \
    "$("${instance[@]}" --flatten='serverCaCerts[]' --format='value(serverCaCerts.cert)' | url_encode)"
}

random_keys() { printf '{"%s":"%s"}' "$1-1" "$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')"; }

# fill NAME: from the folder, else made by the command in $2, else it has to be there.
fill() {
  local name=$1 file=${ENCORE_SECRETS_DIR:-/nonexistent}/${1#encore-}
  if [[ $DRY_RUN ]]; then put_secret "$name"
  elif [[ -r $file ]]; then put_secret "$name" <"$file"
  elif [[ -z $(secret_version "$name") ]]; then
    [[ -n ${2-} ]] || die "Secret $name has no value: put it into $file (ENCORE_SECRETS_DIR)."
    "${@:2}" | put_secret "$name"
  fi
}

for name in "${SECRETS[@]}"; do ensure_secret "$name"; done

if [[ $DRY_RUN ]]; then put_secret encore-redis-url; else redis_url | put_secret encore-redis-url; fi
fill encore-ingest-keys random_keys ingest
fill encore-offer-keys random_keys offer
if [[ $ES_MODE == cloud ]]; then
  fill encore-es-api-key
  fill encore-es-board-key
fi
if [[ -n ${TWILIO_ACCOUNT_SID-} ]]; then fill encore-twilio-auth-token; fi

for name in "${SECRETS[@]}"; do
  for account in ${SECRET_READERS[$name]}; do
    grant_on secretmanager.secretAccessor "$account" gcloud secrets "$name"
  done
done
