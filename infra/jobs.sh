# shellcheck shell=bash disable=SC2153
# Jobs in our image: run inside the network, and the bodies of the calls with which Cloud Scheduler
# starts others. Sourced after lib.sh. References to secrets stand in them, never values.

# in_network JOB FLAGS… -- PYTHON ARGUMENTS…: a Cloud Run job, run to its end
in_network() {
  local name=$1 arguments
  shift
  local -a flags=()
  while [[ $1 != -- ]]; do flags+=("$1") && shift; done
  shift
  printf -v arguments '%s,' "$@"
  run gcloud run jobs deploy "$name" --project="$PROJECT" --region="$REGION" --image="$IMAGE" \
    --command=python --args="${arguments%,}" --service-account="$(email loader)" \
    --vpc-connector="$CONNECTOR" --vpc-egress=private-ranges-only --labels="$LABELS" \
    --cpu=2 --memory=4Gi --max-retries=1 --task-timeout=3600 "${flags[@]}"
  run gcloud run jobs execute "$name" --project="$PROJECT" --region="$REGION" --wait
}

daily_uri() {
  printf 'https://dataflow.googleapis.com/v1b3/projects/%s/locations/%s/flexTemplates:launch' \
    "$PROJECT" "$REGION"
}

# launch.py takes yesterday (UTC) when it is given no day.
daily_body() {
  local labels=${LABELS//=/\": \"}
  cat <<EOF
{
  "launchParameter": {
    "jobName": "$DAILY",
    "containerSpecGcsPath": "gs://$TEMP/templates/daily.json",
    "parameters": {
      "entry": "daily",
      "redis": "$(secret_reference encore-redis-url)",
      "bigquery": "$PROJECT.$DATASET",
      "sdk_container_image": "$IMAGE"
    },
    "environment": {
      "serviceAccountEmail": "$(email dataflow)",
      "subnetwork": "regions/$REGION/subnetworks/$SUBNET",
      "ipConfiguration": "WORKER_IP_PRIVATE",
      "tempLocation": "gs://$TEMP/dataflow",
      "stagingLocation": "gs://$TEMP/dataflow",
      "machineType": "${ENCORE_WORKER_MACHINE:-n2-standard-2}",
      "maxWorkers": ${ENCORE_WORKERS_MAX:-4},
      "additionalUserLabels": { "${labels//,/\", \"}" }
    }
  }
}
EOF
}

training_uri() {
  printf 'https://%s-aiplatform.googleapis.com/v1/projects/%s/locations/%s/customJobs' \
    "$REGION" "$PROJECT" "$REGION"
}

# The arguments of the trainer, as they stand after `python -m beam_pipeline.training.train`.
training_arguments() {
  printf '%s\n' --bigquery="$PROJECT.$DATASET" --models="gs://$MODELS/models" \
    --register="$PROJECT/$REGION" --image="$IMAGE"
}

training_body() {
  local labels=${LABELS//=/\": \"} arguments
  arguments=$(training_arguments | sed 's/.*/"&"/' | paste -sd,)
  cat <<EOF
{
  "displayName": "$TRAINING",
  "labels": { "${labels//,/\", \"}" },
  "jobSpec": {
    "serviceAccount": "$(email train)",
    "scheduling": { "timeout": "7200s" },
    "workerPoolSpecs": [
      {
        "machineSpec": { "machineType": "n1-standard-4" },
        "replicaCount": 1,
        "containerSpec": {
          "imageUri": "$IMAGE",
          "command": ["python", "-m", "beam_pipeline.training.train"],
          "args": [${arguments//,/, }]
        }
      }
    ]
  }
}
EOF
}
