#!/usr/bin/env bash
# Start the broker: format the log directory on the first run only, so that a container may be stopped, killed and started again.
# The image's own entry point would do both through a configuration folder that it must be able to write.
set -euo pipefail
config=/tmp/server.properties
jvm=(java -cp '/opt/kafka/libs/*' -Djava.awt.headless=true)

{
  cat "$(dirname "$0")/server.properties" "${LISTENERS:-$(dirname "$0")/secured.properties}"
  echo "advertised.listeners=${ADVERTISED_LISTENERS:?}"
} >"$config"

if [ ! -e /var/lib/kafka/data/meta.properties ]; then
  id=$(head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | tr -d '=')
  users=()
  admin=/run/secrets/admin-kafka-password # of who makes all others
  if [ -r "$admin" ]; then users=(--add-scram "SCRAM-SHA-512=[name=admin,password=$(cat "$admin")]"); fi
  "${jvm[@]}" -XX:TieredStopAtLevel=1 -Dlog4j2.level=WARN kafka.tools.StorageTool format --cluster-id "$id" --config "$config" "${users[@]}"
fi

# shellcheck disable=SC2086  # several options in one variable
exec "${jvm[@]}" ${KAFKA_HEAP_OPTS:-} -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 \
  -Dlog4j2.configurationFile="$(dirname "$0")/log4j2.yaml" kafka.Kafka "$config"
