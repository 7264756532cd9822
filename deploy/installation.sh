# What install.sh, upgrade.sh, uninstall.sh and the package share: where everything is, and the steps. It is read by them.
# shellcheck shell=sh
# shellcheck disable=SC2034 # who reads it uses what is set here

home=/usr/lib/kyrochat        # a folder for each version, and "current", which leads to one of them
settings=/etc/kyrochat        # kyrochat.env, and credentials/ with a file for each secret
data=/var/lib/kyrochat        # SQLite, files, the secret that tokens are signed with
backups=/var/backups/kyrochat # of kyrochat-backup.timer
kept_data=/var/backups/kyrochat-upgrade # root's alone: the data before and after the last upgrade
rules=/usr/local/lib/tmpfiles.d/kyrochat.conf # by which they go
units=/usr/local/lib/systemd/system # /etc/systemd/system is the operator's, and goes before
commands=/usr/local/bin
manual=/usr/share/doc/kyrochat # which the units name
user=kyrochat
kept=3 # versions

say() { printf '%s\n' "$*" >&2 || true; } # whoever was to hear it may be gone

fail() {
  say "$(basename "$0"): $*"
  exit 1
}

require_machine() {
  [ "$(id -u)" = 0 ] || fail "run it as root"
  [ -d /run/systemd/system ] || fail "systemd does not run here; deployment.md says how to go without"
}

packaged() { [ -e /usr/lib/systemd/system/kyrochat.service ]; }

# check_sum BINARY SUMS: the binary has to be in the list, by its name, with the sum it has.
check_sum() {
  sum=$(sha256sum <"$1" | cut -d' ' -f1)
  grep -qE "^$sum [ *]$(basename "$1" | sed 's/[.+]/\\&/g')\$" "$2" || fail "$1 is not what $2 says: nothing was changed"
}

as_user() { setpriv --reuid "$user" --regid "$user" --clear-groups env -i PATH=/usr/bin:/bin HOME=/nonexistent "$@"; }

# prepare SOURCE: the user, the folders, the settings and the secret. What is there stays as it is.
prepare() {
  systemd-sysusers "$1/systemd/kyrochat.sysusers"
  install -d -m 0755 "$home" "$settings"
  install -d -m 0700 "$settings/credentials"
  install -d -m 0700 -o "$user" -g "$user" "$data" "$backups"
  if [ ! -e "$settings/kyrochat.env" ]; then
    install -m 0600 "$1/systemd/kyrochat.env" "$settings/kyrochat.env"
  fi
  make_secret
}

# What is in folders of the user is written by the user: root would follow where a link leads.
make_secret() {
  # shellcheck disable=SC2016 # of the other shell
  [ -e "$data/secret" ] ||
    as_user sh -c 'umask 077; head -c 48 /dev/urandom | base64 -w 0 >"$1.new" && mv -n "$1.new" "$1"' sh "$data/secret"
}

# stage BINARY SOURCE: puts the version into a folder of its own, with the units and scripts that belong to it, and prints
# the folder's name. What cannot run here leaves nothing behind.
stage() {
  new=$home/.new.$$
  rm -rf "$new"
  install -d -m 0755 "$new" "$new/systemd"
  install -m 0755 "$1" "$new/kyrochat"
  install -m 0755 "$2"/*.sh "$2/kyrochat-run" "$new/"
  install -m 0644 "$2"/systemd/* "$new/systemd/"
  if [ -d "$2/../docs" ]; then # beside deploy, in a release
    install -d -m 0755 "$new/docs"
    install -m 0644 "$2"/../docs/*.md "$new/docs/"
  fi
  version=$(as_user "$new/kyrochat" version) || refuse "$new" "$1 does not run here"
  try=$(mktemp -d)
  chown "$user" "$try"
  told=$(as_user KYRO_DATA_DIR="$try" "$new/kyrochat" migrate 2>&1) || {
    rm -rf "$try"
    refuse "$new" "$1 cannot make a database: $told"
  }
  rm -rf "$try"
  name=$(printf %s "$version" | tr -c 'A-Za-z0-9.+~_-' _)-$(sha256sum <"$1" | cut -c1-8)
  if [ -e "$home/$name" ]; then
    rm -rf "$home/$name.old"
    mv "$home/$name" "$home/$name.old" # processes that run have it open; its path is back at once
    mv "$new" "$home/$name"
    rm -rf "$home/$name.old"
  else
    mv "$new" "$home/$name"
  fi
  printf %s "$name"
}

refuse() {
  rm -rf "$1"
  fail "$2"
}

# use NAME: makes this version the current one, with its units. Nothing is started.
use() {
  ln -sfn "$1" "$home/.current.$$"
  mv -T "$home/.current.$$" "$home/current"
  touch "$home/$1"
  install -d -m 0755 "$units"
  for unit in "$home/$1"/systemd/*.service "$home/$1"/systemd/*.timer; do
    install -m 0644 "$unit" "$units/"
  done
  if [ -e "$home/$1/systemd/kyrochat.tmpfiles" ]; then
    install -d -m 0755 "$(dirname "$rules")"
    install -m 0644 "$home/$1/systemd/kyrochat.tmpfiles" "$rules"
  fi
  install -d -m 0755 "$commands"
  ln -sfn "$home/current/kyrochat" "$commands/kyrochat"
  ln -sfn "$home/current/kyrochat-run" "$commands/kyrochat-run"
  install -d -m 0755 "$(dirname "$manual")"
  ln -sfn "$home/current/docs" "$manual"
  systemctl daemon-reload
}

current() { readlink "$home/current" 2>/dev/null || true; }

# prune: keeps the newest versions, and in any case the current one and that which upgrade.sh --undo leads to.
prune() {
  rm -rf "$home"/.new.* # of runs that were killed
  former=$(cat "$kept_data/before/version" 2>/dev/null || true)
  find "$home" -mindepth 2 -maxdepth 2 -name kyrochat -printf '%h\n' | while read -r folder; do
    stat -c '%Y %n' "$folder"
  done | sort -rn | cut -d' ' -f2- | tail -n "+$((kept + 1))" | while read -r folder; do
    case ${folder##*/} in
      "$(current)" | "$former") ;;
      *) rm -rf "$folder" ;;
    esac
  done
}

