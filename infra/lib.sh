# shellcheck shell=bash
# What every script of this folder stands on. It is sourced, never run.
#
#   begin "$@"                  --help, --dry-run, the script's own flags, the settings
#   run CMD…                    show a command, and carry it out unless this is a dry run
#   exists CMD…                 whether a describe command finds its thing
#   ensure DESCRIBE… :absent CREATE… [:present UPDATE…]
#   remove DESCRIBE… :present DELETE…
#   ask NAME CMD…               a value from the project; <NAME> in a dry run
#   await SECONDS WHAT CMD…     try a command until it succeeds
#   settle PATTERN CMD…         run, and again while Google does not know yet what was just made
#   grant…                      one IAM binding
#   put_secret NAME             a new version from standard input, if it differs

((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] >= 404)) || {
  echo "bash 4.4 or newer is needed; this is $BASH_VERSION." >&2
  exit 2
}
set -euo pipefail
# Nobody is asked anything half way.
export CLOUDSDK_CORE_DISABLE_PROMPTS=1

INFRA=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(dirname "$INFRA")
DRY_RUN=${ENCORE_DRY_RUN:-}
# Folders and files on their way to Google; below the folder that git ignores.
# shellcheck disable=SC2034
BUILD=${ENCORE_BUILD:-$ROOT/.local/cloud}
# What the tools say, in small letters, when a thing is not there; anything else that goes wrong stops the script.
ABSENT='not.?found|does not exist|may not exist|404'

# One sentence, and exit 2.
die() {
  printf '%s\n' "$*" >&2
  exit 2
}

say() { printf '%s\n' "$*" >&2; }

# The comment at the head of a script is its --help.
help() { sed -n '2,/^[^#]/{ /^#/!d; s/^# \{0,1\}//; p; }' "$0"; }

# Reads the command line and the settings. FLAGS names the script's own switches and VALUES its
# options with a value, separated by spaces; `--delete-data` becomes DELETE_DATA=1 and
# `--day=X` becomes DAY=X.
begin() {
  local word name
  for word in ${FLAGS-} ${VALUES-}; do
    name=${word#--} name=${name//-/_}
    unset "${name^^}"
  done
  for word; do
    name=${word%%=*}
    case " --help -h --dry-run ${FLAGS-} " in
      *" $word "*) ;;
      *) [[ $word == --*=* && " ${VALUES-} " == *" $name "* ]] ||
        die "$(basename "$0") does not know $word; see $(basename "$0") --help." ;;
    esac
    case $word in
      --help | -h) help && exit 0 ;;
      --dry-run) DRY_RUN=1 ;;
      *) name=${name#--} name=${name//-/_}
        if [[ $word == *=* ]]; then printf -v "${name^^}" '%s' "${word#*=}"
        else printf -v "${name^^}" '%s' 1; fi ;;
    esac
  done
  read_settings
}

read_settings() {
  local file=${ENCORE_SETTINGS:-$INFRA/settings.env}
  [[ -r $file ]] || die "There is no $file: copy infra/settings.example.env to it and fill it in."
  # shellcheck disable=SC1090
  source "$file"
  local name
  for name in ENCORE_PROJECT ENCORE_REGION; do
    [[ -n ${!name-} ]] || die "$name is empty in $file."
  done
  # shellcheck source=names.sh
  source "$INFRA/names.sh"
  # Quota and everything that is not said otherwise: this project, whichever one gcloud is set to.
  export CLOUDSDK_CORE_PROJECT=$PROJECT
}

# A setting that only some scripts need; in a dry run <NAME> stands for one that is empty.
need() {
  local name
  for name; do
    [[ -n ${!name-} ]] && continue
    [[ $DRY_RUN ]] || die "$name is empty in the settings: $(basename "$0") needs it."
    printf -v "$name" '<%s>' "$name"
  done
}

# A command as it could be typed.
typed() {
  local word line=
  for word; do
    if [[ $word =~ ^[A-Za-z0-9_./:=,@%+~-]+$ ]]; then line+=" $word"; else line+=" ${word@Q}"; fi
  done
  printf '%s' "${line# }"
}

# A dry run's plan is the output; a run's commands are told beside it.
show() {
  if [[ $DRY_RUN ]]; then printf '%s\n' "$(typed "$@")"; else say "» $(typed "$@")"; fi
}

run() {
  show "$@"
  [[ $DRY_RUN ]] || "$@" </dev/null
}

# Runs a command with a file on its standard input.
run_from() {
  local file=$1
  shift
  if [[ $DRY_RUN ]]; then printf '%s < %s\n' "$(typed "$@")" "${file#"$ROOT"/}"; return; fi
  show "$@"
  "$@" <"$file"
}

exists() {
  [[ $DRY_RUN ]] && return 1
  local answer
  if answer=$("$@" 2>&1 </dev/null); then return 0; fi
  [[ ${answer,,} =~ $ABSENT ]] && return 1
  die "Cannot tell whether it is there ($*): $answer"
}

