package resolvers

import (
	"context"

	"kyrochat/kyro"
)

// maxNodes is how many ids the nodes field takes.
const maxNodes = 100

func (r queries) Node(ctx context.Context, id kyro.ID) (kyro.Node, error) {
	if err := kyro.ViewerFrom(ctx).MustSignIn(); err != nil {
		return nil, err
	}
	l := from(ctx)
	switch id.Kind {
	case kyro.KindUser:
		return node(load(ctx, l.users, id))
	case kyro.KindBot:
		return node(load(ctx, l.bots, id))
	case kyro.KindDocument:
		return node(load(ctx, l.documents, id))
	case kyro.KindChunk:
		return node(load(ctx, l.chunks, id))
	case kyro.KindConversation:
		return node(load(ctx, l.conversations, id))
	case kyro.KindMessage:
		return node(load(ctx, l.messages, id))
	default:
		return nil, nil
	}
}

// node turns a missing row into a nil interface, which is what null is to the executor.
func node[N any, P interface {
	*N
	kyro.Node
}](row P, err error) (kyro.Node, error) {
	if row == nil || err != nil {
		return nil, err
	}
	return row, nil
}

func (r queries) Nodes(ctx context.Context, ids []kyro.ID) ([]kyro.Node, error) {
	if len(ids) > maxNodes {
		return nil, kyro.Errorf(kyro.CodeBadUserInput, "At most %d ids.", maxNodes)
	}
	list := make([]kyro.Node, len(ids))
	errs := make(chan error, len(ids))
	for i, id := range ids {
		go func() {
			var err error
			list[i], err = r.Node(ctx, id)
			errs <- err
		}()
	}
	var first error
	for range ids {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	return list, first
}

func (r queries) Viewer(ctx context.Context) (*kyro.User, error) {
	v := kyro.ViewerFrom(ctx)
	if v.Rejected != nil {
		return nil, v.Rejected
	}
	return r.Account.User(ctx, v)
}

func (r queries) Bot(ctx context.Context, id kyro.ID) (*kyro.Bot, error) {
	return got(r.Catalog.Bot(ctx, kyro.ViewerFrom(ctx), id))
}

func (r queries) Conversation(ctx context.Context, id kyro.ID) (*kyro.Conversation, error) {
	return got(r.Catalog.Conversation(ctx, kyro.ViewerFrom(ctx), id))
}

func (r queries) Document(ctx context.Context, id kyro.ID) (*kyro.Document, error) {
	return got(r.Ingest.Document(ctx, kyro.ViewerFrom(ctx), id))
}

func (r queries) Message(ctx context.Context, id kyro.ID) (*kyro.Message, error) {
	return got(r.Catalog.Message(ctx, kyro.ViewerFrom(ctx), id))
}

func (r queries) ServerInfo(context.Context) (*kyro.ServerInfo, error) { return &r.Info, nil }

func got[T any](row T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return &row, nil
}
