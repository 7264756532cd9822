package doctor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"kyrochat/host"
	"kyrochat/store"
	"kyrochat/text"
)

const (
	databaseTime = 6 * time.Second
	slowDatabase = 20 * time.Millisecond // of a statement that asks for nothing: a request makes several
	shortestTime = 10 * time.Second      // that statements must have: those of migrations and of jobs
	largeLog     = 256 << 20             // bytes of SQLite's log: checkpoints keep it at some megabytes
)

func (p *patient) askDatabase() examinedDatabase {
	ctx, cancel := p.within(databaseTime - time.Second)
	defer cancel()
	x, err := store.Examine(ctx, store.Config{DatabaseURL: string(p.cfg.DatabaseURL), DataDir: p.cfg.DataDir})
	return examinedDatabase{x, err}
}

// lookAtDatabase looks whether there is one that can be used.
func lookAtDatabase(p *patient) []Finding {
	x := p.database()
	if p.cfg.DatabaseURL == "" {
		return fileVerdict(x)
	}
	return postgresVerdict(x)
}

func postgresVerdict(x examinedDatabase) (found []Finding) {
	if x.err != nil {
		return []Finding{unreachedPostgres(x)}
	}
	pg := x.Postgres
	if pg.VersionNumber < store.OldestPostgres {
		found = append(found, fail(fmt.Sprintf("PostgreSQL %s is too old: 15 or newer is needed.", x.Version), "Upgrade it (pg_upgrade), or set DATABASE_URL to a newer one."))
	}
	if pg.Encoding != "UTF8" {
		found = append(found, fail("The database has the encoding "+pg.Encoding+", and UTF8 is needed.", "Make another one, and set DATABASE_URL to it:\n  createdb --encoding=UTF8 --template=template0 kyro"))
	}
	if x.Took > slowDatabase {
		found = append(found, warn(fmt.Sprintf("PostgreSQL takes %s to answer a statement that asks for nothing; a request makes several.", x.Took.Round(time.Millisecond)),
			"Put the server and its database into one network, or see what keeps the database busy:\n  SELECT pid, state, wait_event, left(query, 60) FROM pg_stat_activity WHERE state <> 'idle';"))
	}
	if len(found) == 0 {
		found = []Finding{ok("PostgreSQL %s at %s answers in %s.", x.Version, x.Where, tookOf(x.Took))}
	}
	return found
}

func tookOf(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}

// unreachedPostgres words a PostgreSQL that cannot be used at all.
func unreachedPostgres(x examinedDatabase) Finding {
	why := plainly(x.err)
	mend := "See that it runs, and that this machine may reach it:\n  pg_isready -d \"$DATABASE_URL\""
	switch {
	case strings.Contains(why, "28P01"), strings.Contains(why, "28000"):
		mend = "Set the user and the password of DATABASE_URL right, or those of PostgreSQL:\n  ALTER ROLE kyro PASSWORD '…';"
	case strings.Contains(why, "3D000"):
		mend = "Make it, with the user of DATABASE_URL as its owner:\n  createdb --encoding=UTF8 --template=template0 --owner=kyro kyro"
	case strings.Contains(why, "53300"):
		mend = "Close what is not needed, or let in more (after a restart of PostgreSQL):\n  ALTER SYSTEM SET max_connections = 200;"
	}
	return fail(fmt.Sprintf("PostgreSQL at %s cannot be used: %s.", x.Where, why), mend)
}

// plainly is an error in one line, without the full stop. One that says what happened at the end says that alone.
func plainly(err error) string {
	line := strings.TrimRight(text.Printable(err.Error()), ". ")
	if strings.Contains(line, "context deadline exceeded") || strings.Contains(line, "i/o timeout") {
		return "it does not answer in time"
	}
	const most = 300
	if runes := []rune(line); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return line
}

