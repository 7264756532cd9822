#!/bin/sh
# Replaces the program by another version, and puts the former one back where the new one does not get ready:
#   upgrade.sh BINARY [flags]
#   --sums FILE         the binary must be in this list of SHA-256 sums (SHA256SUMS beside it, in a release)
#   --timeout SECONDS   how long each unit may take to get ready; 120
#   --owner FILE        has the DATABASE_URL of whom the tables belong to, where that of the service may not change them
#   --no-backup         keep no copy of the data before
#   --restore           where the former version does not know the new schema, put back the data as they were before the
#                       upgrade; what was written since is lost. Without it such a version is not put back
#   upgrade.sh --undo [--restore]   puts the version back that was there before the last upgrade
# Ends with 0 where the new version serves; with 1 where the former one does, or nothing was changed; with 2 where neither does.
set -eu
source=$(cd "$(dirname "$0")" && pwd)
# shellcheck source-path=SCRIPTDIR source=installation.sh
. "$source/installation.sh"

binary='' sums='' owner='' patience=120 backup=yes restore=no undo=no
while [ $# -gt 0 ]; do
  case $1 in
    --sums) sums=$2; shift ;;
    --timeout) patience=$2; shift ;;
    --owner) owner=$2; shift ;;
    --no-backup) backup=no ;;
    --restore) restore=yes ;;
    --undo) undo=yes ;;
    -*) fail "there is no flag $1" ;;
    *) binary=$1 ;;
  esac
  shift
done
require_machine
! packaged || fail "KyroChat is installed as a package here, which is upgraded as one"
present=$(current)
[ -n "$present" ] || fail "nothing is installed: use install.sh"
before=$kept_data/before # the version, and the data where they are on this machine
database=$(setting KYRO_DATA_DIR)
database=${database:-$data}/kyro.db
served=$(serving)
begun=no # whether units were stopped, or another version is the current one
staged='' # the version that is tried, where it was not here before

# finish STATUS: the end that was meant, with everything told.
finish() {
  trap - EXIT
  exit "$1"
}

# broken: a step failed that nothing was foreseen for. What served is not left lying.
# shellcheck disable=SC2317 # to_the_end has it called
broken() {
  trap - EXIT
  [ "$(current)" != "$present" ] || drop || true
  [ "$begun" = yes ] || exit 1
  for unit in $served; do systemctl start --no-block "$unit" || true; done
  say "A step failed, see above: KyroChat $(current) is started as it is."
  [ "$(current)" != "$present" ] || exit 1
  exit 2
}

# to_the_end: from here on neither a terminal that is closed nor a key ends it halfway.
to_the_end() {
  trap '' HUP INT PIPE TERM
  trap broken EXIT
}

# stop_all: those that make and read backups have the database open, too.
stop_all() {
  begun=yes
  for unit in $served kyrochat-backup.service kyrochat-backup-verify.service; do systemctl stop "$unit"; done
}

# drop: what was brought for a try that came to nothing does not stay: neither a copy that has not become the one to go back to, nor
# the version.
drop() {
  rm -rf "$before.new"
  [ -z "$staged" ] || [ "$staged" = "$(current)" ] || rm -rf "${home:?}/$staged"
}

# gave_up: the former version serves as it did, so --undo leads to where it led before this try, whose copy is kept beside until the next.
gave_up() {
  if [ ! -e "$before.new" ]; then
    rm -rf "$kept_data/tried"
    mv "$before" "$kept_data/tried"
    [ ! -e "$before.former" ] || mv "$before.former" "$before"
  fi
  drop
}

# leave: nothing was changed but that the units were stopped.
leave() {
  for unit in $served; do systemctl start --no-block "$unit"; done
  gave_up
  say "$(basename "$0"): $*; nothing was changed"
  finish 1
}

# copy_data FOLDER: as they are at one moment. Whoever writes meanwhile, such as a command of an operator, is noticed: the
# files are not what was copied.
copy_data() {
  for try in 1 2 3; do
    rm -f "$1"/kyro.db*
    same=yes
    for file in "$database" "$database-wal"; do
      [ ! -e "$file" ] || as_user cat "$file" >"$1/$(basename "$file")" || leave "the data cannot be copied"
    done
    for file in "$database" "$database-wal"; do
      if [ -e "$file" ]; then
        as_user cat "$file" | cmp -s - "$1/$(basename "$file")" || same=no
      elif [ -e "$1/$(basename "$file")" ]; then
        same=no
      fi
    done
    [ $same = no ] || return 0
    say "Something writes to $database (try $try of 3)."
    sleep 5
  done
  leave "the data could not be copied: end what has $database open (fuser -v)"
}

start_all() {
  for unit in $served; do
    restart "$unit"
    wait_ready "$unit" "$patience" || return 1
    say "$unit is ready."
  done
}

# keep: what is needed to get back. Nothing runs meanwhile where the data are on this machine: the copy is whole, and exact. That of the
# upgrade before stays until this one is through.
keep() {
  install -d -m 0700 "$kept_data"
  rm -rf "$before.new"
  mkdir -m 0700 "$before.new"
  printf '%s\n' "$present" >"$before.new/version"
  if [ $backup = yes ] && embedded; then
    [ -e "$database" ] || [ -z "$served" ] ||
      fail "there is no $database, so nothing can be kept: see what $settings says of KYRO_DATA_DIR and DATABASE_URL, or use --no-backup; nothing was changed"
    stop_all
    copy_data "$before.new"
  elif [ $backup = yes ]; then
    "$home/current/kyrochat" help | grep -q '^  kyrochat backup' ||
      fail "this version makes no backup of PostgreSQL: make one (pg_dump), and use --no-backup; nothing was changed"
    back_up
  fi
  of_today "$before.new"
  sync
  rm -rf "$before.former"
  [ ! -e "$before" ] || mv "$before" "$before.former"
  mv "$before.new" "$before"
}

