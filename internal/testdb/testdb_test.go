package testdb_test

import (
	"context"
	"testing"

	"kyrochat/internal/testdb"
	"kyrochat/store"
)

func TestEveryDatabaseIsMigratedAndOfItsOwn(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		if err := p.Ping(context.Background()); err != nil {
			t.Fatal(err)
		}
		if err := p.Migrate(context.Background(), nil); err != nil {
			t.Fatalf("a second migration: %v", err)
		}
	})
}

func TestPostgresURLRunsTheFurtherMigration(t *testing.T) {
	t.Parallel()
	var ran bool
	url := testdb.PostgresURL(t, testdb.Also(func(ctx context.Context, p *store.Pools) error {
		ran = true
		_, err := p.Pgx.Exec(ctx, "CREATE TABLE further (id INT)")
		return err
	}))
	if !ran {
		t.Fatal("the further migration did not run")
	}
	p, err := store.Open(context.Background(), store.Config{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Pgx.Exec(context.Background(), "SELECT * FROM further, users"); err != nil {
		t.Fatal(err)
	}
}
