package main

import (
	"context"
	"fmt"
	"strings"
)

// packaged is what an operator does with the package.
var packaged = []step{
	{"installs the package, and the unit is started", func(ctx context.Context, m *machine) error {
		commands, err := onPage(deploymentPage, "Package", 1, 0)
		if err != nil {
			return err
		}
		_, install, made := strings.Cut(commands, "\n")
		if !made || !strings.HasPrefix(commands, "make package") { // which packAll does
			return fmt.Errorf("the page does not begin with make package: %s", commands)
		}
		if _, err := m.in(ctx, "/root/releases/packages", install); err != nil {
			return err
		}
		return all(
			m.is(ctx, "ready", "kyrochat", "health", "--wait", "1m"),
			m.is(ctx, "active", "systemctl", "is-active", "kyrochat"),
			m.is(ctx, first, "kyrochat", "version"),
			m.is(ctx, "600 kyrochat", "stat", "-c", "%a %U", "/var/lib/kyrochat/secret"),
			m.is(ctx, "600 root", "stat", "-c", "%a %U", "/etc/kyrochat/kyrochat.env"),
		)
	}},
	{"is hardened", hardened},
	{"has the first account", account},
	{"refuses install.sh beside it", func(ctx context.Context, m *machine) error {
		_, err := m.ends(ctx, 1, release(second)+"/deploy/install.sh", release(second)+"/kyrochat")
		return err
	}},
	{"is not upgraded where no backup can be made", func(ctx context.Context, m *machine) error {
		before, err := m.sh(ctx, state)
		if err != nil {
			return err
		}
		said, err := m.ends(ctx, 1, "sh", "-c", "echo 'BACKUP_FLAGS=-to /nonexistent' >/etc/kyrochat/backup.env; dpkg -i /root/releases/packages/kyrochat_"+second+"*.deb")
		if err == nil {
			err = missing(said, "set KYROCHAT_NO_BACKUP=1")
		}
		_, gone := m.run(ctx, "rm", "/etc/kyrochat/backup.env")
		return all(err, gone, m.is(ctx, first, "kyrochat", "version"), m.is(ctx, before, "sh", "-c", state), m.is(ctx, "ready", "kyrochat", "health"))
	}},
	{"is upgraded after a backup, and keeps settings, secret, accounts and a unit that the operator wrote", func(ctx context.Context, m *machine) error {
		err := upgraded(ctx, m, "cp /lib/systemd/system/kyrochat.service /etc/systemd/system/ && systemctl daemon-reload && dpkg -i /root/releases/packages/kyrochat_"+second+
			"*.deb && rm /etc/systemd/system/kyrochat.service && systemctl daemon-reload")
		return all(err,
			m.is(ctx, "/usr/lib/kyrochat/current", "sh", "-c", "ls -d /usr/lib/kyrochat/*/kyrochat | sed 's|/kyrochat$||' | grep current"))
	}},
	{"is removed, and what belongs to people stays", func(ctx context.Context, m *machine) error {
		_, err := m.run(ctx, "dpkg", "-r", "kyrochat")
		return all(err, m.is(ctx, "/etc/kyrochat/kyrochat.env\n/var/lib/kyrochat/kyro.db\n/var/lib/kyrochat/secret", "sh", "-c",
			"ls -d /usr/lib/kyrochat /usr/bin/kyrochat /etc/kyrochat/kyrochat.env /var/lib/kyrochat/secret /var/lib/kyrochat/kyro.db 2>/dev/null || true"),
			m.is(ctx, "inactive", "sh", "-c", "systemctl is-active kyrochat || true"))
	}},
	{"is installed again, and on as before", func(ctx context.Context, m *machine) error {
		_, err := m.sh(ctx, "dpkg -i /root/releases/packages/kyrochat_"+second+"*.deb")
		return all(err,
			m.is(ctx, "enabled\nenabled\nenabled", "systemctl", "is-enabled", "kyrochat", "kyrochat-backup.timer", "kyrochat-backup-verify.timer"),
			m.is(ctx, "active\nactive\nactive", "systemctl", "is-active", "kyrochat", "kyrochat-backup.timer", "kyrochat-backup-verify.timer"),
			m.is(ctx, "ready", "kyrochat", "health"))
	}},
	{"is purged, and backups stay", func(ctx context.Context, m *machine) error {
		_, err := m.run(ctx, "dpkg", "-P", "kyrochat")
		return all(err, m.is(ctx, "", "sh", "-c", "ls -d /usr/lib/kyrochat /etc/kyrochat /var/lib/kyrochat 2>/dev/null || true"), m.is(ctx, "1", "sh", "-c", backupsMade))
	}},
}

