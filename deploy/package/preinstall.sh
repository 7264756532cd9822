#!/bin/sh
# Two installations would be in each other's way: units in /etc hide those of the package.
set -e
if [ -e /etc/systemd/system/kyrochat.service ] && [ ! -L /etc/systemd/system/kyrochat.service ]; then
  echo "kyrochat: install.sh was used here. Run /usr/lib/kyrochat/current/uninstall.sh first; settings and data stay." >&2
  exit 1
fi
