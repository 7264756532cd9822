#!/bin/sh
# After the package is gone. dpkg --purge takes settings, secrets, data and backups as well; rpm has no such thing.
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload
case ${1:-} in
  remove | 0) rm -rf /var/cache/kyrochat ;;
  purge) rm -rf /etc/kyrochat /var/lib/kyrochat /var/cache/kyrochat /usr/lib/kyrochat ;;
esac
