package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"kyrochat/kyro"
)

// Reads that every page of a frontend makes are written here by hand: values are parameters, so that the text of a
// statement stays the same and PostgreSQL keeps its plan, and rows are scanned without reflection. bun writes values
// into the text, which is planned anew each time; that is for all the rest.

// readTimeout is how long such a read may take. It is not ended by the request it is made for: pgx closes a
// connection in the middle of a statement, which costs more than to read a page to its end.
const readTimeout = 3 * time.Second

// query is a SELECT in the making. Every ? of its text stands for the next of its values.
type query struct {
	text   strings.Builder
	values []any
	pg     bool
}

func (s *Store) query() *query { return &query{pg: s.postgres()} }

// add appends text and its values.
func (q *query) add(text string, values ...any) *query {
	if !q.pg {
		q.text.WriteString(text)
	}
	for _, value := range values {
		if at, ok := value.(time.Time); ok && !q.pg {
			value = at.UTC().Format("2006-01-02 15:04:05.999999-07:00") // as bun writes times, whose order is that of texts
		}
		q.values = append(q.values, value)
		if q.pg {
			before, after, _ := strings.Cut(text, "?")
			q.text.WriteString(before)
			q.text.WriteByte('$')
			q.text.WriteString(strconv.Itoa(len(q.values)))
			text = after
		}
	}
	if q.pg {
		q.text.WriteString(text)
	}
	return q
}

// in appends the condition that the expression is one of the values.
func in[T any](q *query, expression string, values []T) *query {
	if len(values) == 1 {
		return q.add(expression+" = ?", values[0])
	}
	if q.pg {
		return q.add(expression+" = ANY(?)", values)
	}
	list, _ := json.Marshal(values) // of numbers or texts
	return q.add(expression+" IN (SELECT value FROM json_each(?))", string(list))
}

// rowKeys are the keys of ids.
func rowKeys(ids []kyro.ID) []int64 {
	out := make([]int64, len(ids))
	for i, id := range ids {
		out[i] = id.Key
	}
	return out
}

// table says how rows R of one table are read into nouns N.
type table[R, N any] struct {
	name, alias string
	columns     string   // as SQL
	fields      []string // of each column, the field that alone needs it; "" for a column that is always read
	// into gives where the columns of a row go. Columns of JSON go through asJSON.
	into func(r *R, asJSON func(any) any) []any
	noun func(r *R, n *N)

	narrower sync.Map // tables with some of the columns, by the set of them as bits
}

// newTable takes the columns separated by spaces, in the order of into; "usage:usage" is a column that is needed for
// one field alone.
func newTable[R, N any](name, alias, columns string, into func(r *R, asJSON func(any) any) []any, noun func(r *R, n *N)) *table[R, N] {
	t := &table[R, N]{name: name, alias: alias, into: into, noun: noun}
	var list []string
	for each := range strings.FieldsSeq(columns) {
		column, field, _ := strings.Cut(each, ":")
		list, t.fields = append(list, alias+"."+column), append(t.fields, field)
	}
	t.columns = strings.Join(list, ", ")
	return t
}

// only is the table with the columns that the wanted fields need: to read and scan a column costs more than to see
// that nobody asked for it.
func (t *table[R, N]) only(wants func(field string) bool) *table[R, N] {
	var set uint64
	for i, field := range t.fields {
		if field == "" || wants(field) {
			set |= 1 << i
		}
	}
	if narrow, known := t.narrower.Load(set); known {
		return narrow.(*table[R, N])
	}
	narrow, _ := t.narrower.LoadOrStore(set, t.with(set))
	return narrow.(*table[R, N])
}

func (t *table[R, N]) with(set uint64) *table[R, N] {
	var picked []int
	var columns []string
	for i, column := range strings.Split(t.columns, ", ") {
		if set&(1<<i) != 0 {
			picked, columns = append(picked, i), append(columns, column)
		}
	}
	return &table[R, N]{
		name: t.name, alias: t.alias, columns: strings.Join(columns, ", "), noun: t.noun,
		into: func(r *R, asJSON func(any) any) []any {
			places := t.into(r, asJSON)
			for to, from := range picked {
				places[to] = places[from]
			}
			return places[:len(picked)]
		},
	}
}

// from is "name AS alias".
func (t *table[R, N]) from() string { return t.name + " AS " + t.alias }

// read gives the nouns of a query that selects the columns of the table. It has room for some from the start.
func read[R, N any](ctx context.Context, s *Store, t *table[R, N], q *query, room int) ([]N, error) {
	nouns := make([]N, 0, room)
	var row R
	asJSON := func(into any) any { return into }
	if !q.pg {
		asJSON = func(into any) any { return &jsonText{into} }
	}
	err := s.each(ctx, q, t.into(&row, asJSON), func() {
		var noun N
		nouns = append(nouns, noun)
		t.noun(&row, &nouns[len(nouns)-1])
		var none R
		row = none
	})
	return nouns, err
}

// each runs the query and calls do for every row, which is in the places then.
func (s *Store) each(ctx context.Context, q *query, places []any, do func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
	defer cancel()
	text := q.text.String()
	if s.pools.onQuery != nil {
		s.pools.onQuery(ctx, text)
	}
	if q.pg {
		return eachPostgres(ctx, s.pools, text, q.values, places, do)
	}
	return eachSQLite(ctx, s.pools, text, q.values, places, do)
}

func eachPostgres(ctx context.Context, p *Pools, text string, values, places []any, do func()) error {
	rows, err := p.Pgx.Query(ctx, text, append([]any{p.readMode}, values...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	var scanner *scanner
	for rows.Next() {
		if scanner == nil {
			scanner = newScanner(rows, places)
		}
		if err := scanner.scan(); err != nil {
			return err
		}
		do()
	}
	return rows.Err()
}

func eachSQLite(ctx context.Context, p *Pools, text string, values, places []any, do func()) error {
	statement, err := p.statements.prepared(ctx, p.readers.DB, text)
	if err != nil {
		return err
	}
	rows, err := statement.QueryContext(ctx, values...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := rows.Scan(places...); err != nil {
			return err
		}
		do()
	}
	return rows.Err()
}

// statements are those of SQLite that were prepared. Their texts come from the code alone, which has some hundred.
type statements struct {
	mu   sync.Mutex
	kept map[string]*sql.Stmt
}

func (s *statements) prepared(ctx context.Context, db *sql.DB, text string) (*sql.Stmt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if statement := s.kept[text]; statement != nil {
		return statement, nil
	}
	statement, err := db.PrepareContext(ctx, text)
	if err != nil {
		return nil, err
	}
	if s.kept == nil {
		s.kept = map[string]*sql.Stmt{}
	}
	s.kept[text] = statement
	return statement, nil
}

// jsonText reads a column of JSON where the driver does not.
type jsonText struct{ into any }

// Scan implements sql.Scanner.
func (j *jsonText) Scan(column any) error {
	switch text := column.(type) {
	case nil:
		return nil
	case string:
		return json.Unmarshal([]byte(text), j.into)
	case []byte:
		return json.Unmarshal(text, j.into)
	}
	return fmt.Errorf("a column of JSON holds %T", column)
}
