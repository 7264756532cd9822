package ai

import (
	"context"
	"errors"
	"fmt"

	"github.com/pinecone-io/go-pinecone/v5/pinecone"

	"kyrochat/kyro"
)

// pineconePage is how many ids or namespaces are listed at once.
const pineconePage = 100

// Walk visits everything of ours that is in the index, page by page, in no order that could be relied on. Namespaces and
// ids of another form are left alone. Vectors that come or go meanwhile may be visited or not. An error of visit ends it
// and is given back as it is.
func (p *Pinecone) Walk(ctx context.Context, visit func([]kyro.VectorPlace) error) error {
	if p.placing.shared {
		return p.walkNamespace(ctx, p.placing.installation, kyro.ID{}, visit)
	}
	prefix := p.placing.prefix()
	return p.pages(func(token *string) (next *string, err error) {
		limit := uint32(pineconePage)
		var page *pinecone.ListNamespacesResponse
		err = p.ask(ctx, p.writes, "ListNamespaces", func(ctx context.Context) (err error) {
			page, err = p.line.to("").ListNamespaces(ctx, &pinecone.ListNamespacesParams{
				Prefix: &prefix, Limit: &limit, PaginationToken: token,
			})
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list namespaces: %w", err)
		}
		for _, ns := range page.Namespaces {
			bot, ours := p.placing.bot(ns.Name)
			if !ours {
				continue
			}
			if err := p.walkNamespace(ctx, ns.Name, bot, visit); err != nil {
				return nil, err
			}
		}
		if page.Pagination == nil || page.Pagination.Next == "" {
			return nil, nil
		}
		return &page.Pagination.Next, nil
	})
}

func (p *Pinecone) walkNamespace(ctx context.Context, name string, bot kyro.ID, visit func([]kyro.VectorPlace) error) error {
	return p.pages(func(token *string) (next *string, err error) {
		limit := uint32(pineconePage)
		var page *pinecone.ListVectorsResponse
		err = p.ask(ctx, p.writes, "List", func(ctx context.Context) (err error) {
			page, err = p.line.to(name).ListVectors(ctx, &pinecone.ListVectorsRequest{Limit: &limit, PaginationToken: token})
			if noNamespace(err) { // deleted meanwhile
				page, err = &pinecone.ListVectorsResponse{}, nil
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list vectors: %w", err)
		}
		var places []kyro.VectorPlace
		for _, id := range page.VectorIds {
			if at, ours := p.placing.read(bot, *id); ours {
				places = append(places, at)
			}
		}
		if len(places) > 0 {
			if err := visit(places); err != nil {
				return nil, err
			}
		}
		return page.NextPaginationToken, nil
	})
}

// pages reads page after page until there is no token of a next one.
func (p *Pinecone) pages(read func(token *string) (next *string, err error)) error {
	var token *string
	for {
		next, err := read(token)
		if err != nil || next == nil || *next == "" {
			return err
		}
		if token != nil && *next == *token {
			return pineconeAway().Because(errors.New("pinecone gives the same page again and again"))
		}
		token = next
	}
}
