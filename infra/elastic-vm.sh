#!/usr/bin/env bash
# The first and every later boot of the trial's Elasticsearch VM (ENCORE_ES_MODE=vm), as root. It is
# the VM's startup script, not one to run by hand; 08-elastic.sh hands it over.
#
# Mounts the data disk, installs Elasticsearch and Kibana at the wanted version, makes two API keys
# at the first boot and puts them into Secret Manager as the VM's own account. Plain HTTP, on the
# private network, behind the firewall: a trial, not a production cluster.

set -euo pipefail
umask 077

metadata() { curl -sf -H 'Metadata-Flavor: Google' "http://metadata.google.internal/computeMetadata/v1/$1"; }

disk=/dev/disk/by-id/google-data
blkid "$disk" >/dev/null || mkfs.ext4 -q -m 0 "$disk"
mkdir -p /var/lib/elasticsearch
mountpoint -q /var/lib/elasticsearch || mount -o discard,defaults "$disk" /var/lib/elasticsearch

version=$(metadata instance/attributes/es-version)
if [[ $(dpkg-query -W -f='${Version}' elasticsearch 2>/dev/null) != "$version" ]]; then
  apt-get update -q
  apt-get install -qy gnupg jq curl
  curl -sf https://artifacts.elastic.co/GPG-KEY-elasticsearch |
    gpg --dearmor --yes -o /usr/share/keyrings/elastic.gpg
  chmod 644 /usr/share/keyrings/elastic.gpg
  echo "deb [signed-by=/usr/share/keyrings/elastic.gpg] https://artifacts.elastic.co/packages/8.x/apt stable main" \
    >/etc/apt/sources.list.d/elastic.list
  apt-get update -q
  apt-get install -qy "elasticsearch=$version" "kibana=$version"
fi

chown elasticsearch:elasticsearch /var/lib/elasticsearch
cat >/etc/elasticsearch/elasticsearch.yml <<'EOF'
cluster.name: encore
discovery.type: single-node
network.host: 0.0.0.0
path.data: /var/lib/elasticsearch
path.logs: /var/log/elasticsearch
xpack.security.enabled: true
xpack.security.http.ssl.enabled: false
xpack.security.transport.ssl.enabled: false
EOF
chmod 644 /etc/elasticsearch/elasticsearch.yml
systemctl enable --now elasticsearch

# The superuser's password never leaves this VM; it stays with the data, on the data disk.
password=/var/lib/elasticsearch/.encore-password
if [[ ! -s $password ]]; then
  /usr/share/elasticsearch/bin/elasticsearch-reset-password -u elastic -s -b >"$password"
fi

# The password goes to curl in a file of settings, so that no process list shows it.
as_elastic() {
  local settings
  settings=$(mktemp)
  printf 'user = "elastic:%s"\n' "$(cat "$password")" >"$settings"
  curl -sf -K "$settings" -H 'Content-Type: application/json' "$@"
  rm -f "$settings"
}
for _ in $(seq 60); do
  as_elastic -o /dev/null http://localhost:9200/_cluster/health && break
  sleep 5
done

# put SECRET: standard input becomes a version of it
put() {
  local token project headers
  token=$(metadata instance/service-accounts/default/token | jq -r .access_token)
  project=$(metadata project/project-id)
  headers=$(mktemp)
  printf 'header = "Authorization: Bearer %s"\n' "$token" >"$headers"
  base64 -w0 | jq -R '{payload: {data: .}}' |
    curl -sf -K "$headers" -H 'Content-Type: application/json' -o /dev/null -d @- \
      "https://secretmanager.googleapis.com/v1/projects/$project/secrets/$1:addVersion"
  rm -f "$headers"
}

# api_key SECRET CLUSTER-PRIVILEGES INDEX-PRIVILEGES, once
api_key() {
  local made=/var/lib/elasticsearch/.encore-$1
  [[ -e $made ]] && return
  local names='["plays-*","interests","listening","ad_events","targets","messages","health"]'
  printf '{"name":"%s","role_descriptors":{"encore":{"cluster":%s,"indices":[{"names":%s,"privileges":%s}]}}}' \
    "$1" "$2" "$names" "$3" |
    as_elastic -X POST -d @- http://localhost:9200/_security/api_key | jq -j .encoded | put "$1"
  touch "$made"
}
api_key encore-es-api-key '["monitor","manage_index_templates","manage_ilm","manage_slm","cluster:admin/repository/*","cluster:admin/snapshot/*"]' '["all"]'
api_key encore-es-board-key '["monitor"]' '["read","view_index_metadata"]'

# Kibana, for people who come through Identity-Aware Proxy and log in.
if ! grep -q encore /etc/kibana/kibana.yml; then
  token=$(as_elastic -X POST "http://localhost:9200/_security/service/elastic/kibana/credential/token/encore-$RANDOM" | jq -r .token.value)
  install -m 640 -g kibana /dev/null /etc/kibana/kibana.yml
  printf '# encore\nserver.host: 0.0.0.0\nelasticsearch.hosts: ["http://localhost:9200"]\nelasticsearch.serviceAccountToken: %s\n' \
    "$token" >/etc/kibana/kibana.yml
fi
systemctl enable --now kibana
