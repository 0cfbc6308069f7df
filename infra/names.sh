# shellcheck shell=bash disable=SC2034
# The names of everything that is made in the project. lib.sh reads this after the settings.

PROJECT=$ENCORE_PROJECT
REGION=$ENCORE_REGION
ENVIRONMENT=${ENCORE_ENVIRONMENT:-prod}
LABELS=app=encore,env=$ENVIRONMENT

NETWORK=encore
SUBNET=encore
SUBNET_RANGE=${ENCORE_SUBNET_RANGE:-10.20.0.0/20}
CONNECTOR=encore
CONNECTOR_RANGE=${ENCORE_CONNECTOR_RANGE:-10.20.16.0/28}
PEERING_RANGE=encore-services
ROUTER=encore
NAT=encore

TEMP=$PROJECT-encore-temp
MODELS=$PROJECT-encore-models
DATA=$PROJECT-encore-data
BACKUPS=$PROJECT-encore-backups
REPOSITORY=encore
REGISTRY=$REGION-docker.pkg.dev/$PROJECT/$REPOSITORY
IMAGE_TAG=${ENCORE_IMAGE_TAG:-$(git -C "$ROOT" rev-parse --short=12 HEAD 2>/dev/null || echo latest)}
IMAGE=$REGISTRY/pipeline:$IMAGE_TAG

TOPIC=events
SUBSCRIPTION=events-pipeline
DATASET=encore
LOCATION=${ENCORE_BIGQUERY_LOCATION:-$REGION}
REDIS=encore

ES_MODE=${ENCORE_ES_MODE:-cloud}
ES_VM=encore-elastic
ES_ZONE=${ENCORE_ZONE:-$REGION-b}
ES_REPOSITORY=found-snapshots
[[ $ES_MODE == vm ]] && ES_REPOSITORY=gs://$BACKUPS/elasticsearch

STREAM=encore-stream
DAILY=encore-daily
TRAINING=encore-training
SMS_JOB=encore-sms
REFERENCE_JOB=encore-reference
INDICES_JOB=encore-indices
SNAPSHOTS_JOB=encore-snapshots
GUARDS_JOB=encore-guards
CLUSTER=encore-backfill
FUNCTIONS=(ingest offer sms board)

ACCOUNTS=(build ingest offer sms board dataflow daily train scheduler loader backfill)
[[ $ES_MODE == vm ]] && ACCOUNTS+=(elastic)

# The roles that can only be given for the whole project. All others are on one resource.
declare -gA PROJECT_ROLES=(
  [build]="logging.logWriter"
  [dataflow]="dataflow.worker bigquery.jobUser bigquery.readSessionUser"
  [daily]="dataflow.developer"
  [train]="bigquery.jobUser bigquery.readSessionUser aiplatform.user dataproc.worker logging.logWriter"
  [scheduler]="aiplatform.user"
  [loader]="bigquery.jobUser bigquery.readSessionUser"
  [backfill]="dataproc.worker bigquery.jobUser"
  [elastic]="logging.logWriter"
)

# Google keeps the sources of functions in buckets of its own naming, made at the first deployment.
SOURCES_ONLY="title=sources-of-functions,expression=resource.name.startsWith('projects/_/buckets/gcf-v2-')"

SECRETS=(encore-redis-url encore-es-api-key encore-es-board-key encore-ingest-keys encore-offer-keys encore-twilio-auth-token)

# Who may read which secret.
declare -gA SECRET_READERS=(
  [encore-redis-url]="ingest offer sms board dataflow loader backfill"
  [encore-es-api-key]="dataflow loader backfill"
  [encore-es-board-key]="board"
  [encore-ingest-keys]="ingest"
  [encore-offer-keys]="offer"
  [encore-twilio-auth-token]="sms"
)

email() { printf 'encore-%s@%s.iam.gserviceaccount.com' "$1" "$PROJECT"; }

es_url() {
  if [[ $ES_MODE == vm ]]; then
    printf 'http://%s.%s.c.%s.internal:9200' "$ES_VM" "$ES_ZONE" "$PROJECT"
  else
    printf '%s' "${ENCORE_ES_URL:-<ENCORE_ES_URL>}"
  fi
}
