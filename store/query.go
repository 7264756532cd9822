package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

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
	long func(*R) int // how many bytes the long texts of a row have; nil where they are few

	narrower sync.Map // tables with some of the columns, by the set of them as bits
	narrowed atomic.Int32
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
	if t.narrowed.Load() >= mostNarrowed {
		return t.with(set)
	}
	narrow, known := t.narrower.LoadOrStore(set, t.with(set))
	if !known {
		t.narrowed.Add(1)
	}
	return narrow.(*table[R, N])
}

// mostNarrowed is how many such tables are kept of one: clients choose what they select.
const mostNarrowed = 256

func (t *table[R, N]) with(set uint64) *table[R, N] {
	var picked []int
	var columns []string
	for i, column := range strings.Split(t.columns, ", ") {
		if set&(1<<i) != 0 {
			picked, columns = append(picked, i), append(columns, column)
		}
	}
	return &table[R, N]{
		name: t.name, alias: t.alias, columns: strings.Join(columns, ", "), noun: t.noun, long: t.long,
		into: func(r *R, asJSON func(any) any) []any {
			places := t.into(r, asJSON)
			for to, from := range picked {
				places[to] = places[from]
			}
			return places[:len(picked)]
		},
	}
}

// withTexts is the table, of whose rows long texts count in the budget of an answer.
func (t *table[R, N]) withTexts(long func(*R) int) *table[R, N] {
	t.long = long
	return t
}

// and is the table with one more column, an expression over those of the row, which must not have ", " in it.
func (t *table[R, N]) and(expression string) *table[R, N] {
	t.columns, t.fields = t.columns+", "+expression, append(t.fields, "")
	return t
}

// from is "name AS alias".
func (t *table[R, N]) from() string { return t.name + " AS " + t.alias }

// spendAtOnce is how many bytes of texts are taken from a budget together.
const spendAtOnce = 16 << 10

// read gives the nouns of a query that selects the columns of the table. It has room for some from the start.
func read[R, N any](ctx context.Context, s *Store, t *table[R, N], q *query, room int) ([]N, error) {
	nouns := make([]N, 0, room)
	var row R
	budget, exceeded, unspent := kyro.BudgetFrom(ctx), false, 0
	err := s.each(ctx, q, t.into(&row, s.asJSON), func() {
		if exceeded {
			return // the rest is not kept
		}
		if t.long != nil {
			// Not for every row: to add atomically waits until the text before it is in memory.
			if unspent += t.long(&row); unspent >= spendAtOnce {
				exceeded, unspent = !budget.Spend(unspent), 0
			}
		}
		var noun N
		nouns = append(nouns, noun)
		t.noun(&row, &nouns[len(nouns)-1])
		var none R
		row = none
	})
	if err == nil && (exceeded || !budget.Spend(unspent)) {
		return nil, budget.Exceeded()
	}
	return nouns, err
}

// asJSON is where a column of JSON goes.
func (s *Store) asJSON(into any) any {
	if s.postgres() {
		return into
	}
	return &jsonText{into}
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
	began := s.pools.watch.began(ctx)
	var err error
	if q.pg {
		err = eachPostgres(ctx, s.pools, text, q.values, places, do)
	} else {
		err = eachSQLite(ctx, s.pools, text, q.values, places, do)
	}
	s.pools.watch.tell(ctx, firstWord(text), began, err, text)
	return err
}

// eachPostgres runs a read once more where a migration has changed a column since it was prepared: the server refuses
// the old plan, and the connection forgets it.
func eachPostgres(ctx context.Context, p *Pools, text string, values, places []any, do func()) error {
	begun, err := runPostgres(ctx, p, p.readMode, text, values, places, do)
	if code, _ := postgresCode(err); code == "0A000" && !begun {
		_, err = runPostgres(ctx, p, pgx.QueryExecModeDescribeExec, text, values, places, do)
	}
	return err
}

// runPostgres reports besides whether there was a row.
func runPostgres(ctx context.Context, p *Pools, mode pgx.QueryExecMode, text string, values, places []any, do func()) (begun bool, err error) {
	rows, err := p.Pgx.Query(ctx, text, append([]any{mode}, values...)...)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	var scanner *scanner
	for rows.Next() {
		if scanner == nil {
			scanner = newScanner(rows, places)
		}
		if err := scanner.scan(); err != nil {
			return true, err
		}
		do()
	}
	return scanner != nil, rows.Err()
}

func eachSQLite(ctx context.Context, p *Pools, text string, values, places []any, do func()) error {
	statement, err := p.statements.take(ctx, p.readers.DB, text)
	if err != nil {
		return err
	}
	defer p.statements.release(statement)
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
