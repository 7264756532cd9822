package store

import (
	"context"
	"encoding/json"

	"kyrochat/kyro"
)

// parentage ties the rows of a list to parents: the first page of each is read in one statement for all of them.
type parentage[N any] struct {
	column string // SQL of the parent's key, such as "c.bot_id"
	of     func(*N) kyro.ID
}

// pages reads the same page of every parent's list: from selects the rows of all parents. Every parent has a page,
// which may be empty. A page at a cursor, which is a place in one parent's list, is read for each parent by itself.
func pages[R, N any](ctx context.Context, s *Store, from selection[R, N], parents []kyro.ID, below parentage[N], req kyro.PageRequest, by order[N]) (map[kyro.ID]kyro.Page[N], error) {
	result := make(map[kyro.ID]kyro.Page[N], len(parents))
	if req.Cursor != nil || len(parents) == 1 {
		for _, parent := range parents {
			p, err := page(ctx, s, from.where(below.column+" = ?", parent.Key), req, by)
			if err != nil {
				return nil, err
			}
			result[parent] = p
		}
		return result, nil
	}
	byParent, err := heads(ctx, s, from, parents, below, req, by)
	if err != nil {
		return nil, err
	}
	totals := map[int64]int{}
	if req.Total {
		if totals, err = countEach(ctx, s, from, parents, below); err != nil {
			return nil, err
		}
	}
	for _, parent := range parents {
		p := onePage(byParent[parent], false, req, by)
		p.Total = totals[parent.Key]
		result[parent] = p
	}
	return result, nil
}

// countEach counts the rows of each parent's list.
func countEach[R, N any](ctx context.Context, s *Store, from selection[R, N], parents []kyro.ID, below parentage[N]) (map[int64]int, error) {
	q := s.query()
	from.and(func(q *query) { in(q, below.column, rowKeys(parents)) }).write(q, below.column+", count(*)")
	totals := map[int64]int{}
	err := s.each(ctx, q.add(" GROUP BY "+below.column), func(scan func(...any) error) error {
		var parent int64
		var n int
		err := scan(&parent, &n)
		totals[parent] = n
		return err
	})
	return totals, err
}

// heads reads up to one row more than a page from the beginning, or the end, of each parent's list.
func heads[R, N any](ctx context.Context, s *Store, from selection[R, N], parents []kyro.ID, below parentage[N], req kyro.PageRequest, by order[N]) (map[kyro.ID][]N, error) {
	q, t := s.query(), from.table
	ofParent := from.where(below.column + " = p.value")
	inOrder := by.by(req.Backward)
	if q.pg {
		q.add("SELECT "+t.columns+" FROM unnest(?::bigint[]) WITH ORDINALITY AS p (value, key) CROSS JOIN LATERAL (", rowKeys(parents))
		ofParent.write(q, t.columns)
		q.add(" ORDER BY "+inOrder+" LIMIT ?) AS "+t.alias, req.Limit+1)
	} else {
		// SQLite has no LATERAL: the same by a list of row keys that refers to the parent.
		list, _ := json.Marshal(rowKeys(parents)) // of numbers
		q.add("SELECT "+t.columns+" FROM json_each(?) AS p CROSS JOIN "+t.from()+" ON "+by.key+" IN (", string(list))
		ofParent.write(q, by.key)
		q.add(" ORDER BY "+inOrder+" LIMIT ?)", req.Limit+1)
	}
	room := len(parents) * min(req.Limit+1, 8) // most lists are short
	nouns, err := read(ctx, s, t, q.add(" ORDER BY p.key, "+inOrder), room)
	byParent := make(map[kyro.ID][]N, len(parents))
	for from := 0; from < len(nouns); {
		parent, to := below.of(&nouns[from]), from+1
		for to < len(nouns) && below.of(&nouns[to]) == parent {
			to++
		}
		byParent[parent] = nouns[from:to:to]
		from = to
	}
	return byParent, err
}
