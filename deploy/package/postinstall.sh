#!/bin/sh
# After the files of the package are there, at first and at each upgrade. The arguments are those of dpkg or of rpm.
set -e
# shellcheck source-path=SCRIPTDIR/.. source=installation.sh
. /usr/lib/kyrochat/current/installation.sh
prepare "$home/current"
[ -d /run/systemd/system ] || exit 0 # such as while an image is made
systemctl daemon-reload
first=no
case ${1:-} in
  configure) [ -n "${2:-}" ] || first=yes ;;
  1) first=yes ;;
esac
if [ $first = yes ]; then
  systemctl enable --quiet kyrochat.service
  if "$home/current/kyrochat" help | grep -q '^  kyrochat backup'; then
    systemctl enable --quiet --now kyrochat-backup.timer kyrochat-backup-verify.timer
  fi
fi
for unit in $(serving); do
  restart "$unit"
  # A schema that is brought up to date may take its time, as the units allow.
  wait_ready "$unit" 900 || {
    last_words "$unit"
    say "kyrochat: $unit does not get ready. Mend that, or install the former package again."
    exit 1
  }
done
