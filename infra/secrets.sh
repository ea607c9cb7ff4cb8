#!/usr/bin/env bash
# Make the secrets that docker-compose.yml names: a random file each, in infra/secrets or in the folder given. Existing ones stay as they are.
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
for name in $(sed -n '/^secrets:/,$ s/^  \([a-z-]*\): {file:.*/\1/p' "$(dirname "$0")/../docker-compose.yml"); do
  case $name in
    *-access-key) make_secret "$name" 10 ;;
    *) make_secret "$name" 20 ;;
  esac
done
echo "secrets are in $folder"
