#!/bin/sh
# Makes the packages of a binary: build.sh BINARY FOLDER [ARCHITECTURE VERSION], these two where it is for another machine, as Go
# and the binary call them. The packages are the same, byte by byte, for the same binary and sources.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
deploy=$(dirname "$here")
mkdir -p "$2"
out=$(cd "$2" && pwd)
VERSION=${4:-$("$1" version)}
VERSION=${VERSION#v}
case $VERSION in
  [0-9]*.[0-9]*.[0-9]*) ;;
  *) VERSION=0.0.0-$VERSION ;; # of no release
esac
ARCH=${3:-$(go env GOARCH)}
: "${SOURCE_DATE_EPOCH:=$(git -C "$here" log -1 --format=%ct)}"
TREE=$(mktemp -d)
export VERSION ARCH SOURCE_DATE_EPOCH TREE
trap 'rm -rf "$TREE"' EXIT
umask 022
program=$TREE/usr/lib/kyrochat/current
mkdir -p "$program/systemd" "$TREE/usr/lib/systemd/system" "$TREE/usr/share/doc/kyrochat" "$TREE/etc/kyrochat"
install -m 0755 "$1" "$program/kyrochat"
install -m 0755 "$deploy/kyrochat-run" "$deploy/backup.sh" "$program/"
install -m 0644 "$deploy/installation.sh" "$program/"
install -m 0644 "$deploy/systemd/kyrochat.sysusers" "$deploy/systemd/kyrochat.env" "$program/systemd/"
install -m 0644 "$deploy"/systemd/*.service "$deploy"/systemd/*.timer "$TREE/usr/lib/systemd/system/"
install -m 0644 "$deploy"/../docs/*.md "$deploy/caddy/Caddyfile" "$deploy/nginx/kyrochat.conf" "$TREE/usr/share/doc/kyrochat/"
install -m 0600 "$deploy/systemd/kyrochat.env" "$TREE/etc/kyrochat/kyrochat.env"
find "$TREE" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
cd "$here"
for kind in deb rpm; do
  go tool nfpm package --config nfpm.yaml --packager $kind --target "$out/" >&2
done
