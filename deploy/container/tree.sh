#!/bin/sh
# Puts together what is in the image: tree.sh BINARY CERTIFICATES FOLDER. Time zones are in the binary.
set -eu
mkdir -p "$3/root/etc/ssl/certs" "$3/root/tmp" "$3/data"
chmod 1777 "$3/root/tmp"
chmod 0700 "$3/data"
cp "$1" "$3/root/kyrochat"
chmod 0755 "$3/root/kyrochat"
cp "$2" "$3/root/etc/ssl/certs/ca-certificates.crt"
echo 'kyrochat:x:65532:65532::/data:/' >"$3/root/etc/passwd"
echo 'kyrochat:x:65532:' >"$3/root/etc/group"
