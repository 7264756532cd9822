#!/bin/sh
# Before the files of the package are there. The arguments are those of dpkg or of rpm.
# Two installations would be in each other's way. Only install.sh makes a link of it; a unit in /etc may be the operator's.
set -e
if [ -L /usr/lib/kyrochat/current ]; then
  echo "kyrochat: install.sh was used here. Run /usr/lib/kyrochat/current/uninstall.sh first; settings and data stay." >&2
  exit 1
fi
case ${1:-} in
  upgrade | 2) ;;
  *) exit 0 ;;
esac
# The new version changes the schema when it starts, and there is no way back within a schema: what there was before is kept.
[ -d /run/systemd/system ] && [ -e /usr/lib/kyrochat/current/installation.sh ] || exit 0
# shellcheck source-path=SCRIPTDIR/.. source=installation.sh
. /usr/lib/kyrochat/current/installation.sh
if [ "${KYROCHAT_NO_BACKUP:-}" = 1 ] || [ -z "$(serving)" ] || ! "$home/current/kyrochat" help | grep -q '^  kyrochat backup'; then
  exit 0
fi
(back_up) || fail "set KYROCHAT_NO_BACKUP=1 to do without a backup"
