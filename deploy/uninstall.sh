#!/bin/sh
# Takes KyroChat off this machine: uninstall.sh [--purge]
# Settings, secrets, data and backups stay, unless --purge takes them for good, too.
set -eu
source=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=installation.sh
. "$source/installation.sh"
case "$#:${1:-}" in
  0: | 1:--purge) ;;
  *) fail "nothing was changed; there is one flag alone: uninstall.sh [--purge]" ;;
esac
require_machine
! packaged || fail "KyroChat is installed as a package here: apt remove kyrochat, or apt purge kyrochat"
for unit in $(serving) kyrochat-backup.timer kyrochat-backup-verify.timer; do
  systemctl disable --quiet --now "$unit" 2>/dev/null || true
done
systemctl stop kyrochat-backup.service kyrochat-backup-verify.service 2>/dev/null || true
rm -f "$units"/kyrochat.service "$units"/kyrochat-api@.service "$units"/kyrochat-worker@.service \
  "$units"/kyrochat-backup.service "$units"/kyrochat-backup.timer \
  "$units"/kyrochat-backup-verify.service "$units"/kyrochat-backup-verify.timer \
  "$commands/kyrochat" "$commands/kyrochat-run" "$manual"
rm -rf "$home" /var/cache/kyrochat
systemctl daemon-reload
if [ "${1:-}" = --purge ]; then
  rm -rf "$settings" "$data" "$backups" "$kept_data" "$rules"
  say "KyroChat is gone, with everything that belonged to it."
else
  say "KyroChat is gone. $settings, $data and $backups are still there; copies of the data in $kept_data go as $rules says."
fi
