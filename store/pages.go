package store

import (
	"context"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// parentage ties the rows of a list to parents: the first page of each is read in one statement for all of them.
type parentage[R any] struct {
	table, alias string // of the rows
	column       string // SQL of the parent's key, such as "c.bot_id"
	of           func(*R) int64
}

// pages reads the same page of every parent's list: query selects the rows of all parents. Every parent has a page,
// which may be empty. A page at a cursor, which is a place in one parent's list, is read for each parent by itself.
func pages[R, N any](ctx context.Context, s *Store, query *bun.SelectQuery, parents []kyro.ID, in parentage[R], req kyro.PageRequest, by order[R], noun func(*R) N) (map[kyro.ID]kyro.Page[N], error) {
	result := make(map[kyro.ID]kyro.Page[N], len(parents))
	if req.Cursor != nil || len(parents) == 1 {
		for _, parent := range parents {
			p, err := page(ctx, query.Clone().Where(in.column+" = ?", parent.Key), req, by, noun)
			if err != nil {
				return nil, err
			}
			result[parent] = p
		}
		return result, nil
	}
	rows, err := heads(ctx, s, query, parents, in, req, by)
	if err != nil {
		return nil, err
	}
	totals := map[int64]int{}
	if req.Total {
		if totals, err = countEach(ctx, query, parents, in); err != nil {
			return nil, err
		}
	}
	for _, parent := range parents {
		all := rows[parent.Key]
		p := onePage(all, false, req, by, noun)
		p.Total = totals[parent.Key]
		result[parent] = p
	}
	return result, nil
}

// countEach counts the rows of each parent's list.
func countEach[R any](ctx context.Context, query *bun.SelectQuery, parents []kyro.ID, in parentage[R]) (map[int64]int, error) {
	var counts []struct {
		Parent int64
		N      int
	}
	err := query.Clone().ColumnExpr(in.column+" AS parent, count(*) AS n").Where(in.column+" IN (?)", keys(parents)).
		GroupExpr(in.column).Scan(ctx, &counts)
	totals := make(map[int64]int, len(counts))
	for _, c := range counts {
		totals[c.Parent] = c.N
	}
	return totals, err
}

// heads reads up to one row more than a page from the beginning, or the end, of each parent's list.
func heads[R any](ctx context.Context, s *Store, query *bun.SelectQuery, parents []kyro.ID, in parentage[R], req kyro.PageRequest, by order[R]) (map[int64][]R, error) {
	direction := " ASC"
	if by.desc != req.Backward {
		direction = " DESC"
	}
	inOrder := by.column + direction + ", " + by.key + direction
	each := query.Clone().Where(in.column + " = p.value").OrderExpr(inOrder).Limit(int64(req.Limit + 1))
	var all *bun.RawQuery
	if s.postgres() {
		all = s.read().NewRaw("SELECT "+in.alias+".* FROM unnest(ARRAY[?]::bigint[]) AS p (value) CROSS JOIN LATERAL (?) AS "+in.alias+
			" ORDER BY "+inOrder, keys(parents), each)
	} else {
		// SQLite has no LATERAL: the same by a list of row keys that refers to the parent.
		all = s.read().NewRaw("SELECT "+in.alias+".* FROM json_each('[?]') AS p CROSS JOIN "+in.table+" AS "+in.alias+" ON "+by.key+" IN (?)"+
			" ORDER BY "+inOrder, keys(parents), each.ColumnExpr(by.key))
	}
	var rows []R
	if err := all.Scan(ctx, &rows); err != nil {
		return nil, err
	}
	byParent := make(map[int64][]R, len(parents))
	for i := range rows {
		key := in.of(&rows[i])
		byParent[key] = append(byParent[key], rows[i])
	}
	return byParent, nil
}
