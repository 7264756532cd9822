#!/bin/sh
# Two installations would be in each other's way. Only install.sh makes a link of it; a unit in /etc may be the operator's.
set -e
if [ -L /usr/lib/kyrochat/current ]; then
  echo "kyrochat: install.sh was used here. Run /usr/lib/kyrochat/current/uninstall.sh first; settings and data stay." >&2
  exit 1
fi
