package store

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"kyrochat/kyro"
)

// selection is the rows of a list: those of one table, perhaps joined with others, under some conditions.
type selection[R, N any] struct {
	table      *table[R, N]
	joins      string
	conditions []func(*query)
}

// rowsOf begins a selection of all rows.
func rowsOf[R, N any](t *table[R, N]) selection[R, N] { return selection[R, N]{table: t} }

// where narrows the selection.
func (l selection[R, N]) where(condition string, values ...any) selection[R, N] {
	return l.and(func(q *query) { q.add(condition, values...) })
}

// and narrows the selection by a condition that is written by a function.
func (l selection[R, N]) and(condition func(*query)) selection[R, N] {
	l.conditions = append(slices.Clip(l.conditions), condition)
	return l
}

// byID narrows the selection to the rows of ids.
func (l selection[R, N]) byID(ids []kyro.ID) selection[R, N] {
	return l.and(func(q *query) { in(q, l.table.alias+".id", rowKeys(ids)) })
}

// write appends the SELECT of what, without order and limit.
func (l selection[R, N]) write(q *query, what string) {
	q.add("SELECT " + what + " FROM " + l.table.from())
	if l.joins != "" {
		q.add(" " + l.joins)
	}
	for i, condition := range l.conditions {
		q.add([]string{" WHERE ", " AND "}[min(i, 1)])
		condition(q)
	}
}

// all reads the rows of a selection, in the order of the SQL, or in any where it is "".
func all[R, N any](ctx context.Context, s *Store, from selection[R, N], order string) ([]N, error) {
	q := s.query()
	from.write(q, from.table.columns)
	if order != "" {
		q.add(" ORDER BY " + order)
	}
	return read(ctx, s, from.table, q, 0)
}

// order is the order of a list of nouns N: by a sort column and, to break ties, by the key, both in the same
// direction. An index over both makes every page equally cheap.
type order[N any] struct {
	column string // SQL of the sort value, such as "b.created_at"; must never be null
	key    string // SQL of the row key, such as "b.id"
	desc   bool
	value  func(*N) string           // the sort value as a cursor keeps it
	parse  func(string) (any, error) // the way back, to a value that SQL compares with the column
	id     func(*N) kyro.ID
}

// by is the SQL of the order, or of its reverse.
func (o order[N]) by(backward bool) string {
	direction := " ASC"
	if o.desc != backward {
		direction = " DESC"
	}
	return o.column + direction + ", " + o.key + direction
}

// page reads one page of a list.
//
// Both flags of the page are exact. The row at the cursor is read along where it is still in the list, since it
// alone proves that there are rows on the other side; only where it is gone they are asked for.
func page[R, N any](ctx context.Context, s *Store, from selection[R, N], req kyro.PageRequest, by order[N]) (kyro.Page[N], error) {
	nouns, behind, err := fetch(ctx, s, from, req, by)
	if err != nil {
		return kyro.Page[N]{}, err
	}
	result := onePage(nouns, behind, req, by)
	if req.Total {
		q := s.query()
		from.write(q, "count(*)")
		err = s.each(ctx, q, []any{&result.Total}, func() {})
	}
	return result, err
}

// onePage makes a page of nouns in the direction of reading, which may be one more than it takes. It keeps them.
func onePage[N any](nouns []N, behind bool, req kyro.PageRequest, by order[N]) kyro.Page[N] {
	var result kyro.Page[N]
	more := len(nouns) > req.Limit
	nouns = nouns[:min(len(nouns), req.Limit):min(len(nouns), req.Limit)]
	if result.HasNextPage, result.HasPreviousPage = more, behind; req.Backward {
		result.HasNextPage, result.HasPreviousPage = behind, more
		slices.Reverse(nouns)
	}
	result.Nodes = orEmpty(nouns)
	result.CursorAt = func(i int) string {
		return kyro.Cursor{Order: req.Order, Value: by.value(&nouns[i]), Key: by.id(&nouns[i]).Key}.String()
	}
	return result
}

// fetch reads up to one row more than the page in the direction of reading. behind reports that the list has rows
// at or before the cursor, seen in that direction.
func fetch[R, N any](
	ctx context.Context, s *Store, from selection[R, N], req kyro.PageRequest, by order[N],
) (nouns []N, behind bool, err error) {
	if req.Cursor == nil {
		nouns, err = some(ctx, s, from, by.by(req.Backward), first(req))
		return nouns, false, err
	}
	onwards, back := ">=", "<="
	if by.desc != req.Backward {
		onwards, back = back, onwards
	}
	value, err := by.parse(req.Cursor.Value)
	if err != nil {
		return nil, false, kyro.Errorf(kyro.CodeBadUserInput, "The cursor is not one this server made.")
	}
	place := "(" + by.column + ", " + by.key + ") "
	nouns, err = some(ctx, s, from.where(place+onwards+" (?, ?)", value, req.Cursor.Key), by.by(req.Backward), req.Limit+2)
	if err != nil {
		return nil, false, err
	}
	if len(nouns) > 0 && by.id(&nouns[0]).Key == req.Cursor.Key && by.value(&nouns[0]) == req.Cursor.Value {
		return nouns[1:], true, nil
	}
	q := s.query()
	from.where(place+back+" (?, ?)", value, req.Cursor.Key).write(q, "1")
	var one int
	err = s.each(ctx, q.add(" LIMIT 1"), []any{&one}, func() { behind = true })
	return nouns, behind, err
}

// first is how many rows the page at the beginning of a list takes: one more tells whether there are others.
func first(req kyro.PageRequest) int {
	if req.NoInfo {
		return req.Limit
	}
	return req.Limit + 1
}

// some reads the first rows of a selection.
func some[R, N any](ctx context.Context, s *Store, from selection[R, N], order string, limit int) ([]N, error) {
	q := s.query()
	from.write(q, from.table.columns)
	return read(ctx, s, from.table, q.add(" ORDER BY "+order+" LIMIT ?", limit), limit)
}

// byTime orders by a time. Cursors keep it in a fixed width.
func byTime[N any](column, key string, direction kyro.Direction, value func(*N) time.Time, id func(*N) kyro.ID) order[N] {
	const form = "2006-01-02T15:04:05.000000Z"
	return order[N]{
		column: column, key: key, desc: direction == kyro.Desc, id: id,
		value: func(n *N) string { return value(n).UTC().Format(form) },
		parse: func(s string) (any, error) { return time.Parse(form, s) },
	}
}

// byText orders by a text, byte by byte.
func byText[N any](column, key string, direction kyro.Direction, value func(*N) string, id func(*N) kyro.ID) order[N] {
	return order[N]{
		column: column, key: key, desc: direction == kyro.Desc, id: id, value: value,
		parse: func(s string) (any, error) {
			if strings.ContainsRune(s, 0) {
				return nil, errors.New("a text with a NUL character")
			}
			return s, nil
		},
	}
}

// byNumber orders by a whole number.
func byNumber[N any](column, key string, direction kyro.Direction, value func(*N) int64, id func(*N) kyro.ID) order[N] {
	return order[N]{
		column: column, key: key, desc: direction == kyro.Desc, id: id,
		value: func(n *N) string { return strconv.FormatInt(value(n), 10) },
		parse: func(s string) (any, error) { return strconv.ParseInt(s, 10, 64) },
	}
}
