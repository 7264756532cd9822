package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"
	sqlite3 "modernc.org/sqlite/lib"

	"kyrochat/kyro"
)

// Inspection says what is looked at, and by whom it is told.
type Inspection struct {
	Model string // of embeddings that are in use; "" looks at no vectors
	Dims  int
	With  string    // what the vectors of documents should be made with and where, as documents.embedded_with
	Now   time.Time // or when it is looked at as it was
	// Doing, when set, is told what is looked at next.
	Doing func(what string)
	// Found is told what is not as it should be, with what repairs it; nil where nothing does.
	Found func(f kyro.Finding, repair func(context.Context) error) error
}

// notAllowed is what PostgreSQL says where a user has no right to something.
const notAllowed = "42501"

// purgeGrace is how long what was deleted may be there still: a job removes it.
const purgeGrace = time.Hour

// inspection is one that is under way. All of it is read in one snapshot, so that what is written meanwhile is never half seen.
type inspection struct {
	Inspection
	s        *Store
	db       bun.IDB
	snapshot *Snapshot
}

// Inspect looks at everything that is stored in the database, and changes nothing. Where the database cannot be read as a whole it
// says so by a finding, and then gives an error, for nothing else is to be believed. A repair looks again at what it repairs. They
// may run while people write.
func (s *Store) Inspect(ctx context.Context, o Inspection) error {
	snapshot, err := s.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer snapshot.Close()
	if o.Doing == nil {
		o.Doing = func(string) {}
	}
	in := &inspection{Inspection: o, s: s, db: snapshot.tx, snapshot: snapshot}
	for _, part := range []struct {
		what string
		look func(context.Context) error
	}{
		{"the database", in.integrity}, {"references", in.references}, {"what has no parent", in.orphans}, {"counters", in.counters},
		{"documents", in.documents}, {"the index of words", in.words}, {"vectors", in.vectors}, {"gaps", in.gaps}, {"budgets", in.held},
		{"hours that are counted", in.hours}, {"the audit log", in.audit},
	} {
		o.Doing(part.what)
		if err := part.look(ctx); err != nil {
			return fmt.Errorf("look at %s: %w", part.what, err)
		}
	}
	return nil
}

