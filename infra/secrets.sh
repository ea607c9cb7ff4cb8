#!/usr/bin/env bash
# Make the secrets of docker-compose.yml: a random file each, in infra/secrets or in the folder given. Existing ones stay as they are.
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

mkdir -p "$folder"
chmod 0700 "$folder"
for owner in minio-root ingest monitor predictor registry trainer cli; do
  make_secret "$owner-access-key" 10
  make_secret "$owner-secret-key" 20
done
make_secret grafana-password 20
echo "secrets are in $folder"
