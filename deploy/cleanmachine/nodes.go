package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// theNodes are the units of three processes on one PostgreSQL and one Redis.
const theNodes = "kyrochat-api@1 kyrochat-api@2 kyrochat-worker@1"

// nodes is what an operator does with several processes.
var nodes = []step{
	{"installs api and worker beside PostgreSQL and Redis", installNodes},
	{"has the first account", account},
	{"is behind Caddy, with TLS", proxied},
	{"reads a PDF", learn},
	{"answers over TLS, streamed and cited", chat},
	{"is upgraded, one process after the other", upgradeNodes},
	{"has its messages after the upgrade", remembers(second)},
	{"keeps the version where the new one does not get ready", func(ctx context.Context, m *machine) error {
		_, err := m.ends(ctx, 1, release(idle)+"/deploy/upgrade.sh", release(idle)+"/kyrochat", "--timeout", "8", "--no-backup")
		return all(err, m.is(ctx, second, "kyrochat", "version"), m.is(ctx, "active\nactive\nactive", "sh", "-c", "systemctl is-active "+theNodes))
	}},
	{"has its messages after that", remembers(second)},
	{"gets back what was deleted, beside the service and in its place", restored("An installation with PostgreSQL", passphrase)},
	{"serves without any right to the schema", leastRights},
	{"gets back what was deleted without any right to the schema", restoredByOwner},
	{"keeps the version where nobody may change the schema", func(ctx context.Context, m *machine) error {
		said, err := m.ends(ctx, 1, release(broken)+"/deploy/upgrade.sh", release(broken)+"/kyrochat")
		if err == nil && !strings.Contains(said, "cannot bring the schema up to date") {
			err = fmt.Errorf("it says %s", said)
		}
		return all(err, m.is(ctx, second, "kyrochat", "version"), m.areReady(ctx))
	}},
	{"changes the schema with the rights of its owner", func(ctx context.Context, m *machine) error {
		_, err := m.ends(ctx, 2, release(broken)+"/deploy/upgrade.sh", release(broken)+"/kyrochat", "--owner", "/root/owner", "--timeout", "20")
		return all(err, m.is(ctx, "kyro", "su", "postgres", "-c", `psql -tAc "SELECT tableowner FROM pg_tables WHERE tablename = 'later'" kyro`),
			m.is(ctx, "", "sh", "-c", "ls -d /run/kyrochat-owner* 2>/dev/null || true"))
	}},
}

// passphrase is the flag of who opens the backups of upgradeNodes.
const passphrase = "-passphrase-file /var/lib/kyrochat/passphrase"

// rights are the statements of docs/security.md that make the server a user of the database, one a line.
func rights() (statements string, err error) {
	manual, err := os.ReadFile("docs/security.md")
	_, statements, _ = strings.Cut(string(manual), "```sql elsewhere=TestAServerNeedsNoRightToTheSchema\n")
	statements, _, _ = strings.Cut(statements, "```")
	return strings.ReplaceAll(statements, "…", "only-rows"), err
}

// restoredByOwner is restored where the tables belong to another user than that of the server, whose DATABASE_URL leastRights left in a file.
func restoredByOwner(ctx context.Context, m *machine) error {
	statements, err := rights()
	if err != nil {
		return err
	}
	_, again, _ := strings.Cut(statements, "\n") // the role is there
	// What the restore before this one left aside.
	if _, err := m.feed(ctx, again, "sh", "-c", "cat >/root/rights.sql; su postgres -c 'dropdb kyro_before'"); err != nil {
		return err
	}
	if err := restored("Where the server has rights to rows alone", passphrase)(ctx, m); err != nil {
		return err
	}
	said, err := m.sh(ctx, "psql -tAc 'CREATE TABLE mine (id bigint)' \"$(cat /etc/kyrochat/credentials/DATABASE_URL)\" 2>&1 || true; ls -d /run/kyrochat-owner* 2>/dev/null || true")
	if err == nil && (!strings.Contains(said, "permission denied") || strings.Contains(said, "kyrochat-owner")) {
		err = fmt.Errorf("the server's user may: %s", said)
	}
	return all(err, m.areReady(ctx))
}

// leastRights gives the server the user of the database that docs/security.md makes.
func leastRights(ctx context.Context, m *machine) error {
	statements, err := rights()
	if err != nil {
		return err
	}
	if _, err := m.feed(ctx, statements, "sh", "-c", `umask 077
su postgres -c "psql -qc 'ALTER ROLE kyro CREATEROLE'" </dev/null
mv /etc/kyrochat/credentials/DATABASE_URL /root/owner
psql -q -v ON_ERROR_STOP=1 "$(cat /root/owner)"
echo postgres://kyro_server:only-rows@127.0.0.1/kyro >/etc/kyrochat/credentials/DATABASE_URL
systemctl restart `+theNodes+` && kyrochat-run doctor -warnings-ok`); err != nil {
		return err
	}
	return m.areReady(ctx)
}

func installNodes(ctx context.Context, m *machine) error {
	install, err := onPage(deploymentPage, "Several processes and machines", 1, 0, "https://chat.example.com", site,
		"'postgres://kyro:PASSWORD@db.internal/kyro'", `"postgres://kyro:$password@127.0.0.1/kyro"`, "redis://:PASSWORD@redis.internal:6379/0", "redis://127.0.0.1:6379/0")
	if err != nil {
		return err
	}
	if _, err := m.in(ctx, release(first), `password=$(head -c 24 /dev/urandom | base64 | tr -d /+=)
su postgres -c "psql -qc \"CREATE ROLE kyro LOGIN PASSWORD '$password'\" -c 'CREATE DATABASE kyro OWNER kyro'"
`+install); err != nil {
		return err
	}
	return m.areReady(ctx)
}

// areReady asks each process.
func (m *machine) areReady(ctx context.Context) error {
	for _, addr := range []string{"127.0.0.1:9091", "127.0.0.1:9092", "127.0.0.1:9191"} {
		if err := m.is(ctx, "ready", "env", "KYRO_ADMIN_ADDR="+addr, "kyrochat", "health"); err != nil {
			return err
		}
	}
	return nil
}

// upgradeNodes has backups encrypted: that of the upgrade is, too.
func upgradeNodes(ctx context.Context, m *machine) error {
	args := []string{release(second) + "/deploy/upgrade.sh", release(second) + "/kyrochat"}
	if _, err := m.sh(ctx, `umask 077
head -c 24 /dev/urandom | base64 >/var/lib/kyrochat/passphrase
chown kyrochat /var/lib/kyrochat/passphrase
echo 'BACKUP_FLAGS=-passphrase-file /var/lib/kyrochat/passphrase' >/etc/kyrochat/backup.env`); err != nil {
		return err
	}
	if m.has(ctx, "backup") != nil {
		said, err := m.ends(ctx, 1, args...)
		if err == nil && !strings.Contains(said, "--no-backup") {
			err = fmt.Errorf("it does not say what to do: %s", said)
		}
		if err := all(err, m.is(ctx, first, "kyrochat", "version")); err != nil {
			return err
		}
		args = append(args, "--no-backup")
	}
	_, err := m.run(ctx, args...)
	return all(err, m.is(ctx, second, "kyrochat", "version"), m.areReady(ctx),
		m.is(ctx, "age-encryption.org/v1", "sh", "-c", "for each in $(find /var/backups/kyrochat -type f); do head -n 1 $each; done | sort -u"))
}