func fileVerdict(x examinedDatabase) (found []Finding) {
	if x.err != nil {
		return []Finding{fail(fmt.Sprintf("The database %s cannot be read: %s.", x.Where, plainly(x.err)),
			"See that it belongs to the user that the server runs as (here "+host.OwnName()+"):\n  ls -l "+quoted(x.Where))}
	}
	f := x.File
	if f.None {
		return []Finding{ok("There is none yet: the first start makes an SQLite in %s.", f.Path)}
	}
	if len(f.Damage) > 0 {
		found = append(found, fail("SQLite finds damage in "+f.Path+": "+plainly(errors.New(strings.Join(f.Damage, "; ")))+".",
			"Stop the server, keep a copy of the data folder, and go back to a backup. What can still be read is saved by\n  sqlite3 "+quoted(f.Path)+" .recover | sqlite3 recovered.db"))
	}
	if f.Unchecked {
		found = append(found, note(fmt.Sprintf("%s has %s, too much to be looked through for damage in a few seconds.", f.Path, text.Bytes(f.Bytes)),
			"To look through all of it, which takes a while and does no harm beside a running server:\n  sqlite3 -readonly "+quoted(f.Path)+" 'PRAGMA quick_check'"))
	}
	if !f.WAL && len(f.Damage) == 0 {
		found = append(found, note(f.Path+" is not written by a log (WAL), as a server has it; the next start changes that.", ""))
	}
	if f.Log > largeLog {
		found = append(found, warn(fmt.Sprintf("The log of the database has grown to %s: something reads it without an end, so that it cannot be moved into the file.", text.Bytes(f.Log)),
			"Find what has the file open besides the server, and end it:\n  fuser -v "+quoted(f.Path)))
	}
	if worst(found) == Fine || worst(found) == Noted {
		found = append([]Finding{ok("SQLite %s in %s, %s%s.", x.Version, f.Path, text.Bytes(f.Bytes), pick(f.Unchecked, "", ", without damage"))}, found...)
	}
	return found
}

// lookAtSchema looks whether this program fits the database.
func lookAtSchema(p *patient) []Finding {
	x := p.database()
	if x.err != nil || x.File != nil && x.File.None {
		return nil // which is told
	}
	inUse := false
	if x.File != nil {
		inUse, _ = p.inUse()
	}
	return schemaVerdict(x, inUse)
}

func schemaVerdict(x examinedDatabase, inUse bool) []Finding {
	switch {
	case errors.Is(x.SchemaErr, store.ErrNewer):
		return []Finding{fail("A newer version of KyroChat made the schema of the database than this one, which does not start on it.",
			"Use the newer program again, or go back to a backup from before the upgrade.")}
	case x.SchemaErr != nil:
		return []Finding{fail("The schema cannot be looked at: "+plainly(x.SchemaErr)+".", "See that the user of the database may read all tables of its schema.")}
	case x.Schema == store.SchemaNone:
		return []Finding{ok("The database is empty: the first start makes the schema.")}
	case x.Schema == store.SchemaOlder && inUse:
		return []Finding{note(fmt.Sprintf("The running server is older than this program: %s to be run on its database.", migrationsAre(x.Lacks)), "Restart the server with this program, after a backup.")}
	case x.Schema == store.SchemaOlder:
		return []Finding{note(fmt.Sprintf("The schema is older than this program: %s to be run.", migrationsAre(x.Lacks)), "Make a backup. The next start runs them, or before it\n  kyrochat migrate")}
	}
	return []Finding{ok("The schema is that of this program.")}
}

func migrationsAre(n int) string { return text.Plural(n, "migration") + pick(n == 1, " is", " are") }

// lookAtConnections holds what PostgreSQL lets in against what this process, and the others, may open.
func lookAtConnections(p *patient) []Finding {
	x := p.database()
	if x.err != nil || x.Postgres == nil {
		return nil
	}
	nodes := 0
	if p.cfg.RedisURL != "" {
		nodes = p.redis().Nodes
	}
	return connectionsVerdict(*x.Postgres, nodes)
}

func connectionsVerdict(pg store.ExaminedPostgres, nodes int) []Finding {
	room := pg.Most / pg.Pool
	const mend = "Let in more (after a restart of PostgreSQL), or give each process fewer:\n  ALTER SYSTEM SET max_connections = %d;\nor\n  DATABASE_URL=…?pool_max_conns=%d"
	switch {
	case room == 0:
		return []Finding{fail(fmt.Sprintf("PostgreSQL lets %d connections in, and one process may open %d.", pg.Most, pg.Pool), fmt.Sprintf(mend, 2*pg.Pool+20, max(4, pg.Most-2)))}
	case nodes > room:
		return []Finding{warn(fmt.Sprintf("PostgreSQL lets %d connections in, enough for %s of up to %d each, and %d are there now.", pg.Most, processes(room), pg.Pool, nodes),
			fmt.Sprintf(mend, (nodes+1)*pg.Pool+20, max(4, pg.Most/(nodes+1)-1)))}
	case pg.Most-pg.Open < min(pg.Pool, 5):
		return []Finding{warn(fmt.Sprintf("Of the %d connections that PostgreSQL lets in, %d are open.", pg.Most, pg.Open),
			"See whose they are, and let in more (after a restart of PostgreSQL):\n  SELECT usename, application_name, count(*) FROM pg_stat_activity GROUP BY 1, 2;\n"+
				fmt.Sprintf("  ALTER SYSTEM SET max_connections = %d;", 2*pg.Most+20))}
	}
	now := ""
	if nodes > 0 {
		now = fmt.Sprintf("; %d %s there now", nodes, pick(nodes == 1, "is", "are"))
	}
	return []Finding{ok("PostgreSQL lets %d connections in, %d of which are open: enough for %s of up to %d each%s.", pg.Most, pg.Open, processes(room), pg.Pool, now)}
}