# Sorts the words of a command line into the arrays describe, absent and present.
parts() {
  local word target=describe
  describe=() absent=() present=()
  for word; do
    case $word in
      :absent | :present) target=${word#:} ;;
      *) case $target in
        describe) describe+=("$word") ;;
        absent) absent+=("$word") ;;
        present) present+=("$word") ;;
      esac ;;
    esac
  done
}

ensure() {
  local -a describe absent present
  parts "$@"
  if ! exists "${describe[@]}" --format=none; then run "${absent[@]}"
  elif ((${#present[@]})); then run "${present[@]}"
  else say "  is there: ${describe[*]:1:5}"; fi
}

# remove DESCRIBE… :present DELETE…: something that may be gone already
remove() {
  local -a describe absent present
  parts "$@"
  if [[ $DRY_RUN ]] || exists "${describe[@]}" --format=none; then run "${present[@]}"; fi
}

ask() {
  local name=$1
  shift
  if [[ $DRY_RUN ]]; then printf '<%s>\n' "$name"; else "$@"; fi
}

await() {
  local seconds=$1 what=$2
  shift 2
  [[ $DRY_RUN ]] && return
  local deadline=$((SECONDS + seconds))
  until "$@" </dev/null; do
    ((SECONDS < deadline)) || die "$what: not within $seconds s; RUNBOOK.md says what to do."
    sleep "${ENCORE_POLL:-10}"
  done
}

# settle PATTERN CMD…: some of what has just been made is known everywhere only after seconds or
# minutes. Runs a command again while its error, in small letters, matches; for 15 minutes.
settle() {
  local pattern=$1 told deadline=$((SECONDS + 900))
  shift
  show "$@"
  [[ $DRY_RUN ]] && return
  until told=$("$@" 2>&1 </dev/null); do
    if [[ ! ${told,,} =~ $pattern ]] || ((SECONDS >= deadline)); then
      say "$told"
      return 1
    fi
    say "  not known yet, waiting"
    sleep "${ENCORE_POLL:-10}"
  done
}

# With ENCORE_SKIP_IAM=1 bindings are only shown: for projects whose permissions another team
# sets, and for emulators, which have none.
grant() {
  if [[ ${ENCORE_SKIP_IAM-} && ! $DRY_RUN ]]; then say "  to be granted: $*"
  else settle 'service account .* does not exist' "$@"; fi
}

# grant_project ACCOUNT ROLE…
grant_project() {
  local account=$1 role
  shift
  for role; do
    grant gcloud projects add-iam-policy-binding "$ENCORE_PROJECT" \
      --member="serviceAccount:$(email "$account")" --role="roles/$role" \
      --condition=None --format=none
  done
}

# grant_on ROLE ACCOUNT RESOURCE… where RESOURCE is the command without its verb:
#   grant_on pubsub.publisher ingest gcloud pubsub topics events
grant_on() {
  local role=$1 account=$2
  shift 2
  local -a group=("${@:1:$#-1}")
  local name=${*: -1}
  grant "${group[@]}" add-iam-policy-binding "$name" "${GRANT_FLAGS[@]}" \
    --member="serviceAccount:$(email "$account")" --role="roles/$role" \
    --project="$ENCORE_PROJECT" --format=none
}
GRANT_FLAGS=()

ensure_secret() {
  ensure gcloud secrets describe "$1" --project="$ENCORE_PROJECT" \
    :absent gcloud secrets create "$1" --project="$ENCORE_PROJECT" \
    --replication-policy=user-managed --locations="$ENCORE_REGION" --labels="$LABELS"
}

# The number of the newest enabled version; nothing when there is none.
secret_version() {
  ask "version of $1" gcloud secrets versions list "$1" --project="$ENCORE_PROJECT" \
    --filter=state=enabled --sort-by=~createTime --limit=1 --format='value(name.basename())'
}

# The value is on standard input, goes to gcloud on its standard input, and nowhere else.
put_secret() {
  local -a add=(gcloud secrets versions add "$1" --project="$ENCORE_PROJECT" --data-file=-)
  if [[ $DRY_RUN ]]; then show "${add[@]}"; return; fi
  local value current
  value=$(cat)
  if [[ -n $(secret_version "$1") ]]; then
    current=$(gcloud secrets versions access latest --secret="$1" --project="$ENCORE_PROJECT")
    [[ $value == "$current" ]] && { say "  is current: secret $1"; return; }
  fi
  show "${add[@]}"
  printf '%s' "$value" | "${add[@]}" --format=none
}

# Stops where one of these secrets has no value yet.
need_secret() {
  local name
  [[ $DRY_RUN ]] && return
  for name; do
    [[ -n $(secret_version "$name") ]] || die "Secret $name has no value: run 09-secrets.sh first."
  done
}

# How the pipeline is told of a secret: by name and version, never by value.
secret_reference() {
  printf 'secret:projects/%s/secrets/%s/versions/%s' "$ENCORE_PROJECT" "$1" "$(secret_version "$1")"
}
