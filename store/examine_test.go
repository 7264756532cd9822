package store_test

import (
	"errors"
	"path/filepath"
	"testing"

	"kyrochat/internal/testdb"
	"kyrochat/store"
)

// TestExamineSaysWhatThereIs of a database that others have open.
func TestExamineSaysWhatThereIs(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		x, err := store.Examine(t.Context(), store.Config{DataDir: filepath.Join(dir, "none")})
		if err != nil || !x.File.None {
			t.Errorf("of none: %+v, %v", x, err)
		}
		testdb.SQLiteFile(t, dir)
		for name, open := range map[string]bool{"alone": false, "beside another": true} {
			var pools *store.Pools
			if open {
				if pools, err = store.Open(t.Context(), store.Config{DataDir: dir}); err != nil {
					t.Fatal(err)
				}
			}
			x, err := store.Examine(t.Context(), store.Config{DataDir: dir})
			if err != nil || x.Schema != store.SchemaCurrent || x.SchemaErr != nil || x.Version == "" || x.File.None || x.File.Unchecked || len(x.File.Damage) > 0 || !x.File.WAL {
				t.Errorf("%s: %+v, %+v, %v", name, x, x.File, err)
			}
			if used, err := store.InUse(dir); err != nil || used != open {
				t.Errorf("%s: in use %v, %v", name, used, err)
			}
			if open {
				if err := pools.Close(); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := testdb.PostgresURL(t)
		x, err := store.Examine(t.Context(), store.Config{DatabaseURL: url})
		if err != nil || x.SchemaErr != nil || x.Schema != store.SchemaCurrent {
			t.Fatalf("%+v, %v", x, err)
		}
		if pg := x.Postgres; pg.VersionNumber < store.OldestPostgres || pg.Encoding != "UTF8" || pg.ReadOnly || !pg.CanMake || !pg.CanUse ||
			pg.Most < 2 || pg.Pool < 5 || pg.User == "" || pg.Owner == "" || pg.SynchronousCommit == "" || pg.Ahead.Abs() > x.Took {
			t.Errorf("%+v, in %s", pg, x.Took)
		}
	})
}

// TestExamineTellsOfTheSchema: one that lacks something, a newer one, and none.
func TestExamineTellsOfTheSchema(t *testing.T) {
	t.Parallel()
	url := testdb.PostgresURL(t)
	pools, err := store.Open(t.Context(), store.Config{DatabaseURL: url})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pools.Close() }()
	for _, c := range []struct {
		statement string
		want      func(x store.Examined) bool
	}{
		{"DELETE FROM bun_migrations WHERE id > 1", func(x store.Examined) bool { return x.Schema == store.SchemaOlder && x.Lacks > 1 }},
		{"INSERT INTO bun_migrations (name, group_id) VALUES ('29990101000000', 99)", func(x store.Examined) bool { return errors.Is(x.SchemaErr, store.ErrNewer) }},
		{"DROP TABLE bun_migrations", func(x store.Examined) bool { return x.Schema == store.SchemaNone && x.Lacks > 1 }},
	} {
		if _, err := pools.Pgx.Exec(t.Context(), c.statement); err != nil {
			t.Fatal(err)
		}
		if x, err := store.Examine(t.Context(), store.Config{DatabaseURL: url}); err != nil || !c.want(x) {
			t.Errorf("after %s: %+v, %v", c.statement, x, err)
		}
	}
}
