#!/bin/sh
# Before the package goes, but not where a newer one comes in its place.
set -e
case ${1:-} in
  remove | 0) ;;
  *) exit 0 ;;
esac
# shellcheck source-path=SCRIPTDIR/.. source=installation.sh
. /usr/lib/kyrochat/current/installation.sh
# What is on is told to the package that may come back; settings and data stay for it, too.
: >"$settings/.removed"
for unit in $(serving) kyrochat-backup.timer kyrochat-backup-verify.timer; do
  ! systemctl is-enabled --quiet "$unit" 2>/dev/null || echo "$unit" >>"$settings/.removed"
  systemctl disable --quiet "$unit" 2>/dev/null || true
done
[ -d /run/systemd/system ] || exit 0
for unit in $(serving) kyrochat-backup.timer kyrochat-backup-verify.timer kyrochat-backup.service kyrochat-backup-verify.service; do
  systemctl stop "$unit" 2>/dev/null || true
done
