package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// release is where a version lies as it was unpacked.
func release(version string) string { return "/root/releases/" + version }

// service is what an operator does with install.sh and upgrade.sh.
var service = []step{
	{"installs, and the unit is started", install},
	{"is hardened", hardened},
	{"has the first account", account},
	{"is behind Caddy, with TLS", proxied},
	{"reads a PDF, locked in, and answers over TLS, streamed and cited", firstChat},
	{"is installed again, which changes nothing", again},
	{"takes secrets as credentials", credentials},
	{"is restarted by the watchdog where it hangs", watched},
	{"is examined by doctor", doctor},
	{"has its data on another disk, which is mounted and not set", anotherDisk},
	{"makes backups, and verifies them", backups},
	{"has somebody told of a backup that fails", told},
	{"gets back what was deleted, beside the service and in its place", restored("An installation in one folder", "")},
	{"refuses a binary whose sum is another", sums},
	{"is not upgraded where its data are not found", unfound},
	{"is upgraded", upgrade(second)},
	{"has its messages after the upgrade", remembers(second)},
	{"keeps the version where the new one does not get ready", rolledBack},
	{"has its messages after that", remembers(second)},
	{"goes back by hand to the version before, past the one that was given up", undone},
	{"is upgraded again", upgrade(second)},
	{"does not go back over a schema on its own, and does when told", overSchema},
	{"has its messages after that, too", remembers(second)},
	{"is uninstalled, and what belongs to people stays", uninstall},
	{"is installed again, with what stayed", install},
	{"has its messages, of the first version again", remembers(first)},
	{"is purged", purge},
}

// install does so after a try with another program.
func install(ctx context.Context, m *machine) error {
	if _, err := m.ends(ctx, 1, release(first)+"/deploy/install.sh", "/bin/false", "--public-url", site); err != nil {
		return err
	}
	install, err := wayStep(0, "https://chat.example.com", site)
	if err != nil {
		return err
	}
	if _, err := m.in(ctx, release(first), install); err != nil {
		return err
	}
	return all(
		m.is(ctx, "active", "systemctl", "is-active", "kyrochat"),
		m.is(ctx, "enabled", "systemctl", "is-enabled", "kyrochat"),
		m.is(ctx, "ready", "kyrochat", "health"),
		m.is(ctx, first, "kyrochat", "version"),
		m.is(ctx, "# Deployment", "sh", "-c", `head -n 1 "$(systemctl show --value -p Documentation kyrochat | cut -d : -f 2)"`),
		m.is(ctx, "600 kyrochat", "stat", "-c", "%a %U", "/var/lib/kyrochat/secret"),
		m.is(ctx, "700 kyrochat", "stat", "-c", "%a %U", "/var/lib/kyrochat"),
		m.is(ctx, "600 root", "stat", "-c", "%a %U", "/etc/kyrochat/kyrochat.env"),
		m.is(ctx, "KYRO_PUBLIC_URL="+site, "grep", "^KYRO_PUBLIC_URL", "/etc/kyrochat/kyrochat.env"),
		m.is(ctx, "700 root", "stat", "-c", "%a %U", "/etc/kyrochat/credentials"),
	)
}

var exposure = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// hardened measures the unit as it runs, and looks at its process.
func hardened(ctx context.Context, m *machine) error {
	said, err := m.run(ctx, "systemd-analyze", "security", "--no-pager", "kyrochat.service")
	if err != nil {
		return err
	}
	found := exposure.FindStringSubmatch(said)
	if found == nil {
		return fmt.Errorf("no score in %s", said)
	}
	if score, err := strconv.ParseFloat(found[1], 64); err != nil || score > 1.5 {
		return fmt.Errorf("the score is %s", found[1])
	}
	said, err = m.sh(ctx, `pid=$(systemctl show --value -p MainPID kyrochat)
stat -c %U /proc/$pid
sed -n 's/^CapEff:\t//p; s/^NoNewPrivs:\t//p; s/^Seccomp:\t//p' /proc/$pid/status
awk '$5 == "/" { options = $6 } END { print options }' /proc/$pid/mountinfo | cut -d, -f1
nsenter -t $pid -m /bin/true 2>&1 | grep -o 'Permission denied'`)
	if want := "kyrochat\n0000000000000000\n1\n2\nro\nPermission denied"; err == nil && said != want {
		err = fmt.Errorf("the process is %q, not %q", said, want)
	}
	return err
}

