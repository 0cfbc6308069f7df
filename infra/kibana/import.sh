#!/usr/bin/env bash
# import.sh [--dry-run] KIBANA_URL
#
# Imports Encore's data views and dashboards into Kibana (8.19 or later), replacing what an earlier
# import left. The API key comes on standard input or from ENCORE_KIBANA_API_KEY; a Kibana without
# security needs none. ENCORE_KIBANA_SPACE names a space other than the default one.

set -euo pipefail

usage() {
  sed -n '2,6s/^# \{0,1\}//p' "$0"
}

dry_run=
case ${1-} in
  -h | --help) usage && exit 0 ;;
  --dry-run) dry_run=1 && shift ;;
esac
if [[ $# -ne 1 || ! $1 =~ ^https?:// ]]; then
  echo "import.sh needs the address of Kibana, such as https://kibana.example:5601" >&2
  exit 2
fi

file=$(dirname "$0")/encore.ndjson
space=${ENCORE_KIBANA_SPACE:+/s/$ENCORE_KIBANA_SPACE}
address="${1%/}$space/api/saved_objects/_import?overwrite=true"

if [[ $dry_run ]]; then
  echo "POST $address with $file"
  exit 0
fi

# The key goes in by a file that nobody else can read, not by the command line.
headers=$(mktemp)
trap 'rm -f "$headers"' EXIT
chmod 600 "$headers"
echo "kbn-xsrf: encore" >"$headers"
key=${ENCORE_KIBANA_API_KEY-}
if [[ ! $key && ! -t 0 ]]; then IFS= read -r key || true; fi
if [[ $key ]]; then echo "Authorization: ApiKey $key" >>"$headers"; fi

answer=$(curl --silent --show-error --fail-with-body --max-time 60 --header "@$headers" \
  --form "file=@$file" "$address")
if [[ $answer != *'"success":true'* ]]; then
  echo "Kibana did not take all of it: $answer" >&2
  exit 1
fi
echo "Imported into $1: open Dashboards, then Encore."
