package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"

	"kyrochat/migrations"
)

// migrationLock is the key of the advisory lock that lets one node at a time change the schema.
const migrationLock = 0x6b79726f // "kyro"

// Migrate brings the schema up to date and then runs also, which may be nil and keeps what the queue needs. On
// PostgreSQL any number of nodes may call it at once: one works, the others wait. A migration that fails leaves
// nothing behind and is tried again at the next start. Where there is nothing to do it takes no right to change the schema, so
// that a server may have a user of the database that has none.
func (p *Pools) Migrate(ctx context.Context, also func(ctx context.Context) error) error {
	return p.MigrateTo(ctx, nil, also)
}

// MigrateTo is Migrate with those migrations alone that are named; nil is all.
func (p *Pools) MigrateTo(ctx context.Context, names []string, also func(ctx context.Context) error) error {
	return p.alone(ctx, func() error {
		if err := p.migrate(ctx, names); err != nil || also == nil {
			return err
		}
		if err := also(ctx); err != nil {
			return fmt.Errorf("migrate the queue: %w", err)
		}
		return nil
	})
}

// migrate runs what is missing of the schema.
func (p *Pools) migrate(ctx context.Context, names []string) error {
	if names == nil {
		if schema, err := p.Schema(ctx); err != nil || schema == SchemaCurrent {
			return err
		}
	}
	migrator, err := p.migrator(ctx, names)
	if err != nil {
		return err
	}
	group, err := migrator.Migrate(ctx)
	if err != nil {
		return fmt.Errorf("migrate the schema: %w", err)
	}
	if !group.IsZero() {
		p.log.Info("schema migrated", "migrations", len(group.Migrations))
	}
	return nil
}

// alone has change work on a schema that no other process changes meanwhile.
func (p *Pools) alone(ctx context.Context, change func() error) error {
	if p.Postgres() {
		conn, err := p.writers.Conn(ctx)
		if err != nil {
			return fmt.Errorf("lock the schema: %w", err)
		}
		defer func() { _ = conn.Close() }()
		if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock(?)", migrationLock); err != nil {
			return fmt.Errorf("lock the schema: %w", err)
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			_, _ = conn.ExecContext(ctx, "SELECT pg_advisory_unlock(?)", migrationLock)
		}()
	}
	return change()
}

// migrator is of those migrations that are named; nil is all. A schema that is newer is an error.
func (p *Pools) migrator(ctx context.Context, names []string) (*migrate.Migrator, error) {
	set, err := someMigrations(names)
	if err != nil {
		return nil, err
	}
	words := migrations.SQLite
	if p.Postgres() {
		words = migrations.Postgres
	}
	// The lock of bun's own is a row, which a crash would leave for ever: it is not used.
	migrator := migrate.NewMigrator(p.writers, set, migrate.WithTemplateData(words), migrate.WithMarkAppliedOnSuccess(true))
	if err := migrator.Init(ctx); err != nil {
		return nil, fmt.Errorf("prepare the migrations: %w", err)
	}
	return migrator, refuseNewer(ctx, migrator)
}

// Schema is how far the schema of a database has come.
type Schema int

// What Schema can be.
const (
	SchemaCurrent Schema = iota // the one of this program
	SchemaNone                  // there is none yet
	SchemaOlder                 // Migrate would change it
)

// Schema looks at the schema and changes nothing. One that is newer than this program is an error.
func (p *Pools) Schema(ctx context.Context) (Schema, error) {
	state, _, err := lookAtSchema(ctx, p.readers, p.Postgres())
	return state, err
}

// lookAtSchema says how far the schema has come, and how many migrations it lacks.
func lookAtSchema(ctx context.Context, db *bun.DB, postgres bool) (state Schema, lacks int, err error) {
	set := migrate.NewMigrations()
	if err := set.Discover(migrations.Files); err != nil {
		return 0, 0, fmt.Errorf("read the migrations: %w", err)
	}
	migrator := migrate.NewMigrator(db, set)
	there := "SELECT count(*) FROM sqlite_master WHERE name = 'bun_migrations'"
	if postgres {
		there = "SELECT count(*) FROM pg_class WHERE oid = to_regclass('bun_migrations')"
	}
	var tables int
	if err := db.NewRaw(there).Scan(ctx, &tables); err != nil {
		return 0, 0, fmt.Errorf("look at the schema: %w", err)
	}
	if tables == 0 {
		return SchemaNone, len(set.Sorted()), nil
	}
	if err := refuseNewer(ctx, migrator); err != nil {
		return 0, 0, err
	}
	all, err := migrator.MigrationsWithStatus(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("read the migrations: %w", err)
	}
	lacks = len(all.Unapplied())
	switch {
	case len(all.Applied()) == 0:
		return SchemaNone, lacks, nil
	case lacks > 0:
		return SchemaOlder, lacks, nil
	}
	return SchemaCurrent, 0, nil
}

// ErrNewer says that a newer program made the database.
var ErrNewer = errors.New("the database was made by a newer version of this program")

// refuseNewer keeps an older program from working on the schema of a newer one.
func refuseNewer(ctx context.Context, migrator *migrate.Migrator) error {
	unknown, err := migrator.MissingMigrations(ctx)
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if len(unknown) > 0 {
		return fmt.Errorf("%w (migration %s): use that version", ErrNewer, unknown[0].Name)
	}
	return nil
}

// KnowsMigrations refuses, in words, what was made by a newer program.
func KnowsMigrations(names []string) error {
	set, err := someMigrations(nil)
	if err != nil {
		return err
	}
	known := set.Sorted()
	for _, name := range names {
		if !slices.ContainsFunc(known, func(m migrate.Migration) bool { return m.Name == name }) {
			return fmt.Errorf("the backup was made by a newer version of this program (migration %s): use that version or a later one", name)
		}
	}
	return nil
}

// someMigrations are those with the names; nil is all.
func someMigrations(names []string) (*migrate.Migrations, error) {
	all := migrate.NewMigrations()
	if err := all.Discover(migrations.Files); err != nil {
		return nil, fmt.Errorf("read the migrations: %w", err)
	}
	if names == nil {
		return all, nil
	}
	some := migrate.NewMigrations()
	for _, m := range all.Sorted() {
		if slices.Contains(names, m.Name) {
			some.Add(m)
		}
	}
	return some, nil
}
