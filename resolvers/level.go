package resolvers

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"kyrochat/graph/plan"
	"kyrochat/kyro"
)

// levels are the rows that a response has read so far, by kind.
type levels struct {
	users         level[kyro.User]
	keys          level[kyro.APIKey]
	bots          level[kyro.Bot]
	documents     level[kyro.Document]
	chunks        level[kyro.Chunk]
	crawls        level[kyro.Crawl]
	crawlPages    level[kyro.CrawlPage]
	exports       level[kyro.Export]
	gaps          level[kyro.Gap]
	gapQuestions  level[kyro.GapQuestion]
	conversations level[kyro.Conversation]
	messages      level[kyro.Message]
}

// level is the rows of one kind, in the order they were read.
type level[N any] struct {
	mu      sync.Mutex
	rows    [][]N
	by      []*ast.Field   // the field that each addition was read for
	index   map[kyro.ID]*N // of the rows of the first additions, as many as indexed says
	indexed int
}

// find gives the row with the id, if it was read.
func (l *level[N]) find(wanted kyro.ID, id func(*N) kyro.ID) (*N, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.index == nil {
		l.index = map[kyro.ID]*N{}
	}
	for ; l.indexed < len(l.rows); l.indexed++ {
		for i := range l.rows[l.indexed] {
			row := &l.rows[l.indexed][i]
			l.index[id(row)] = row
		}
	}
	row, found := l.index[wanted]
	return row, found
}

// add notes rows that were read for the field of ctx.
func (l *level[N]) add(ctx context.Context, rows []N) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows, l.by = append(l.rows, rows), append(l.by, fieldOf(ctx))
}

// noted notes the rows of a page.
func (l *level[N]) noted(ctx context.Context) func(kyro.Page[N], error) (kyro.Page[N], error) {
	return func(p kyro.Page[N], err error) (kyro.Page[N], error) {
		l.add(ctx, p.Nodes)
		return p, err
	}
}

// since gives the rows of the additions from the nth on that were read for a field above that of ctx, and the number of
// additions. What is below such a field counts in the cost of the operation as often as it is there.
func (l *level[N]) since(ctx context.Context, n int) ([][]N, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var rows [][]N
	for i := n; i < len(l.rows); i++ {
		if under(ctx, l.by[i]) {
			rows = append(rows, l.rows[i])
		}
	}
	return rows, len(l.rows)
}

// fieldKey tells the field of ctx from all others of the response.
func fieldKey(ctx context.Context) any {
	if field := plan.FieldFrom(ctx); field != nil {
		return field
	}
	return fieldOf(ctx)
}

// fieldOf is the field whose resolver ctx was made for.
func fieldOf(ctx context.Context) *ast.Field {
	if field := plan.FieldFrom(ctx); field != nil {
		return field.Field
	}
	if field := graphql.GetFieldContext(ctx); field != nil {
		return field.Field.Field
	}
	return nil
}

// under reports whether the field of ctx is selected of what another one leads to.
func under(ctx context.Context, other *ast.Field) bool {
	if field := plan.FieldFrom(ctx); field != nil {
		return field.Under(other)
	}
	for field := graphql.GetFieldContext(ctx); field != nil; field = field.Parent {
		if field.Field.Field == other {
			return true
		}
	}
	return false
}

// link says what a field of rows N leads to: rows T.
type link[N, T any] struct {
	from func(*loaders) *level[N]
	to   func(*loaders) loader[T]
	ids  func(*N, func(kyro.ID)) // what a row leads to
	far  func(*loaders) *followed
}

// linkTo is a link to one row.
func linkTo[N, T any](from func(*loaders) *level[N], to func(*loaders) loader[T], id func(*N) kyro.ID, far func(*loaders) *followed) link[N, T] {
	return link[N, T]{from, to, func(row *N, lead func(kyro.ID)) { lead(id(row)) }, far}
}

