#!/bin/sh
# Before the package goes, but not where a newer one comes in its place.
set -e
case ${1:-} in
  remove | 0) ;;
  *) exit 0 ;;
esac
[ -d /run/systemd/system ] || exit 0
# shellcheck source-path=SCRIPTDIR/.. source=installation.sh
. /usr/lib/kyrochat/current/installation.sh
for unit in $(serving) kyrochat-backup.timer kyrochat-backup-verify.timer; do
  systemctl disable --quiet --now "$unit" 2>/dev/null || true
done
