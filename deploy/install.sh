#!/bin/sh
# Installs KyroChat as a service of systemd, or puts right what an earlier run left: install.sh BINARY [flags]
#   --sums FILE          the binary must be in this list of SHA-256 sums (SHA256SUMS beside it, in a release)
#   --public-url URL     the address that people will use, where the settings have none yet
#   --units "UNIT ..."   what to start: kyrochat (the default), or kyrochat-api@1 and the like
#   --no-start           start nothing
# Settings, secrets and data that are there stay as they are.
set -eu
source=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=installation.sh
. "$source/installation.sh"

binary='' sums='' url='' start='kyrochat'
while [ $# -gt 0 ]; do
  case $1 in
    --sums) sums=$2; shift ;;
    --public-url) url=$2; shift ;;
    --units) start=$2; shift ;;
    --no-start) start='' ;;
    -*) fail "there is no flag $1" ;;
    *) binary=$1 ;;
  esac
  shift
done
[ -f "$binary" ] || fail "name the binary: install.sh ./kyrochat"
require_machine
! packaged || fail "KyroChat is installed as a package here, which is upgraded as one"
[ -z "$sums" ] || check_sum "$binary" "$sums"
former=$(current)
if [ -n "$former" ] && ! cmp -s "$binary" "$home/$former/kyrochat"; then
  fail "another version is installed: use upgrade.sh"
fi

first=no
[ -e "$settings/kyrochat.env" ] || first=yes
prepare "$source"
if [ -n "$url" ] && grep -q '^#KYRO_PUBLIC_URL=' "$settings/kyrochat.env" && ! grep -q '^KYRO_PUBLIC_URL=' "$settings/kyrochat.env"; then
  sed -i "s|^#KYRO_PUBLIC_URL=.*|KYRO_PUBLIC_URL=$url|" "$settings/kyrochat.env"
elif [ -n "$url" ] && [ "$(setting KYRO_PUBLIC_URL)" != "$url" ]; then
  say "$settings/kyrochat.env has KYRO_PUBLIC_URL=$(setting KYRO_PUBLIC_URL) already, which stays."
fi
name=$(stage "$binary" "$source")
use "$name"
say "KyroChat $name is in $home."

for unit in $start; do
  systemctl enable --quiet "$unit"
  ready "$unit" || restart "$unit"
  wait_ready "$unit" 120 || { last_words "$unit"; fail "$unit does not get ready"; }
  say "$unit is ready."
done
if "$home/current/kyrochat" help | grep -q '^  kyrochat backup'; then
  systemctl enable --quiet --now kyrochat-backup.timer kyrochat-backup-verify.timer
fi
if "$home/current/kyrochat" help | grep -q '^  kyrochat doctor'; then
  "$home/current/kyrochat-run" doctor -warnings-ok >&2 || say "kyrochat-run doctor says it again, once that is mended."
fi
[ $first = no ] || cat >&2 <<'END'

Next:
  1. Set KYRO_PUBLIC_URL in /etc/kyrochat/kyrochat.env, and: systemctl restart kyrochat
  2. TLS: put Caddy or nginx in front (deployment.md has both, ready to use).
  3. The first account: kyrochat-run admin create-user you@example.com
  4. Keys, such as GEMINI_API_KEY: each into a file of its own in /etc/kyrochat/credentials.
END
