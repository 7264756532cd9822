#!/bin/sh
# Makes the secrets of compose.yaml, where there are none yet. As root: each file belongs to the user that reads it.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
chmod 0755 secrets
random() { head -c "$1" /dev/urandom | base64 -w 0 | tr '+/' '-_' | tr -d =; }
keep() { # NAME OWNER: what is read, unless there is a file already
  if [ -e "secrets/$1" ]; then
    cat >/dev/null
    return
  fi
  cat >"secrets/$1"
  chown "$2:$2" "secrets/$1"
  chmod 0400 "secrets/$1"
}
random 24 | keep postgres_password 999
random 48 | keep kyro_secret 65532
echo "postgres://kyro:$(cat secrets/postgres_password)@postgres:5432/kyro" | keep database_url 65532
echo redis://redis:6379/0 | keep redis_url 65532
