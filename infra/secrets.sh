#!/usr/bin/env bash
# Make the secrets that docker-compose.yml names: a random file each, and a certificate of the broker with the authority that signs it
# (needs openssl), in infra/secrets or in the folder given. Existing ones stay as they are.
# Nobody but you can enter the folder; the files inside can be read by whoever has them mounted, since Compose mounts them with the
# owner and mode they have here and the containers run as another user.
set -euo pipefail
umask 077
folder=${1:-${DRIFTLOOP_SECRETS_DIR:-$(dirname "$0")/secrets}}

random() { head -c "$1" /dev/urandom | od -An -tx1 | tr -d ' \n'; }

make_secret() { # NAME BYTES
  local file="$folder/$1"
  [ -s "$file" ] && return
  random "$2" >"$file.partial"
  chmod 0444 "$file.partial"
  mv "$file.partial" "$file"
}

make_folder() { # what the rules of projects name: keys of webhooks and URLs of apprise, files that you put there
  mkdir -p "$folder/$1"
  chmod 0755 "$folder/$1"
}

make_authority() { # kafka-ca, and its key, which no container sees
  [ -s "$folder/kafka-ca" ] && return
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=driftloop" \
    -keyout "$folder/kafka-ca-key" -out "$folder/kafka-ca.partial" 2>/dev/null
  chmod 0444 "$folder/kafka-ca.partial"
  mv "$folder/kafka-ca.partial" "$folder/kafka-ca"
}

make_keystore() { # the broker's key and certificate in one file, as Kafka takes them
  local store="$folder/kafka-keystore"
  [ -s "$store" ] && return
  make_authority
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=kafka" \
    -addext "subjectAltName=DNS:kafka,DNS:localhost,IP:127.0.0.1" -keyout "$store.key" -out "$store.request" 2>/dev/null
  openssl x509 -req -in "$store.request" -CA "$folder/kafka-ca" -CAkey "$folder/kafka-ca-key" -CAcreateserial -copy_extensions copy \
    -days 3650 -out "$store.cert" 2>/dev/null
  cat "$store.key" "$store.cert" >"$store.partial"
  chmod 0444 "$store.partial"
  mv "$store.partial" "$store"
  rm -f "$store.key" "$store.request" "$store.cert" "$folder/kafka-ca.srl"
}

mkdir -p "$folder"
chmod 0700 "$folder"
for name in $(sed -n '/^secrets:/,$ s/^  \([a-z-]*\): {file:.*/\1/p' "$(dirname "$0")/../docker-compose.yml"); do
  case $name in
    kafka-ca) make_authority ;;
    kafka-keystore) make_keystore ;;
    notifications) make_folder "$name" ;;
    *-access-key) make_secret "$name" 10 ;;
    *) make_secret "$name" 20 ;;
  esac
done
echo "secrets are in $folder"
