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
type selection[R any] struct {
	table      *table[R]
	joins      string
	conditions []func(*query)
}

// rowsOf begins a selection of all rows.
func rowsOf[R any](t *table[R]) selection[R] { return selection[R]{table: t} }

// where narrows the selection.
func (l selection[R]) where(condition string, values ...any) selection[R] {
	return l.and(func(q *query) { q.add(condition, values...) })
}

// and narrows the selection by a condition that is written by a function.
func (l selection[R]) and(condition func(*query)) selection[R] {
	l.conditions = append(slices.Clip(l.conditions), condition)
	return l
}

// byID narrows the selection to the rows of ids.
func (l selection[R]) byID(ids []kyro.ID) selection[R] {
	return l.and(func(q *query) { in(q, l.table.alias+".id", rowKeys(ids)) })
}

// write appends the SELECT of what, without order and limit.
func (l selection[R]) write(q *query, what string) {
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
func all[R any](ctx context.Context, s *Store, from selection[R], order string) ([]R, error) {
	q := s.query()
	from.write(q, from.table.list)
	if order != "" {
		q.add(" ORDER BY " + order)
	}
	return read(ctx, s, from.table, q)
}

// order is the order of a list of rows R: by a sort column and, to break ties, by the key, both in the same
// direction. An index over both makes every page equally cheap.
type order[R any] struct {
	column string // SQL of the sort value, such as "b.created_at"; must never be null
	key    string // SQL of the row key, such as "b.id"
	desc   bool
	value  func(*R) string           // the sort value as a cursor keeps it
	parse  func(string) (any, error) // the way back, to a value that SQL compares with the column
	id     func(*R) int64
}

// by is the SQL of the order, or of its reverse.
func (o order[R]) by(backward bool) string {
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
func page[R, N any](ctx context.Context, s *Store, from selection[R], req kyro.PageRequest, by order[R], noun func(*R) N) (kyro.Page[N], error) {
	rows, behind, err := fetch(ctx, s, from, req, by)
	if err != nil {
		return kyro.Page[N]{}, err
	}
	result := onePage(rows, behind, req, by, noun)
	if req.Total {
		q := s.query()
		from.write(q, "count(*)")
		err = s.each(ctx, q, func(scan func(...any) error) error { return scan(&result.Total) })
	}
	return result, err
}

// onePage makes a page of rows in the direction of reading, which may be one more than it takes.
func onePage[R, N any](rows []R, behind bool, req kyro.PageRequest, by order[R], noun func(*R) N) kyro.Page[N] {
	var result kyro.Page[N]
	more := len(rows) > req.Limit
	rows = rows[:min(len(rows), req.Limit)]
	if result.HasNextPage, result.HasPreviousPage = more, behind; req.Backward {
		result.HasNextPage, result.HasPreviousPage = behind, more
		slices.Reverse(rows)
	}
	result.Nodes = convert(rows, noun)
	result.CursorAt = func(i int) string {
		return kyro.Cursor{Order: req.Order, Value: by.value(&rows[i]), Key: by.id(&rows[i])}.String()
	}
	return result
}

// fetch reads up to one row more than the page in the direction of reading. behind reports that the list has rows
// at or before the cursor, seen in that direction.
func fetch[R any](ctx context.Context, s *Store, from selection[R], req kyro.PageRequest, by order[R]) (rows []R, behind bool, err error) {
	if req.Cursor == nil {
		rows, err = some(ctx, s, from, by.by(req.Backward), req.Limit+1)
		return rows, false, err
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
	rows, err = some(ctx, s, from.where(place+onwards+" (?, ?)", value, req.Cursor.Key), by.by(req.Backward), req.Limit+2)
	if err != nil {
		return nil, false, err
	}
	if len(rows) > 0 && by.id(&rows[0]) == req.Cursor.Key && by.value(&rows[0]) == req.Cursor.Value {
		return rows[1:], true, nil
	}
	q := s.query()
	from.where(place+back+" (?, ?)", value, req.Cursor.Key).write(q, "1")
	err = s.each(ctx, q.add(" LIMIT 1"), func(func(...any) error) error { behind = true; return nil })
	return rows, behind, err
}

// some reads the first rows of a selection.
func some[R any](ctx context.Context, s *Store, from selection[R], order string, limit int) ([]R, error) {
	q := s.query()
	from.write(q, from.table.list)
	return read(ctx, s, from.table, q.add(" ORDER BY "+order+" LIMIT ?", limit))
}

// byTime orders by a time. Cursors keep it in a fixed width.
func byTime[R any](column, key string, direction kyro.Direction, value func(*R) time.Time, id func(*R) int64) order[R] {
	const form = "2006-01-02T15:04:05.000000Z"
	return order[R]{
		column: column, key: key, desc: direction == kyro.Desc, id: id,
		value: func(r *R) string { return value(r).UTC().Format(form) },
		parse: func(s string) (any, error) { return time.Parse(form, s) },
	}
}

// byText orders by a text, byte by byte.
func byText[R any](column, key string, direction kyro.Direction, value func(*R) string, id func(*R) int64) order[R] {
	return order[R]{
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
func byNumber[R any](column, key string, direction kyro.Direction, value func(*R) int64, id func(*R) int64) order[R] {
	return order[R]{
		column: column, key: key, desc: direction == kyro.Desc, id: id,
		value: func(r *R) string { return strconv.FormatInt(value(r), 10) },
		parse: func(s string) (any, error) { return strconv.ParseInt(s, 10, 64) },
	}
}