func processes(n int) string { return pick(n == 1, "1 process", fmt.Sprintf("%d processes", n)) }

// lookAtDatabaseSettings looks at what PostgreSQL is set to do, and what its user may.
func lookAtDatabaseSettings(p *patient) []Finding {
	x := p.database()
	if x.err != nil || x.Postgres == nil {
		return nil
	}
	return databaseSettingsVerdict(*x.Postgres, x.Schema)
}

// databaseSettingsVerdict: who cannot change a schema that is current may be meant to be so, and is all that a server needs.
func databaseSettingsVerdict(pg store.ExaminedPostgres, schema store.Schema) (found []Finding) {
	role := `"` + strings.ReplaceAll(pg.User, `"`, `""`) + `"`
	if pg.ReadOnly {
		found = append(found, fail("The database takes no writes: it is a replica, or set to be read-only.", "Set DATABASE_URL to the primary. Where this is one:\n  ALTER ROLE "+role+" RESET default_transaction_read_only;"))
	}
	owner := `"` + strings.ReplaceAll(pg.Owner, `"`, `""`) + `"`
	const rows = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public"
	switch {
	case !pg.CanUse:
		found = append(found, fail(fmt.Sprintf("The tables belong to %s, and the user %s may not read and write all of them.", pg.Owner, pg.User),
			"As "+pg.Owner+"; docs/security.md has the whole of it:\n  GRANT "+rows+" TO "+role+";"))
	case !pg.CanChange && schema == store.SchemaOlder:
		found = append(found, fail(fmt.Sprintf("The tables belong to %s, whose rights the user %s has not: it cannot change them, as the migrations do that are to be run.", pg.Owner, pg.User),
			"Run them with a DATABASE_URL of "+pg.Owner+", or let the user do it:\n  kyrochat migrate\nor\n  GRANT "+owner+" TO "+role+";"))
	case !pg.CanChange:
		found = append(found, note(fmt.Sprintf("The user %s may use the tables and not change them: migrations need %s, to whom they belong.", pg.User, pg.Owner),
			"Before each new version, with a DATABASE_URL of "+pg.Owner+":\n  kyrochat migrate"))
	case !pg.CanMake:
		found = append(found, pick(schema == store.SchemaNone, fail, warn)(fmt.Sprintf("The user %s may not make tables in the schema, which migrations do.", pg.User), "  GRANT CREATE, USAGE ON SCHEMA public TO "+role+";"))
	}
	if pg.Shared {
		found = append(found, warn("Between this machine and PostgreSQL is a pooler in transaction mode. A lock that a start takes for its migrations may stay behind with it, and the next start waits for that.",
			"Set DATABASE_URL to PostgreSQL itself, or to the pooler in session mode; for PgBouncer:\n  pool_mode = session"))
	}
	if pg.SynchronousCommit == "off" {
		found = append(found, warn("synchronous_commit is off: messages that were acknowledged are lost when the database's machine goes down.", "  ALTER ROLE "+role+" SET synchronous_commit = on;"))
	}
	for _, each := range [][2]string{{"fsync", pg.Fsync}, {"full_page_writes", pg.FullPageWrites}} {
		if name := each[0]; each[1] == "off" {
			found = append(found, warn(name+" is off: the database may be damaged when its machine goes down.",
				"Unless who runs it makes up for that below PostgreSQL, as ZFS does for full_page_writes and some providers for both:\n  ALTER SYSTEM SET "+name+" = on;\n  SELECT pg_reload_conf();"))
		}
	}
	if t := pg.StatementTimeout; t > 0 && t < shortestTime {
		found = append(found, warn(fmt.Sprintf("statement_timeout is %s: migrations and jobs have statements that may take longer, and fail.", t), "  ALTER ROLE "+role+" SET statement_timeout = 0;"))
	} else if t > 0 {
		found = append(found, note(fmt.Sprintf("statement_timeout is %s: a migration of a large table may take longer, and fails then.", t), "Should that happen:\n  ALTER ROLE "+role+" SET statement_timeout = 0;"))
	}
	if worst(found) == Fine || worst(found) == Noted {
		found = append([]Finding{ok("The user %s may %suse tables, and what is acknowledged is on the disk (synchronous_commit %s).", pg.User, pick(pg.CanChange, "make and ", ""), pg.SynchronousCommit)}, found...)
	}
	return found
}