// proxied puts Caddy in front, with the file of deploy/caddy, and a certificate of its own authority: nobody else's can be
// reached from here.
func proxied(ctx context.Context, m *machine) error {
	put, err := wayStep(1, "YOUR.NAME", `{\n\tlocal_certs\n}\nchat.test`)
	if err != nil {
		return err
	}
	if _, err := m.in(ctx, release(first), "echo 127.0.0.1 chat.test >>/etc/hosts\necho cacert = /root/ca.crt >/root/.curlrc\n"+put); err != nil {
		return err
	}
	if _, err := m.run(ctx, "systemctl", "is-enabled", "kyrochat-api@1"); err == nil {
		if _, err := m.sh(ctx, "sed -i 's/127\\.0\\.0\\.1:8080 {/127.0.0.1:8081 127.0.0.1:8082 {/' /etc/caddy/Caddyfile && systemctl reload caddy"); err != nil {
			return err
		}
	}
	return until(ctx, "Caddy", func() bool {
		_, err := m.sh(ctx, `cp /var/lib/caddy/.local/share/caddy/pki/authorities/local/root.crt /root/ca.crt && `+
			`curl -sS --cacert /root/ca.crt `+site+`/schema.graphql -o /dev/null -w '%{http_version}' | grep -q ^2`)
		return err == nil
	})
}

// state is what must not be changed by accident.
const state = `cat /var/lib/kyrochat/secret /etc/kyrochat/kyrochat.env | sha256sum; systemctl show --value -p MainPID kyrochat`

// again has settings and a whole unit that the operator wrote.
func again(ctx context.Context, m *machine) error {
	if _, err := m.sh(ctx, `echo KYRO_LOG_LEVEL=debug >>/etc/kyrochat/kyrochat.env
sed '1i # mine' /usr/local/lib/systemd/system/kyrochat.service >/etc/systemd/system/kyrochat.service`); err != nil {
		return err
	}
	before, err := m.sh(ctx, state)
	if err != nil {
		return err
	}
	if _, err := m.run(ctx, release(first)+"/deploy/install.sh", release(first)+"/kyrochat", "--sums", release(first)+"/SHA256SUMS"); err != nil {
		return err
	}
	_, gone := m.sh(ctx, "grep -q '^# mine' /etc/systemd/system/kyrochat.service && rm /etc/systemd/system/kyrochat.service && systemctl daemon-reload")
	return all(m.is(ctx, before, "sh", "-c", state), gone)
}

// credentials gives it the address of a Redis that is not there: the server says that it does without.
func credentials(ctx context.Context, m *machine) error {
	if _, err := m.sh(ctx, `umask 077; echo redis://127.0.0.1:1/0 >/etc/kyrochat/credentials/REDIS_URL; systemctl restart kyrochat`); err != nil {
		return err
	}
	said, err := m.run(ctx, "kyrochat", "health", "--wait", "1m")
	if err == nil && !strings.Contains(said, "without Redis") {
		err = fmt.Errorf("the server says %q", said)
	}
	_, gone := m.sh(ctx, `rm /etc/kyrochat/credentials/REDIS_URL; systemctl restart kyrochat`)
	return all(err, gone, m.is(ctx, "ready", "kyrochat", "health", "--wait", "1m"))
}

// watched freezes the process.
func watched(ctx context.Context, m *machine) error {
	_, err := m.sh(ctx, `mkdir -p /etc/systemd/system/kyrochat.service.d
printf '[Service]\nWatchdogSec=3s\nRestartSec=200ms\n' >/etc/systemd/system/kyrochat.service.d/short.conf
systemctl daemon-reload; systemctl restart kyrochat`)
	if err != nil {
		return err
	}
	frozen, err := m.sh(ctx, `systemctl kill --kill-whom=main --signal=STOP kyrochat; systemctl show --value -p MainPID kyrochat`)
	if err != nil {
		return err
	}
	err = until(ctx, "another process", func() bool {
		now, err := m.run(ctx, "systemctl", "show", "--value", "-p", "MainPID", "kyrochat")
		return err == nil && now != frozen && now != "0"
	})
	_, gone := m.sh(ctx, "rm -r /etc/systemd/system/kyrochat.service.d; systemctl daemon-reload; systemctl restart kyrochat")
	return all(err, m.is(ctx, "ready", "kyrochat", "health", "--wait", "1m"), gone)
}

// has reports whether the build has a command.
func (m *machine) has(ctx context.Context, command string) error {
	said, err := m.run(ctx, "kyrochat", "help")
	if err == nil && !strings.Contains(said, "\n  kyrochat "+command) {
		err = errNotThere
	}
	return err
}