// The links that lead to one row, or to a short list that belongs to one.
var (
	botOwner = linkTo((*loaders).botLevel, (*loaders).userRows, func(b *kyro.Bot) kyro.ID { return b.OwnerID },
		func(l *loaders) *followed { return &l.followed.botOwner })
	documentBot = linkTo((*loaders).documentLevel, (*loaders).botRows, func(d *kyro.Document) kyro.ID { return d.BotID },
		func(l *loaders) *followed { return &l.followed.documentBot })
	documentCrawl = linkTo((*loaders).documentLevel, (*loaders).crawlRows, func(d *kyro.Document) kyro.ID { return d.CrawlID },
		func(l *loaders) *followed { return &l.followed.documentCrawl })
	crawlBot = linkTo((*loaders).crawlLevel, (*loaders).botRows, func(c *kyro.Crawl) kyro.ID { return c.BotID },
		func(l *loaders) *followed { return &l.followed.crawlBot })
	crawlPageDocument = linkTo((*loaders).crawlPageLevel, (*loaders).documentRows, func(p *kyro.CrawlPage) kyro.ID { return p.DocumentID },
		func(l *loaders) *followed { return &l.followed.crawlPageDocument })
	exportBot = linkTo((*loaders).exportLevel, (*loaders).botRows, func(e *kyro.Export) kyro.ID { return e.BotID },
		func(l *loaders) *followed { return &l.followed.exportBot })
	gapBot = linkTo((*loaders).gapLevel, (*loaders).botRows, func(g *kyro.Gap) kyro.ID { return g.BotID },
		func(l *loaders) *followed { return &l.followed.gapBot })
	gapDocument = linkTo((*loaders).gapLevel, (*loaders).documentRows, func(g *kyro.Gap) kyro.ID { return g.DocumentID },
		func(l *loaders) *followed { return &l.followed.gapDocument })
	gapQuestionMessage = linkTo((*loaders).gapQuestionLevel, (*loaders).messageRows, func(q *kyro.GapQuestion) kyro.ID { return q.MessageID },
		func(l *loaders) *followed { return &l.followed.gapQuestionMessage })
	chunkDocument = linkTo((*loaders).chunkLevel, (*loaders).documentRows, func(c *kyro.Chunk) kyro.ID { return c.DocumentID },
		func(l *loaders) *followed { return &l.followed.chunkDocument })
	conversationBot = linkTo((*loaders).conversationLevel, (*loaders).botRows, func(c *kyro.Conversation) kyro.ID { return c.BotID },
		func(l *loaders) *followed { return &l.followed.conversationBot })
	conversationUser = linkTo((*loaders).conversationLevel, (*loaders).userRows, func(c *kyro.Conversation) kyro.ID { return c.UserID },
		func(l *loaders) *followed { return &l.followed.conversationUser })
	conversationLast = linkTo((*loaders).conversationLevel, (*loaders).lastMessageRows, (*kyro.Conversation).NodeID,
		func(l *loaders) *followed { return &l.followed.conversationLast })
	messageTalk = linkTo((*loaders).messageLevel, (*loaders).conversationRows, func(m *kyro.Message) kyro.ID { return m.ConversationID },
		func(l *loaders) *followed { return &l.followed.messageTalk })
	messageParent = linkTo((*loaders).messageLevel, (*loaders).messageRows, func(m *kyro.Message) kyro.ID { return m.ParentID },
		func(l *loaders) *followed { return &l.followed.messageParent })
	messageSiblings = linkTo((*loaders).messageLevel, (*loaders).siblingRows, func(m *kyro.Message) kyro.ID { return m.ParentID },
		func(l *loaders) *followed { return &l.followed.messageSiblings })
	citedDocuments = link[kyro.Message, *kyro.Document]{(*loaders).messageLevel, (*loaders).documentRows, func(m *kyro.Message, lead func(kyro.ID)) {
		for i := range m.Citations {
			lead(m.Citations[i].DocumentID)
		}
	}, func(l *loaders) *followed { return &l.followed.citedDocuments }}
	citedChunks = link[kyro.Message, *kyro.Chunk]{(*loaders).messageLevel, (*loaders).chunkRows, func(m *kyro.Message, lead func(kyro.ID)) {
		for i := range m.Citations {
			lead(m.Citations[i].ChunkID)
		}
	}, func(l *loaders) *followed { return &l.followed.citedChunks }}
)

