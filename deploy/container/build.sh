#!/bin/sh
# Makes the image of a binary that was built outside, where no other image can be pulled: build.sh BINARY TAG
# It wants buildah; with docker, `docker build .` at the top of the sources does the same whole.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
context=$(mktemp -d)
trap 'rm -rf "$context"' EXIT
"$top/deploy/container/tree.sh" "$1" /etc/ssl/certs/ca-certificates.crt "$context/tree"
how=
[ "$(id -u)" != 0 ] || how='--isolation chroot'
# shellcheck disable=SC2086 # a flag and its value
buildah bud $how --format docker --build-arg FROM=outside --build-arg VERSION="$("$1" version)" --timestamp "${SOURCE_DATE_EPOCH:-$(git -C "$top" log -1 --format=%ct)}" \
  -f "$top/Dockerfile" -t "$2" "$context"