// rpms is the same by the package of Red Hat's kind, with the rpm of Debian: its scripts run, and systemd starts what they enable. What is
// another there is the system itself. Debian's rpm does not know which packages of Debian are there.
var rpms = []step{
	{"installs the package, and the unit is started", func(ctx context.Context, m *machine) error {
		if _, err := m.sh(ctx, "rpm -i --nodeps /root/releases/packages/kyrochat-"+first+"*.rpm"); err != nil {
			return err
		}
		return all(
			m.is(ctx, "ready", "kyrochat", "health", "--wait", "1m"),
			m.is(ctx, "enabled\nenabled\nenabled", "systemctl", "is-enabled", "kyrochat", "kyrochat-backup.timer", "kyrochat-backup-verify.timer"),
			m.is(ctx, first, "kyrochat", "version"),
			m.is(ctx, "", "rpm", "-V", "--nodeps", "kyrochat"),
			m.is(ctx, "600 kyrochat", "stat", "-c", "%a %U", "/var/lib/kyrochat/secret"),
			m.is(ctx, "600 root", "stat", "-c", "%a %U", "/etc/kyrochat/kyrochat.env"),
		)
	}},
	{"is hardened", hardened},
	{"has the first account", account},
	{"is upgraded after a backup, and keeps settings, secret and accounts", func(ctx context.Context, m *machine) error {
		return upgraded(ctx, m, "rpm -U --nodeps /root/releases/packages/kyrochat-"+second+"*.rpm")
	}},
	{"is removed, and what belongs to people stays", func(ctx context.Context, m *machine) error {
		_, err := m.run(ctx, "rpm", "-e", "kyrochat")
		return all(err, m.is(ctx, "/etc/kyrochat/kyrochat.env\n/var/lib/kyrochat/kyro.db\n/var/lib/kyrochat/secret", "sh", "-c",
			"ls -d /usr/lib/kyrochat /usr/bin/kyrochat /etc/kyrochat/kyrochat.env* /var/lib/kyrochat/secret /var/lib/kyrochat/kyro.db 2>/dev/null || true"),
			m.is(ctx, "inactive", "sh", "-c", "systemctl is-active kyrochat || true"))
	}},
	{"is installed again, and on as before", func(ctx context.Context, m *machine) error {
		_, err := m.sh(ctx, "rpm -i --nodeps /root/releases/packages/kyrochat-"+second+"*.rpm")
		said, listed := m.run(ctx, "kyrochat-run", "admin", "list")
		return all(err, listed, missing(said, person),
			m.is(ctx, "warn", "sed", "-n", "s/^KYRO_LOG_LEVEL=//p", "/etc/kyrochat/kyrochat.env"),
			m.is(ctx, "active\nactive\nactive", "systemctl", "is-active", "kyrochat", "kyrochat-backup.timer", "kyrochat-backup-verify.timer"),
			m.is(ctx, "ready", "kyrochat", "health"))
	}},
}

// upgraded brings the second version by commands that install its package, and sees that a backup was made and what belongs to people is
// as it was.
func upgraded(ctx context.Context, m *machine, commands string) error {
	if _, err := m.sh(ctx, "echo KYRO_LOG_LEVEL=warn >>/etc/kyrochat/kyrochat.env"); err != nil {
		return err
	}
	const kept = `cat /var/lib/kyrochat/secret /etc/kyrochat/kyrochat.env | sha256sum; kyrochat-run admin list`
	before, err := m.sh(ctx, kept)
	if err != nil {
		return err
	}
	if _, err := m.sh(ctx, commands); err != nil {
		return err
	}
	return all(m.is(ctx, "ready", "kyrochat", "health", "--wait", "1m"), m.is(ctx, second, "kyrochat", "version"), m.is(ctx, before, "sh", "-c", kept),
		m.is(ctx, "1", "sh", "-c", backupsMade))
}
