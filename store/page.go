package store

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

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

// page reads one page of the list that query selects, which must have a model and neither order nor limit.
//
// Both flags of the page are exact. The row at the cursor is read along where it is still in the list, since it
// alone proves that there are rows on the other side; only where it is gone they are asked for.
func page[R, N any](ctx context.Context, query *bun.SelectQuery, req kyro.PageRequest, by order[R], noun func(*R) N) (kyro.Page[N], error) {
	rows, behind, err := fetch(ctx, query, req, by)
	if err != nil {
		return kyro.Page[N]{}, err
	}
	result := onePage(rows, behind, req, by, noun)
	if req.Total {
		total, err := query.Clone().Count(ctx)
		if err != nil {
			return result, err
		}
		result.Total = int(total)
	}
	return result, nil
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
	result.Edges = make([]kyro.Edge[N], len(rows))
	for i := range rows {
		r := &rows[i]
		cursor := kyro.Cursor{Order: req.Order, Value: by.value(r), Key: by.id(r)}
		result.Edges[i] = kyro.Edge[N]{Cursor: cursor.String(), Node: noun(r)}
	}
	return result
}

// fetch reads up to one row more than the page in the direction of reading. behind reports that the list has rows
// at or before the cursor, seen in that direction.
func fetch[R any](ctx context.Context, query *bun.SelectQuery, req kyro.PageRequest, by order[R]) (rows []R, behind bool, err error) {
	falling := by.desc != req.Backward
	direction, from, upTo := " ASC", ">=", "<="
	if falling {
		direction, from, upTo = " DESC", "<=", ">="
	}
	ordered := query.Clone().OrderExpr(by.column + direction + ", " + by.key + direction)
	if req.Cursor == nil {
		err = ordered.Limit(int64(req.Limit+1)).Scan(ctx, &rows)
		return rows, false, err
	}
	value, err := by.parse(req.Cursor.Value)
	if err != nil {
		return nil, false, kyro.Errorf(kyro.CodeBadUserInput, "The cursor is not one this server made.")
	}
	place := "(" + by.column + ", " + by.key + ") "
	err = ordered.Where(place+from+" (?, ?)", value, req.Cursor.Key).Limit(int64(req.Limit+2)).Scan(ctx, &rows)
	if err != nil {
		return nil, false, err
	}
	if len(rows) > 0 && by.id(&rows[0]) == req.Cursor.Key && by.value(&rows[0]) == req.Cursor.Value {
		return rows[1:], true, nil
	}
	behind, err = query.Clone().Where(place+upTo+" (?, ?)", value, req.Cursor.Key).Exists(ctx)
	return rows, behind, err
}

// byTime orders by a time. Cursors keep it in a fixed width; SQL gets it as bun writes times, in which text
// compares like time on SQLite: a shorter fraction is followed by "+", which sorts before any digit.
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