# of_today FOLDER: systemd-tmpfiles removes copies by their age, and all files of one at once.
of_today() { find "$1" ! -type d -exec touch -h -d "@$(date +%s)" {} +; } # the user may have put a link there

# of_new ARGUMENT ...: a command of the new version.
of_new() { KYROCHAT_BINARY="$home/$name/kyrochat" "$source/kyrochat-run" "$@"; }

# migrate: the new version changes the schema while nothing runs here that knows the former one alone, for as long as that
# takes. Where nothing is to be changed in PostgreSQL, processes are replaced one by one.
migrate() {
  if embedded; then
    stop_all
    [ -e "$database" ] || return 0 # the first start makes one
  else
    status=0
    told=$(of_new migrate --dry-run 2>&1) || status=$?
    case $status in
      0) return 0 ;;
      3) say "The schema is changed, and what runs here is stopped meanwhile. $told" ;;
      *) leave "the new version cannot look at the schema: $told" ;;
    esac
    stop_all
  fi
  told=$(of_new ${owner:+--owner "$owner"} migrate 2>&1)
}

# back: to the version before.
back() {
  former=$(cat "$before/version")
  begun=yes
  [ -x "$home/$former/kyrochat" ] || { say "The former version $former is not there any more."; finish 2; }
  ! embedded || stop_all
  told=$(KYROCHAT_BINARY="$home/$former/kyrochat" "$source/kyrochat-run" migrate 2>&1) || case $told in
    *"made by a newer version"*)
      if [ $restore = no ]; then
        say "The former version $former does not know the schema that the new one made, and was not put back."
        say "Mend what keeps the new one from getting ready, and restart it. Or get back, with the data of before the upgrade:"
        say "  $home/current/upgrade.sh --undo --restore"
        for unit in $served; do systemctl start --no-block "$unit"; done
        finish 2
      fi
      put_back || { say "The data could not be put back, and nothing was started: what was there is in place or in $kept_data/after, the copy in $before."; finish 2; }
      ;;
    *) say "The former version says: $told" ;;
  esac
  use "$former"
  start_all || { say "The former version $former does not get ready either."; finish 2; }
  [ $undo = yes ] || gave_up
  say "The former version $former serves again."
}

# put_back: the data as they were. What is there is kept beside, until the next time. Where that fails nothing is started: a
# server would make a new database.
put_back() {
  embedded || { say "The data are in PostgreSQL: restore the backup in $backups by hand, as deployment.md says."; finish 2; }
  [ -e "$before/kyro.db" ] || { say "No copy of the data was kept before the upgrade."; finish 2; }
  rm -rf "$kept_data/after" && mkdir -m 0700 "$kept_data/after" || return 1
  for suffix in '' -wal; do
    # shellcheck disable=SC2016 # of the other shell
    [ ! -e "$before/kyro.db$suffix" ] ||
      as_user sh -c 'umask 077; cat >"$1"' sh "$database$suffix.before" <"$before/kyro.db$suffix" || return 1
  done
  for suffix in -shm -wal ''; do
    [ ! -e "$database$suffix" ] || mv "$database$suffix" "$kept_data/after/" || return 1
  done
  for suffix in -wal ''; do
    [ ! -e "$before/kyro.db$suffix" ] || as_user mv "$database$suffix.before" "$database$suffix" || return 1
  done
  of_today "$kept_data/after"
  sync
  say "The data are those of before the upgrade; those of after it are in $kept_data/after."
}

if [ $undo = yes ]; then
  [ -e "$before/version" ] || fail "there was no upgrade"
  to_the_end
  back
  finish 0
fi

[ -f "$binary" ] || fail "name the new binary: upgrade.sh ./kyrochat"
[ -z "$sums" ] || check_sum "$binary" "$sums"
if [ -n "$owner" ]; then
  [ -f "$owner" ] || fail "there is no file $owner"
  [ -e "$settings/credentials/DATABASE_URL" ] || fail "--owner stands in for the service's DATABASE_URL, which is not in $settings/credentials"
fi
there=$(ls "$home")
name=$(stage "$binary" "$source")
printf '%s\n' "$there" | grep -qxF "$name" || staged=$name
if [ "$name" = "$present" ]; then
  use "$name"
  for unit in $served; do
    ready "$unit" || { restart "$unit"; wait_ready "$unit" "$patience"; } || { last_words "$unit"; fail "$unit does not get ready"; }
  done
  say "KyroChat $name is installed already, and ready."
  exit 0
fi
to_the_end
keep
begun=yes
migrated=yes
migrate || migrated=no
use "$name"
if [ $migrated = yes ] && start_all; then
  rm -rf "$before.former" "$kept_data/tried"
  prune
  if [ -n "$served" ]; then
    say "KyroChat $name serves now; before it was $present."
  else
    say "KyroChat $name is installed, in the place of $present. Nothing of it was on, so nothing was started."
  fi
  finish 0
fi
if [ $migrated = yes ]; then
  say "KyroChat $name does not get ready."
  for unit in $served; do ready "$unit" || last_words "$unit"; done
else
  say "KyroChat $name cannot bring the schema up to date: $told"
fi
back
finish 1