// integrity reads all that is in the files of the database.
func (in *inspection) integrity(ctx context.Context) error {
	if in.snapshot.pg == nil {
		said, err := in.integritySaid(ctx)
		if err != nil {
			return err
		}
		if len(said) == 1 && said[0] == "ok" {
			return nil
		}
		if told := in.Found(kyro.Finding{
			Check: "database-integrity", Damage: true, Count: len(said), Examples: said, Found: "SQLite finds its file damaged.",
			Mend: "Stop the server, keep a copy of the data folder, and restore the last backup; look for a failing disk.",
		}, nil); told != nil {
			return told
		}
		return errors.New("the file is damaged, and so nothing more can be looked at")
	}
	var tables []string
	err := in.db.NewRaw(`SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace ORDER BY 1`).Scan(ctx, &tables)
	if err != nil {
		return err
	}
	for _, table := range tables { // large values included, which a count would not read
		if !ours(table) {
			continue
		}
		if _, err := in.snapshot.pg.PgConn().CopyTo(ctx, io.Discard, `COPY "`+table+`" TO STDOUT (FORMAT binary)`); err != nil {
			if ctx.Err() != nil {
				return err
			}
			if code, _ := postgresCode(err); code == notAllowed {
				return fmt.Errorf("the user of DATABASE_URL may not read the table %s: grant it, or use the owner's", table)
			}
			if told := in.Found(kyro.Finding{
				Check: "database-integrity", Damage: true, Count: 1, Examples: []string{table}, Found: "A table cannot be read: " + err.Error() + ".",
				Mend: "Stop the servers, keep a copy of PostgreSQL's folder, and restore the last backup; look for a failing disk.",
			}, nil); told != nil {
				return told
			}
			return fmt.Errorf("table %s cannot be read, and so nothing more can be looked at", table)
		}
	}
	var invalid []struct{ Name, TableName string }
	err = in.db.NewRaw(`SELECT c.relname AS name, t.relname AS table_name FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
			WHERE NOT (i.indisvalid AND i.indisready) AND c.relnamespace = current_schema()::regnamespace
		UNION ALL SELECT f.conname, t.relname FROM pg_constraint f JOIN pg_class t ON t.oid = f.conrelid
			WHERE NOT f.convalidated AND f.connamespace = current_schema()::regnamespace`).Scan(ctx, &invalid)
	if err != nil {
		return err
	}
	var bad []string
	for _, i := range invalid {
		if ours(i.TableName) {
			bad = append(bad, i.Name)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return in.Found(kyro.Finding{
		Check: "database-integrity", Damage: true, Count: len(bad), Examples: kyro.Examples(bad), Found: "Indexes or constraints of PostgreSQL are not valid.",
		Mend: "REINDEX INDEX, or ALTER TABLE … VALIDATE CONSTRAINT, with psql.",
	}, nil)
}

// integritySaid is what SQLite finds in its file: "ok", or what is wrong. A page that it cannot read at all is an error of the check.
func (in *inspection) integritySaid(ctx context.Context) (said []string, err error) {
	rows, err := in.db.QueryContext(ctx, "PRAGMA integrity_check(10)")
	if err == nil {
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var one string
			if err := rows.Scan(&one); err != nil {
				return nil, err
			}
			said = append(said, one)
		}
		err = rows.Err()
	}
	if code, _ := sqliteCode(err); code&0xff == sqlite3.SQLITE_CORRUPT || code&0xff == sqlite3.SQLITE_NOTADB {
		return append(said, err.Error()), nil
	}
	return said, err
}

// ours reports whether a table is one of this program. Others may have theirs in the same schema.
func ours(table string) bool {
	return knownTables()[table] || strings.HasPrefix(table, "river_") || strings.HasPrefix(table, "bun_")
}

// references looks at what refers to a row that is not there, though the schema forbids it.
func (in *inspection) references(ctx context.Context) error {
	var broken []string
	count := 0
	if in.snapshot.pg == nil {
		rows, err := in.db.QueryContext(ctx, `SELECT "table", coalesce(rowid, 0), parent FROM pragma_foreign_key_check`)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var table, parent string
			var row int64
			if err := rows.Scan(&table, &row, &parent); err != nil {
				return err
			}
			if count++; count <= kyro.MaxFindingExamples {
				broken = append(broken, fmt.Sprintf("row %d of %s, of %s", row, table, parent))
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
	} else {
		var keys []struct{ TableName, Child, Parent, Ours, Theirs string }
		err := in.db.NewRaw(`SELECT (SELECT relname FROM pg_class WHERE oid = f.conrelid) AS table_name, f.conrelid::regclass::text AS child, f.confrelid::regclass::text AS parent,
				(SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = f.conrelid AND attnum = f.conkey[1]) AS ours,
				(SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = f.confrelid AND attnum = f.confkey[1]) AS theirs
			FROM pg_constraint f WHERE f.contype = 'f' AND cardinality(f.conkey) = 1 AND f.connamespace = current_schema()::regnamespace`).Scan(ctx, &keys)
		if err != nil {
			return err
		}
		for _, k := range keys {
			if !ours(k.TableName) {
				continue
			}
			var n int
			err := in.db.NewRaw(fmt.Sprintf("SELECT count(*) FROM %s AS c WHERE c.%s IS NOT NULL AND NOT EXISTS (SELECT 1 FROM %s AS p WHERE p.%s = c.%s)",
				k.Child, k.Ours, k.Parent, k.Theirs, k.Ours)).Scan(ctx, &n)
			if err != nil {
				return err
			}
			if n > 0 {
				count += n
				broken = append(broken, fmt.Sprintf("%d of %s, of %s", n, k.Child, k.Parent))
			}
		}
	}
	if count == 0 {
		return nil
	}
	return in.Found(kyro.Finding{
		Check: "references", Damage: true, Count: count, Examples: kyro.Examples(broken), Found: "Rows refer to rows that are not there.",
		Mend: "Somebody changed the database by hand, or it was damaged: restore the last backup from before that.",
	}, nil)
}

// audit checks the chain of the audit log.
func (in *inspection) audit(ctx context.Context) error {
	check, err := in.s.VerifyAudit(ctx)
	if err != nil || check.Intact() {
		return err
	}
	return in.Found(kyro.Finding{
		Check: "audit-log", Damage: true, Count: 1, Examples: []string{fmt.Sprintf("line %d", check.Broken)}, Found: "The audit log was changed: " + check.Why + ".",
		Mend: "Nothing brings the lines back. A backup from before shows what they were; look for who had rights to write to the database.",
	}, nil)
}

// ids gives how many numbers a statement gives, and the first of them, as ids of a kind and as they are.
func (in *inspection) ids(ctx context.Context, kind kyro.Kind, statement string, args ...any) (count int, examples []string, list []int64, err error) {
	count, list, err = keysOf[int64](ctx, in.db, statement, args...)
	for _, id := range kyro.Examples(list) {
		examples = append(examples, kyro.ID{Kind: kind, Key: id}.String())
	}
	return count, examples, list, err
}

// keysOf gives how many rows a statement gives, and the keys that it gives, each once and as many as are repaired at once.
func keysOf[K comparable](ctx context.Context, db bun.IDB, statement string, args ...any) (count int, list []K, err error) {
	rows, err := db.QueryContext(ctx, statement, args...)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = rows.Close() }()
	seen := map[K]bool{}
	for rows.Next() {
		var key K
		if err := rows.Scan(&key); err != nil {
			return 0, nil, err
		}
		if count++; len(list) < repairMost && !seen[key] {
			seen[key], list = true, append(list, key)
		}
	}
	return count, list, rows.Err()
}

const (
	repairMost  = 10_000 // things of a finding are repaired at once; the next time there are more
	repairATurn = 200    // of them in one transaction: little enough that writers hardly notice it
)

// mostOf is how many of a finding are repaired at once, where the list of them is not all; else 0.
func mostOf[K any](list []K) int {
	if len(list) < repairMost {
		return 0
	}
	return repairMost
}

// mending is how rows are repaired that were found before: looking through whole tables takes long, and is not done by who has others
// wait for their writes.
type mending struct {
	wrong      string   // what is so of the rows; looked at once more
	key        string   // by which they were found
	turn       int      // keys in a transaction
	statements []string // %s is where the condition goes
	embeddings bool     // it needs the lock of embeddings
}

// mend repairs the rows with the keys, in turns.
func mend[K any](in *inspection, m mending, keys []K) func(context.Context) error {
	return func(ctx context.Context) error {
		for some := range slices.Chunk(keys, m.turn) {
			err := in.s.write(ctx, "repair", func(ctx context.Context, tx *writeTx) error {
				if m.embeddings {
					if err := tx.mayRemoveEmbeddings(ctx); err != nil {
						return err
					}
				}
				for _, statement := range m.statements {
					if _, err := tx.ExecContext(ctx, fmt.Sprintf(statement, m.key+" IN (?) AND ("+m.wrong+")"), list(some)); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
}
