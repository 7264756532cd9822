package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"
)

// imageTables reads from the database itself which tables there are, so that none is forgotten that a later migration adds. They
// come in an order in which none refers to a later one.
func imageTables(ctx context.Context, db bun.IDB, postgres bool) ([]ImageTable, error) {
	read := sqliteTables
	if postgres {
		read = postgresTables
	}
	tables, parents, err := read(ctx, db)
	if err != nil {
		return nil, fmt.Errorf("read the schema: %w", err)
	}
	slices.SortFunc(tables, func(a, b ImageTable) int { return strings.Compare(a.Name, b.Name) })
	var ordered []ImageTable
	there := map[string]bool{}
	for len(ordered) < len(tables) {
		before := len(ordered)
		for _, t := range tables {
			ready := !slices.ContainsFunc(parents[t.Name], func(parent string) bool {
				return parent != t.Name && imaged(parent) && !there[parent]
			})
			if ready && !there[t.Name] {
				ordered, there[t.Name] = append(ordered, t), true
			}
		}
		if len(ordered) == before {
			return nil, errors.New("read the schema: tables refer to each other in a circle")
		}
	}
	return ordered, nil
}

func sqliteTables(ctx context.Context, db bun.IDB) (tables []ImageTable, parents map[string][]string, err error) {
	var names []string
	if err := db.NewRaw("SELECT name FROM sqlite_master WHERE type = 'table'").Scan(ctx, &names); err != nil {
		return nil, nil, err
	}
	parents = map[string][]string{}
	for _, name := range names {
		if !imaged(name) || !knownTables()[name] { // others may have theirs in the same file
			continue
		}
		t := ImageTable{Name: name}
		var columns []struct {
			Name string
			Type string
			PK   int
		}
		if err := db.NewRaw("SELECT name, type, pk FROM pragma_table_info(?) ORDER BY cid", name).Scan(ctx, &columns); err != nil {
			return nil, nil, err
		}
		keys := make([]string, len(columns))
		for _, c := range columns {
			kind, err := imageType(name, c.Name, c.Type)
			if err != nil {
				return nil, nil, err
			}
			t.Columns = append(t.Columns, ImageColumn{c.Name, kind})
			if c.PK > 0 {
				keys[c.PK-1] = `"` + c.Name + `"`
			}
		}
		t.order = strings.Join(slices.DeleteFunc(keys, func(k string) bool { return k == "" }), ", ")
		if err := db.NewRaw("SELECT sql LIKE '%AUTOINCREMENT%' FROM sqlite_master WHERE type = 'table' AND name = ?", name).Scan(ctx, &t.numbered); err != nil {
			return nil, nil, err
		}
		var last []int64
		if err := db.NewRaw("SELECT seq FROM sqlite_sequence WHERE name = ?", name).Scan(ctx, &last); err != nil {
			return nil, nil, err
		}
		if len(last) > 0 {
			t.Last = last[0]
		}
		var refers []string
		if err := db.NewRaw(`SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)`, name).Scan(ctx, &refers); err != nil {
			return nil, nil, err
		}
		parents[name], tables = refers, append(tables, t)
	}
	return tables, parents, nil
}

func postgresTables(ctx context.Context, db bun.IDB) (tables []ImageTable, parents map[string][]string, err error) {
	var columns []struct {
		TableName string
		Name      string
		Type      string
		Sequence  string
	}
	err = db.NewRaw(`SELECT c.relname AS table_name, a.attname AS name, format_type(a.atttypid, NULL) AS type,
			CASE WHEN a.attidentity <> '' THEN pg_get_serial_sequence(quote_ident(c.relname), a.attname) ELSE '' END AS sequence
		FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
		ORDER BY c.relname, a.attnum`).Scan(ctx, &columns)
	if err != nil {
		return nil, nil, err
	}
	for _, c := range columns {
		if !imaged(c.TableName) || !knownTables()[c.TableName] { // likewise
			continue
		}
		if len(tables) == 0 || tables[len(tables)-1].Name != c.TableName {
			tables = append(tables, ImageTable{Name: c.TableName})
		}
		t := &tables[len(tables)-1]
		kind, err := imageType(c.TableName, c.Name, c.Type)
		if err != nil {
			return nil, nil, err
		}
		t.Columns = append(t.Columns, ImageColumn{c.Name, kind})
		if c.Sequence != "" {
			t.numbered = true
			if err := db.NewRaw("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ?", bun.Safe(c.Sequence)).Scan(ctx, &t.Last); err != nil {
				return nil, nil, err
			}
		}
	}
	var keys []struct{ TableName, Columns string }
	err = db.NewRaw(`SELECT c.relname AS table_name, string_agg(quote_ident(a.attname), ', ' ORDER BY k.n) AS columns
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid CROSS JOIN LATERAL unnest(i.indkey::int[]) WITH ORDINALITY AS k (attnum, n)
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
		WHERE i.indisprimary AND c.relnamespace = current_schema()::regnamespace GROUP BY c.relname`).Scan(ctx, &keys)
	if err != nil {
		return nil, nil, err
	}
	for i := range tables {
		for _, k := range keys {
			if k.TableName == tables[i].Name {
				tables[i].order = k.Columns
			}
		}
	}
	var refers []struct{ Child, Parent string }
	err = db.NewRaw(`SELECT c.relname AS child, p.relname AS parent FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid
		JOIN pg_class p ON p.oid = f.confrelid WHERE f.contype = 'f' AND c.relnamespace = current_schema()::regnamespace`).Scan(ctx, &refers)
	parents = map[string][]string{}
	for _, r := range refers {
		parents[r.Child] = append(parents[r.Child], r.Parent)
	}
	return tables, parents, err
}
