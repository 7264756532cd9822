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
		page.Total = field.Selects("totalCount")
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

// messageDetail is what messages cost more to read with.
var messageDetail = []string{"citations", "notices", "usage", "error"}

// brief reports that a list of messages is selected without their detail.
func brief(ctx context.Context) bool {
	field := plan.FieldFrom(ctx)
	if field == nil {
		return false
	}
	for _, name := range messageDetail {
		if field.Selects("nodes", name) || field.Selects("edges", "node", name) {
			return false
		}
	}
	return true
}