func doctor(ctx context.Context, m *machine) error {
	if err := m.has(ctx, "doctor"); err != nil {
		return err
	}
	// Nobody has set a mail server here: that, and nothing else, is worth a warning.
	examine, err := onPage(doctorPage, "The doctor", 1, 0)
	if err != nil {
		return err
	}
	said, err := m.ends(ctx, 1, "sh", "-c", examine)
	if err == nil && (!strings.Contains(said, "0 failures, 1 warning,") || !strings.Contains(said, "SMTP_URL is not set")) {
		err = fmt.Errorf("the doctor says:\n%s", said)
	}
	return err
}

// anotherDisk has the data in a folder that the units may not write to, which the doctor sees, and then in the same mounted in their place.
func anotherDisk(ctx context.Context, m *machine) error {
	if err := m.has(ctx, "doctor"); err != nil {
		return err
	}
	if _, err := m.sh(ctx, `set -e
systemctl stop kyrochat
cp -a /var/lib/kyrochat /srv/kyrochat
echo KYRO_DATA_DIR=/srv/kyrochat >>/etc/kyrochat/kyrochat.env`); err != nil {
		return err
	}
	said, err := m.ends(ctx, 2, "kyrochat-run", "doctor")
	if err == nil {
		said = strings.Join(strings.Fields(said), " ") // in one line
		err = all(missing(said, "Nothing can be written to the data folder /srv/kyrochat"), missing(said, "leave KYRO_DATA_DIR out of kyrochat.env"))
	}
	_, mounted := m.sh(ctx, `set -e
sed -i /^KYRO_DATA_DIR/d /etc/kyrochat/kyrochat.env
mount --bind /srv/kyrochat /var/lib/kyrochat
systemctl start kyrochat
kyrochat health --wait 1m
kyrochat-run doctor -warnings-ok
systemctl stop kyrochat
umount /var/lib/kyrochat
find /var/lib/kyrochat -mindepth 1 -delete
cp -a /srv/kyrochat/. /var/lib/kyrochat/
rm -r /srv/kyrochat
systemctl start kyrochat`)
	return all(err, mounted, m.is(ctx, "ready", "kyrochat", "health", "--wait", "1m"))
}

const backupsMade = "ls /var/backups/kyrochat/daily | wc -l"

func backups(ctx context.Context, m *machine) error {
	if err := m.has(ctx, "backup"); err != nil {
		return err
	}
	for _, unit := range []string{"kyrochat-backup", "kyrochat-backup-verify"} {
		if _, err := m.run(ctx, "systemctl", "start", unit); err != nil {
			said, _ := m.run(ctx, "journalctl", "-u", unit, "-n", "20", "-o", "cat")
			return fmt.Errorf("%w\n%s", err, said)
		}
	}
	return all(
		m.is(ctx, "1", "sh", "-c", backupsMade),
		m.is(ctx, "1", "sh", "-c", "ls /var/backups/kyrochat/weekly | wc -l"),
		m.is(ctx, "active", "systemctl", "is-active", "kyrochat-backup.timer"),
	)
}

func sums(ctx context.Context, m *machine) error {
	before, err := m.sh(ctx, state)
	if err != nil {
		return err
	}
	_, err = m.ends(ctx, 1, release(second)+"/deploy/upgrade.sh", release(second)+"/kyrochat", "--sums", release(first)+"/SHA256SUMS")
	return all(err, m.is(ctx, before, "sh", "-c", state))
}

// unfound has the settings name another folder than that of the data.
func unfound(ctx context.Context, m *machine) error {
	before, err := m.sh(ctx, state)
	if err != nil {
		return err
	}
	if _, err := m.sh(ctx, "echo KYRO_DATA_DIR=/srv/kyrochat >>/etc/kyrochat/kyrochat.env"); err != nil {
		return err
	}
	said, err := m.ends(ctx, 1, release(second)+"/deploy/upgrade.sh", release(second)+"/kyrochat")
	if err == nil && !strings.Contains(said, "there is no /srv/kyrochat/kyro.db") {
		err = fmt.Errorf("it says %s", said)
	}
	_, gone := m.sh(ctx, "sed -i /^KYRO_DATA_DIR/d /etc/kyrochat/kyrochat.env")
	return all(err, gone, m.is(ctx, before, "sh", "-c", state))
}

