#!/bin/sh
# What kyrochat-backup.timer does each day: a backup, of which the newest 7 are kept, and one of each of the last 4 weeks.
# backup.sh verify restores the newest one into a folder of its own, verifies that, and removes it; it fails where that one is old. Flags
# of `kyrochat backup`, such as -to AGE-KEY, may be in BACKUP_FLAGS, and those of `kyrochat restore`, such as -identity FILE, in
# BACKUP_VERIFY_FLAGS (/etc/kyrochat/backup.env).
set -eu
program=/usr/lib/kyrochat/current/kyrochat
folder=/var/backups/kyrochat # the units may write nowhere else: mount there what is to hold them
days=7 weeks=4
oldest=2160 # minutes: a night may be missed by a machine that was off, and not two

# keep FOLDER COUNT: removes all but the newest. Names tell the time.
keep() {
  find "$1" -maxdepth 1 -name 'kyrochat-*' -type f -printf '%f\n' | sort -r | tail -n "+$(($2 + 1))" | while read -r old; do
    rm -f "$1/$old"
  done
}

if [ "${1:-}" = verify ]; then
  newest=$(find "$folder/daily" -maxdepth 1 -name 'kyrochat-*' -type f -printf '%f\n' | sort | tail -n 1)
  [ -n "$newest" ] || { echo "there is no backup in $folder/daily" >&2; exit 1; }
  [ -n "$(find "$folder/daily/$newest" -mmin "-$oldest")" ] || {
    echo "$newest is the newest backup, and older than $((oldest / 60)) hours: none were made since" >&2
    exit 1
  }
  if [ -n "${BACKUP_FLAGS:-}" ] && [ -z "${BACKUP_VERIFY_FLAGS:-}" ]; then
    echo "$newest is encrypted, and BACKUP_VERIFY_FLAGS names no key: nothing was verified. Restore it each week where its key is," \
      "and here: systemctl disable --now kyrochat-backup-verify.timer" >&2
    exit 1
  fi
  trial=$(mktemp -d "${TMPDIR:-/var/tmp}/kyrochat-trial.XXXXXX")
  trap 'rm -rf "$trial"' EXIT
  trap 'exit 1' HUP INT TERM
  # Without the settings of the server all of it is in that folder, wherever it was kept.
  # shellcheck disable=SC2086 # several flags
  env -i PATH="$PATH" KYRO_DATA_DIR="$trial" "$program" restore ${BACKUP_VERIFY_FLAGS:-} "$folder/daily/$newest"
  exit
fi

mkdir -p "$folder/daily" "$folder/weekly"
# Nothing that is there is overwritten, so one that was made in this second has the next name wait for the next.
while name=kyrochat-$(date -u +%Y%m%dT%H%M%SZ).backup && [ -e "$folder/daily/$name" ]; do sleep 0.2; done
status=0
# shellcheck disable=SC2086 # several flags
"$program" backup -o "$folder/daily/$name" ${BACKUP_FLAGS:-} || status=$?
[ -e "$folder/daily/$name" ] || exit "$status"
week=$(date -u +%G-W%V)
weekly=$folder/weekly/kyrochat-$week.backup
# Some file systems have no links. A copy has its name once it is whole, and one that fails is told and keeps nothing from going.
if [ ! -e "$weekly" ] && ! ln "$folder/daily/$name" "$weekly" 2>/dev/null; then
  if ! { cp "$folder/daily/$name" "$folder/weekly/.new" && mv "$folder/weekly/.new" "$weekly"; }; then
    rm -f "$folder/weekly/.new"
    status=1
  fi
fi
keep "$folder/daily" $days
keep "$folder/weekly" $weeks
exit "$status"
