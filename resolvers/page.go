package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"kyrochat/graph/plan"
	"kyrochat/kyro"
)

// request checks paging arguments and sees what of the list was selected.
func request(ctx context.Context, order string, first *int, after *string, last *int, before *string) (kyro.PageRequest, error) {
	page, err := kyro.PageArgs{First: first, Last: last, After: after, Before: before}.Request(order)
	if err != nil {
		return page, err
	}
	if field := plan.FieldFrom(ctx); field != nil {
		page.Total, page.NoInfo = field.Selects("totalCount"), !field.Selects("pageInfo")
		return page, nil
	}
	for _, field := range graphql.CollectFieldsCtx(ctx, nil) {
		page.Total = page.Total || field.Name == "totalCount"
	}
	return page, nil
}

// listed gives a page to the executor.
func listed[N any](p kyro.Page[N], err error) (*kyro.Page[N], error) {
	if err != nil {
		return nil, err
	}
	return &p, nil
}

// fieldsOf are the fields that are selected of the rows of a list, and of its edges; nil for all, as far as one can tell.
func fieldsOf(ctx context.Context) map[string]bool {
	field := plan.FieldFrom(ctx)
	if field == nil {
		return nil
	}
	fields := map[string]bool{}
	for _, path := range [][]string{{"nodes"}, {"edges"}, {"edges", "node"}} {
		field.Each(func(name string) { fields[name] = true }, path...)
	}
	return fields
}
