#!/bin/sh
# After the files of the package are there, at first and at each upgrade. The arguments are those of dpkg or of rpm.
set -e
# shellcheck source-path=SCRIPTDIR/.. source=installation.sh
. /usr/lib/kyrochat/current/installation.sh
prepare "$home/current"
first=no
case ${1:-} in
  configure) [ -n "${2:-}" ] || first=yes ;;
  1) first=yes ;;
esac
on=''
if [ -e "$settings/.removed" ]; then # and is back: what was on is on again
  on=$(cat "$settings/.removed")
elif [ $first = yes ]; then
  on=kyrochat.service
  ! "$home/current/kyrochat" help | grep -q '^  kyrochat backup' || on="$on kyrochat-backup.timer kyrochat-backup-verify.timer"
fi
for unit in $on; do
  systemctl enable --quiet "$unit"
done
rm -f "$settings/.removed"
[ -d /run/systemd/system ] || exit 0 # such as while an image is made
systemctl daemon-reload
for unit in $on; do
  case $unit in
    *.timer) systemctl start "$unit" ;;
  esac
done
for unit in $(serving); do
  case ${1:-} in
    abort-*) ! ready "$unit" || continue ;; # an upgrade that was given up
  esac
  restart "$unit"
  # A schema that is brought up to date may take its time, as the units allow.
  wait_ready "$unit" 900 || {
    last_words "$unit"
    say "kyrochat: $unit does not get ready. Mend that, or install the former package again."
    exit 1
  }
done
