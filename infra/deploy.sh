#!/usr/bin/env bash
# deploy.sh [--dry-run] [--from=NN] [--only=NN] [--replace]
#
# Brings Encore into a Google Cloud project, or up to date there: runs the numbered scripts of this
# folder in order. Each makes what is missing and updates what is there, so running it again is
# safe, and after a failure it goes on with --from.
#
#   --dry-run   print every command for an empty project and run none; asks Google nothing
#   --from=NN   begin with script NN (say --from=12)
#   --only=NN   run script NN alone
#   --replace   let 13-dataflow.sh drain and replace the running job, not update it
#
# Before: gcloud and bq, logged in as an owner of a project with billing; infra/settings.env, made
# from infra/settings.example.env. 00-check.sh says what is missing before anything is made.
# README.md in this folder says more, RUNBOOK.md what to do when.

FLAGS=--replace VALUES="--from --only"
source "$(dirname "$0")/lib.sh"
begin "$@"

for script in "$INFRA"/[0-9][0-9]-*.sh; do
  number=$(basename "$script")
  number=${number%%-*}
  [[ -n ${ONLY-} && $number != "$ONLY" ]] && continue
  [[ -n ${FROM-} ]] && ((10#$number < 10#$FROM)) && continue
  say "── $(basename "$script")"
  arguments=()
  [[ $DRY_RUN ]] && arguments+=(--dry-run)
  [[ ${REPLACE-} && $number == 13 ]] && arguments+=(--replace)
  "$script" "${arguments[@]}"
done

if [[ ! $DRY_RUN && ! ${ONLY-} ]]; then
  say "── Encore runs. Events go to $(gcloud functions describe encore-ingest --project="$PROJECT" \
    --region="$REGION" --format='value(serviceConfig.uri)' --gen2) (infra/README.md, \"The first events\")."
fi