func upgrade(version string) func(ctx context.Context, m *machine) error {
	return func(ctx context.Context, m *machine) error {
		replace, err := onPage(deploymentPage, "Upgrade, and back", 2, 0)
		if err != nil {
			return err
		}
		if _, err := m.in(ctx, release(version), replace); err != nil {
			return err
		}
		if err := all(m.is(ctx, version, "kyrochat", "version"), m.is(ctx, "ready", "kyrochat", "health")); err != nil {
			return err
		}
		before, err := m.sh(ctx, state)
		if err != nil {
			return err
		}
		_, err = m.run(ctx, release(version)+"/deploy/upgrade.sh", release(version)+"/kyrochat", "--sums", release(version)+"/SHA256SUMS") // once more
		return all(err, m.is(ctx, before, "sh", "-c", state))
	}
}

// rolledBack tries a version that never gets ready, from a terminal that is closed meanwhile.
func rolledBack(ctx context.Context, m *machine) error {
	said, err := m.ends(ctx, 1, "sh", "-c", release(idle)+"/deploy/upgrade.sh "+release(idle)+`/kyrochat --timeout 8 &
while kill -0 $! && [ "$(kyrochat version)" != `+idle+` ]; do sleep 0.1; done
kill -HUP $!
wait $!`)
	if err == nil && !strings.Contains(said, "this version never gets ready") {
		err = fmt.Errorf("the last lines are not told: %s", said)
	}
	return all(err, m.is(ctx, second, "kyrochat", "version"), m.is(ctx, "ready", "kyrochat", "health"))
}

// undone is after rolledBack, of which nothing is left that --undo could take for the version before. Copies that are old enough go.
func undone(ctx context.Context, m *machine) error {
	_, err := m.sh(ctx, `set -e
ls /usr/lib/kyrochat/`+idle+`-* 2>/dev/null && exit 1
find /var/backups/kyrochat-upgrade/before -exec touch -d '29 days ago' {} +
systemd-tmpfiles --clean kyrochat.conf
test ! -e /var/backups/kyrochat-upgrade/before/kyro.db
/usr/lib/kyrochat/current/upgrade.sh --undo`)
	return all(err, m.is(ctx, first, "kyrochat", "version"), m.is(ctx, "ready", "kyrochat", "health"))
}

// overSchema tries a version that changes the schema and then does not serve.
func overSchema(ctx context.Context, m *machine) error {
	said, err := m.ends(ctx, 2, release(broken)+"/deploy/upgrade.sh", release(broken)+"/kyrochat", "--timeout", "20")
	if err == nil && !strings.Contains(said, "upgrade.sh --undo --restore") {
		err = fmt.Errorf("the way back is not told: %s", said)
	}
	if err := all(err, m.is(ctx, broken, "kyrochat", "version")); err != nil {
		return err
	}
	undo, err := onPage(deploymentPage, "Upgrade, and back", 2, 1)
	if err != nil {
		return err
	}
	if _, err := m.sh(ctx, undo); err != nil {
		return err
	}
	if err := all(m.is(ctx, second, "kyrochat", "version"), m.is(ctx, "ready", "kyrochat", "health")); err != nil {
		return err
	}
	// All at once.
	_, err = m.ends(ctx, 1, release(broken)+"/deploy/upgrade.sh", release(broken)+"/kyrochat", "--timeout", "20", "--restore")
	return all(err, m.is(ctx, second, "kyrochat", "version"), m.is(ctx, "ready", "kyrochat", "health"))
}

func uninstall(ctx context.Context, m *machine) error {
	for _, flags := range [][]string{{"--help"}, {"-purge"}, {""}, {"--purge", "now"}} { // who asks, or misspells, takes nothing away
		if _, err := m.ends(ctx, 1, append([]string{"/usr/lib/kyrochat/current/uninstall.sh"}, flags...)...); err != nil {
			return err
		}
	}
	_, err := m.run(ctx, "/usr/lib/kyrochat/current/uninstall.sh")
	return all(err,
		m.is(ctx, "/etc/kyrochat/kyrochat.env\n/var/lib/kyrochat/kyro.db\n/var/lib/kyrochat/secret",
			"sh", "-c", "ls -d /usr/lib/kyrochat /usr/local/lib/systemd/system/kyrochat* /usr/local/bin/kyrochat* /usr/share/doc/kyrochat /etc/kyrochat/kyrochat.env /var/lib/kyrochat/secret /var/lib/kyrochat/kyro.db 2>/dev/null || true"))
}

func purge(ctx context.Context, m *machine) error {
	_, err := m.run(ctx, release(first)+"/deploy/uninstall.sh", "--purge")
	return all(err, m.is(ctx, "", "sh", "-c", "ls -d /usr/lib/kyrochat /etc/kyrochat /var/lib/kyrochat /var/backups/kyrochat* /usr/local/lib/tmpfiles.d/kyrochat.conf 2>/dev/null || true"))
}
