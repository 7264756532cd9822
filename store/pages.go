package store

import (
	"context"
	"encoding/json"

	"kyrochat/kyro"
)

// parentage ties the rows of a list to parents: the first page of each is read in one statement for all of them.
type parentage[R, N any] struct {
	column string // SQL of the parent's key, such as "c.bot_id"
	of     func(*N) kyro.ID
	// Where the parents have conditions of their own, these are asked once for each and not for every row: each selects
	// the rows below one without them, parents joins them to p.value, and one is the parent's key, or null.
	each    selection[R, N]
	parents func(*query)
	one     func(q *query, parent kyro.ID)
}

// pages reads the same page of every parent's list: from selects the rows of all parents. Every parent has a page,
// which may be empty. A page at a cursor, which is a place in one parent's list, is read for each parent by itself.
func pages[R, N any](
	ctx context.Context, s *Store, from selection[R, N], parents []kyro.ID, below parentage[R, N], req kyro.PageRequest,
	by order[N],
) (map[kyro.ID]kyro.Page[N], error) {
	result := make(map[kyro.ID]kyro.Page[N], len(parents))
	if req.Cursor != nil || len(parents) == 1 {
		for _, parent := range parents {
			p, err := page(ctx, s, below.list(from, parent), req, by)
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

// list is the list of one parent.
func (b parentage[R, N]) list(from selection[R, N], parent kyro.ID) selection[R, N] {
	if b.one == nil {
		return from.where(b.column+" = ?", parent.Key)
	}
	return b.each.and(func(q *query) {
		q.add(b.column + " = (")
		b.one(q, parent)
		q.add(")")
	})
}

// countEach counts the rows of each parent's list.
func countEach[R, N any](
	ctx context.Context, s *Store, from selection[R, N], parents []kyro.ID, below parentage[R, N],
) (map[int64]int, error) {
	q := s.query()
	from.and(func(q *query) { in(q, below.column, rowKeys(parents)) }).write(q, below.column+", count(*)")
	totals := map[int64]int{}
	var parent int64
	var n int
	err := s.each(ctx, q.add(" GROUP BY "+below.column), []any{&parent, &n}, func() { totals[parent] = n })
	return totals, err
}

// heads reads a page, and perhaps one row more, from the beginning, or the end, of each parent's list.
func heads[R, N any](
	ctx context.Context, s *Store, from selection[R, N], parents []kyro.ID, below parentage[R, N], req kyro.PageRequest,
	by order[N],
) (map[kyro.ID][]N, error) {
	q, t := s.query(), from.table
	asked := func(*query) {}
	if below.parents != nil {
		from, asked = below.each, below.parents
	}
	ofParent := from.where(below.column + " = p.value")
	inOrder, limit := by.by(req.Backward), first(req)
	if q.pg {
		q.add("SELECT "+t.columns+" FROM unnest(?::bigint[]) WITH ORDINALITY AS p (value, key)", rowKeys(parents))
		asked(q)
		q.add(" CROSS JOIN LATERAL (")
		ofParent.write(q, t.columns)
		q.add(" ORDER BY "+inOrder+" LIMIT ?) AS "+t.alias, limit)
	} else {
		// SQLite has no LATERAL: the same by a list of row keys that refers to the parent.
		list, _ := json.Marshal(rowKeys(parents)) // of numbers
		q.add("SELECT "+t.columns+" FROM json_each(?) AS p", string(list))
		asked(q)
		q.add(" CROSS JOIN " + t.from() + " ON " + by.key + " IN (")
		ofParent.write(q, by.key)
		q.add(" ORDER BY "+inOrder+" LIMIT ?)", limit)
	}
	room := len(parents) * min(limit, 8) // most lists are short
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