// followed is how far a response has followed a link. The first row that resolves a field reads what all the rows that
// were read for the fields above lead to; the others find that there. Rows of other lists are not asked about: nobody
// may have wanted it of them.
type followed struct {
	mu    sync.Mutex
	asked []askedBy
	err   error // of a read that failed, which is not tried again for every row
}

// askedBy is how many additions a field has seen.
type askedBy struct {
	field any
	n     int
}

// by gives the place of the field's number.
func (f *followed) by(field any) *int {
	for i := range f.asked {
		if f.asked[i].field == field {
			return &f.asked[i].n
		}
	}
	f.asked = append(f.asked, askedBy{field: field})
	return &f.asked[len(f.asked)-1].n
}

// follow reads what a field leads to from the row whose id is given.
func follow[N, T any](ctx context.Context, along link[N, T], id kyro.ID) (T, error) {
	l := from(ctx)
	rows := along.to(l)
	if err := ahead(ctx, along.far(l), along.from(l), along.ids, rows); err != nil {
		var none T
		return none, err
	}
	return load(ctx, rows, id)
}

// ahead reads for all rows that were noted since. Whoever comes meanwhile waits for it.
func ahead[N, T any](ctx context.Context, f *followed, level *level[N], ids func(*N, func(kyro.ID)), rows loader[T]) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	asked := f.by(fieldKey(ctx))
	added, n := level.since(ctx, *asked)
	*asked = n
	if len(added) == 0 {
		return f.err
	}
	if f.err != nil {
		return f.err
	}
	room := 0
	for _, rows := range added {
		room += len(rows)
	}
	leads := make([]kyro.ID, 0, room)
	lead := func(id kyro.ID) { leads = append(leads, id) }
	for _, rows := range added {
		for i := range rows {
			ids(&rows[i], lead)
		}
	}
	f.err = rows.prime(ctx, leads)
	return f.err
}

// children is a list below each row of a kind.
type children[P, N any] struct {
	name      string
	parents   *level[P]
	parentID  func(*P) kyro.ID
	rows      *level[N]
	arguments []any // two lists with the same name and arguments are one; those of a plan's field are the same for all parents
	read      func(context.Context, []kyro.ID) (map[kyro.ID]kyro.Page[N], error)
}

// listKey is for the lists of a field that gqlgen runs.
type listKey struct {
	field *ast.Field
	asked string
}

// eachBelow is what one field is of all parents, such as the pages of a list.
type eachBelow[T any] struct {
	followed
	rows loader[T]
}

// page reads the page of one parent, and those of all parents that were read so far for the fields above.
func page[P, N any](ctx context.Context, c children[P, N], parent kyro.ID) (kyro.Page[N], error) {
	return belowEach(ctx, c.name, c.arguments, c.parents, c.parentID, func(ctx context.Context, parents []kyro.ID) (map[kyro.ID]kyro.Page[N], error) {
		found, err := c.read(ctx, parents)
		for _, p := range found {
			c.rows.add(ctx, p.Nodes)
		}
		return found, err
	}, parent)
}

// belowEach reads what a field with these arguments is of one parent, and of all parents that were read so far for the fields
// above; the zero T where there is none.
func belowEach[P, T any](
	ctx context.Context, name string, arguments []any, parents *level[P], parentID func(*P) kyro.ID,
	read func(context.Context, []kyro.ID) (map[kyro.ID]T, error), parent kyro.ID,
) (none T, err error) {
	var key any = plan.FieldFrom(ctx)
	if key == (*plan.Field)(nil) {
		asked, err := json.Marshal(arguments)
		if err != nil {
			return none, err
		}
		key = listKey{fieldOf(ctx), name + string(asked)}
	}
	l := from(ctx)
	l.mu.Lock()
	list, found := l.below[key].(*eachBelow[T])
	if !found {
		list = &eachBelow[T]{rows: batch(read)}
		if l.below == nil {
			l.below = map[any]any{}
		}
		l.below[key] = list
	}
	l.mu.Unlock()
	if err := ahead(ctx, &list.followed, parents, func(row *P, lead func(kyro.ID)) { lead(parentID(row)) }, list.rows); err != nil {
		return none, err
	}
	return load(ctx, list.rows, parent)
}