# serving: the units of the service that are enabled or run, one a line. Instances that are enabled and do not run are seen by
# their links alone.
serving() {
  {
    find /etc/systemd/system/multi-user.target.wants -name 'kyrochat-*@?*.service' -printf '%f\n' 2>/dev/null || true
    systemctl list-units --all --plain --no-legend 'kyrochat.service' 'kyrochat-api@*.service' 'kyrochat-worker@*.service' |
      awk '$3 != "inactive" { print $1 }'
    systemctl list-unit-files --no-legend --state=enabled 'kyrochat.service' 'kyrochat-api@*.service' 'kyrochat-worker@*.service' |
      awk '{ print $1 }'
  } | grep -v '@\.service$' | sort -u
}

embedded() { # SQLite, of which this machine has all
  [ ! -e "$settings/credentials/DATABASE_URL" ] && ! grep -qsE '^[[:space:]]*DATABASE_URL' "$settings"/*.env
}

# setting NAME: as kyrochat.env has it.
setting() {
  sed -n "s/^[[:space:]]*$1=//p" "$settings/kyrochat.env" 2>/dev/null | tail -n 1 | sed "s/[[:space:]]*\$//; s/^\"\(.*\)\"\$/\1/; s/^'\(.*\)'\$/\1/"
}

property() { systemctl show --value -p "$2" "$1"; }

# admin_addr UNIT: where its process tells how it is.
admin_addr() {
  pid=$(property "$1" MainPID)
  addr=$(tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | sed -n 's/^KYRO_ADMIN_ADDR=//p')
  printf %s "${addr:-127.0.0.1:9090}"
}

# ready UNIT: the service manager and the process itself say so.
ready() {
  [ "$(property "$1" ActiveState)" = active ] || return 1
  env -i KYRO_ADMIN_ADDR="$(admin_addr "$1")" "$home/current/kyrochat" health >/dev/null 2>&1
}

# wait_ready UNIT SECONDS: until it is ready; not where it has ended three times, or is not ready in time.
wait_ready() {
  end=$(($(date +%s) + $2))
  while ! ready "$1"; do
    [ "$(date +%s)" -lt "$end" ] || return 1
    [ "$(property "$1" NRestarts)" -lt 3 ] || return 1
    [ "$(property "$1" ActiveState)" != failed ] || return 1
    sleep 0.2
  done
}

# restart UNIT: begins to start it, and waits for nothing but the end of the former process.
restart() {
  systemctl stop "$1"
  systemctl reset-failed "$1" 2>/dev/null || true
  systemctl start --no-block "$1"
}

# back_up: as each night, with the flags of backup.env, into the same folder and with the same end of what is old. A package that comes
# in the place of another one has the former's program, unit and this function do it.
back_up() {
  while [ "$(property kyrochat-backup.service ActiveState)" = activating ]; do
    sleep 1 # one that began earlier does not count
  done
  systemctl start kyrochat-backup.service && return
  # 3: made, and files were missing that it should have
  [ "$(property kyrochat-backup.service ExecMainStatus)" = 3 ] || { last_words kyrochat-backup.service; fail "the backup failed; nothing was changed"; }
}

last_words() {
  say "-- the last lines of $1:"
  journalctl -u "$1" -n "${2:-15}" --no-pager -o cat >&2 || true
}
