package resolvers

import (
	"context"

	"github.com/99designs/gqlgen/graphql"

	"kyrochat/graph/model"
	"kyrochat/kyro"
)

// request checks paging arguments and sees whether the total was selected.
func request(ctx context.Context, order string, first *int, after *string, last *int, before *string) (kyro.PageRequest, error) {
	page, err := kyro.PageArgs{First: first, Last: last, After: after, Before: before}.Request(order)
	if err != nil {
		return page, err
	}
	for _, field := range graphql.CollectFieldsCtx(ctx, nil) {
		page.Total = page.Total || field.Name == "totalCount"
	}
	return page, nil
}

// edges makes the edges of a connection out of a page.
func edges[N, E any](p kyro.Page[N], edge func(cursor string, node *N) E) []E {
	list := make([]E, len(p.Edges))
	for i := range p.Edges {
		list[i] = edge(p.Edges[i].Cursor, &p.Edges[i].Node)
	}
	return list
}

func bots(p kyro.Page[kyro.Bot], err error) (*model.BotConnection, error) {
	if err != nil {
		return nil, err
	}
	list := edges(p, func(cursor string, node *kyro.Bot) model.BotEdge { return model.BotEdge{Cursor: cursor, Node: node} })
	return &model.BotConnection{Edges: list, Nodes: p.Nodes(), PageInfo: p.Info(), TotalCount: p.Total}, nil
}

func documents(p kyro.Page[kyro.Document], err error) (*model.DocumentConnection, error) {
	if err != nil {
		return nil, err
	}
	list := edges(p, func(cursor string, node *kyro.Document) model.DocumentEdge {
		return model.DocumentEdge{Cursor: cursor, Node: node}
	})
	return &model.DocumentConnection{Edges: list, Nodes: p.Nodes(), PageInfo: p.Info(), TotalCount: p.Total}, nil
}

func chunks(p kyro.Page[kyro.Chunk], err error) (*model.ChunkConnection, error) {
	if err != nil {
		return nil, err
	}
	list := edges(p, func(cursor string, node *kyro.Chunk) model.ChunkEdge {
		return model.ChunkEdge{Cursor: cursor, Node: node}
	})
	return &model.ChunkConnection{Edges: list, Nodes: p.Nodes(), PageInfo: p.Info(), TotalCount: p.Total}, nil
}

func conversations(p kyro.Page[kyro.Conversation], err error) (*model.ConversationConnection, error) {
	if err != nil {
		return nil, err
	}
	list := edges(p, func(cursor string, node *kyro.Conversation) model.ConversationEdge {
		return model.ConversationEdge{Cursor: cursor, Node: node}
	})
	return &model.ConversationConnection{Edges: list, Nodes: p.Nodes(), PageInfo: p.Info(), TotalCount: p.Total}, nil
}

func messages(p kyro.Page[kyro.Message], err error) (*model.MessageConnection, error) {
	if err != nil {
		return nil, err
	}
	list := edges(p, func(cursor string, node *kyro.Message) model.MessageEdge {
		return model.MessageEdge{Cursor: cursor, Node: node}
	})
	return &model.MessageConnection{Edges: list, Nodes: p.Nodes(), PageInfo: p.Info(), TotalCount: p.Total}, nil
}
