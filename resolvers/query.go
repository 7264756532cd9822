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
	found, err := from(ctx).nodes(ctx, id.Kind, []kyro.ID{id})
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// nodes reads the rows of one kind, each in the place of its id; nil where there is none. An id that is none is
// BAD_USER_INPUT, and one of a kind that is no node finds nothing.
func (l *loaders) nodes(ctx context.Context, kind kyro.Kind, ids []kyro.ID) ([]kyro.Node, error) {
	switch kind {
	case kyro.KindUser:
		return loadNodes(ctx, l.userRows(), ids)
	case kyro.KindSession:
		return loadNodes(ctx, l.sessionRows(), ids)
	case kyro.KindAPIKey:
		return loadNodes(ctx, l.keyRows(), ids)
	case kyro.KindBot:
		return loadNodes(ctx, l.botRows(), ids)
	case kyro.KindDocument:
		return loadNodes(ctx, l.documentRows(), ids)
	case kyro.KindChunk:
		return loadNodes(ctx, l.chunkRows(), ids)
	case kyro.KindCrawl:
		return loadNodes(ctx, l.crawlRows(), ids)
	case kyro.KindGap:
		return loadNodes(ctx, l.gapRows(), ids)
	case kyro.KindUpload:
		return loadNodes(ctx, l.slotRows(), ids)
	case kyro.KindExport:
		return loadNodes(ctx, l.exportRows(), ids)
	case kyro.KindConversation:
		return loadNodes(ctx, l.conversationRows(), ids)
	case kyro.KindMessage:
		return loadNodes(ctx, l.messageRows(), ids)
	default:
		return make([]kyro.Node, len(ids)), ids[0].Check()
	}
}

func loadNodes[N any, P interface {
	*N
	kyro.Node
}](ctx context.Context, l loader[P], ids []kyro.ID) ([]kyro.Node, error) {
	rows, err := loadAll(ctx, l, ids)
	nodes := make([]kyro.Node, len(ids))
	for i, row := range rows {
		if row != nil { // a nil row in the interface would not be null to the executor
			nodes[i] = row
		}
	}
	return nodes, err
}

func (r queries) Nodes(ctx context.Context, ids []kyro.ID) ([]kyro.Node, error) {
	if len(ids) > maxNodes {
		return nil, kyro.Errorf(kyro.CodeBadUserInput, "At most %d ids.", maxNodes)
	}
	if err := kyro.ViewerFrom(ctx).MustSignIn(); err != nil {
		return nil, err
	}
	// Each kind is asked for as a whole, so that it is read at once.
	places := map[kyro.Kind][]int{}
	for i, id := range ids {
		places[id.Kind] = append(places[id.Kind], i)
	}
	list := make([]kyro.Node, len(ids))
	for kind, at := range places {
		of := make([]kyro.ID, len(at))
		for i, place := range at {
			of[i] = ids[place]
		}
		nodes, err := from(ctx).nodes(ctx, kind, of)
		if err != nil {
			return nil, err
		}
		for i, place := range at {
			list[place] = nodes[i]
		}
	}
	return list, nil
}

func (r queries) Viewer(ctx context.Context) (*kyro.User, error) {
	v := kyro.ViewerFrom(ctx)
	if v.Rejected != nil {
		return nil, v.Rejected
	}
	user, err := r.Account.User(ctx, v)
	if user == nil || err != nil {
		return nil, err
	}
	return noted(ctx, &from(ctx).level.users, *user, nil)
}

func (r queries) Bot(ctx context.Context, id kyro.ID) (*kyro.Bot, error) {
	row, err := r.Catalog.Bot(ctx, kyro.ViewerFrom(ctx), id)
	return noted(ctx, &from(ctx).level.bots, row, err)
}

func (r queries) Conversation(ctx context.Context, id kyro.ID) (*kyro.Conversation, error) {
	row, err := r.Catalog.Conversation(ctx, kyro.ViewerFrom(ctx), id)
	return noted(ctx, &from(ctx).level.conversations, row, err)
}

func (r queries) Document(ctx context.Context, id kyro.ID) (*kyro.Document, error) {
	row, err := r.Ingest.Document(ctx, kyro.ViewerFrom(ctx), id)
	return noted(ctx, &from(ctx).level.documents, row, err)
}

func (r queries) Message(ctx context.Context, id kyro.ID) (*kyro.Message, error) {
	row, err := r.Catalog.Message(ctx, kyro.ViewerFrom(ctx), id)
	return noted(ctx, &from(ctx).level.messages, row, err)
}

func (r queries) ServerInfo(context.Context) (*kyro.ServerInfo, error) { return &r.Info, nil }

func (r queries) RateLimit(ctx context.Context) (*kyro.RateLimit, error) {
	limit := r.Root.RateLimit(ctx)
	return &limit, nil
}

// noted gives a row to the executor, and notes it, so that the lists and links below it are read as those of a list are.
func noted[T any](ctx context.Context, level *level[T], row T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	rows := []T{row}
	level.add(ctx, rows)
	return &rows[0], nil
}
