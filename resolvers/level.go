package resolvers

import (
	"context"
	"encoding/json"
	"sync"

	"kyrochat/graph/plan"
	"kyrochat/kyro"
)

// levels are the rows that a response has read so far, by kind.
type levels struct {
	users         level[kyro.User]
	bots          level[kyro.Bot]
	documents     level[kyro.Document]
	chunks        level[kyro.Chunk]
	conversations level[kyro.Conversation]
	messages      level[kyro.Message]
}

// level is the rows of one kind, in the order they were read.
type level[N any] struct {
	mu   sync.Mutex
	rows [][]N
}

func (l *level[N]) add(rows []N) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows = append(l.rows, rows)
}

// noted notes the rows of a page.
func (l *level[N]) noted(p kyro.Page[N], err error) (kyro.Page[N], error) {
	l.add(p.Nodes)
	return p, err
}

// since gives the rows of all additions from the nth on, and the number of additions.
func (l *level[N]) since(n int) ([][]N, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rows[n:], len(l.rows)
}

// field is one field of a kind of rows that leads to other rows. The first row that resolves it reads what all the
// rows read so far lead to; the others find that there.
type field[N, T any] struct {
	level  *level[N]
	ids    func(*N, func(kyro.ID)) // what a row leads to
	loader loader[T]

	mu    sync.Mutex
	asked int
	err   error // of a read that failed, which is not tried again for every row
}

// load reads what the field leads to.
func (f *field[N, T]) load(ctx context.Context, id kyro.ID) (T, error) {
	if err := f.ahead(ctx); err != nil {
		var none T
		return none, err
	}
	return load(ctx, f.loader, id)
}

// ahead reads for all rows that were noted since. Whoever comes meanwhile waits for it.
func (f *field[N, T]) ahead(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	added, n := f.level.since(f.asked)
	var ids []kyro.ID
	for _, rows := range added {
		for i := range rows {
			f.ids(&rows[i], func(id kyro.ID) { ids = append(ids, id) })
		}
	}
	f.asked = n
	if f.err == nil {
		f.err = f.loader.prime(ctx, ids)
	}
	return f.err
}

// fields are those that lead to one row, or to a short list that belongs to one.
type fields struct {
	botOwner           field[kyro.Bot, *kyro.User]
	documentBot        field[kyro.Document, *kyro.Bot]
	chunkDocument      field[kyro.Chunk, *kyro.Document]
	conversationBot    field[kyro.Conversation, *kyro.Bot]
	conversationUser   field[kyro.Conversation, *kyro.User]
	conversationLast   field[kyro.Conversation, *kyro.Message]
	messageTalk        field[kyro.Message, *kyro.Conversation]
	messageParent      field[kyro.Message, *kyro.Message]
	messageSiblings    field[kyro.Message, []kyro.Message]
	messageDocumentsOf field[kyro.Message, *kyro.Document]
	messageChunksOf    field[kyro.Message, *kyro.Chunk]
}

func (f *fields) follow(l *loaders) {
	set(&f.botOwner, &l.level.bots, l.users, func(b *kyro.Bot) kyro.ID { return b.OwnerID })
	set(&f.documentBot, &l.level.documents, l.bots, func(d *kyro.Document) kyro.ID { return d.BotID })
	set(&f.chunkDocument, &l.level.chunks, l.documents, func(c *kyro.Chunk) kyro.ID { return c.DocumentID })
	set(&f.conversationBot, &l.level.conversations, l.bots, func(c *kyro.Conversation) kyro.ID { return c.BotID })
	set(&f.conversationUser, &l.level.conversations, l.users, func(c *kyro.Conversation) kyro.ID { return c.UserID })
	set(&f.conversationLast, &l.level.conversations, l.lastMessages, func(c *kyro.Conversation) kyro.ID { return c.ID })
	set(&f.messageTalk, &l.level.messages, l.conversations, func(m *kyro.Message) kyro.ID { return m.ConversationID })
	set(&f.messageParent, &l.level.messages, l.messages, func(m *kyro.Message) kyro.ID { return m.ParentID })
	set(&f.messageSiblings, &l.level.messages, l.siblings, func(m *kyro.Message) kyro.ID { return m.ParentID })
	set(&f.messageDocumentsOf, &l.level.messages, l.documents, nil)
	f.messageDocumentsOf.ids = func(m *kyro.Message, lead func(kyro.ID)) {
		for i := range m.Citations {
			lead(m.Citations[i].DocumentID)
		}
	}
	set(&f.messageChunksOf, &l.level.messages, l.chunks, nil)
	f.messageChunksOf.ids = func(m *kyro.Message, lead func(kyro.ID)) {
		for i := range m.Citations {
			lead(m.Citations[i].ChunkID)
		}
	}
}

func set[N, T any](f *field[N, T], level *level[N], l loader[T], id func(*N) kyro.ID) {
	f.level, f.loader = level, l
	f.ids = func(row *N, lead func(kyro.ID)) { lead(id(row)) }
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

// page reads the page of one parent, and those of all parents that were read so far.
func page[P, N any](ctx context.Context, c children[P, N], parent kyro.ID) (kyro.Page[N], error) {
	var key any = plan.FieldFrom(ctx)
	if key == (*plan.Field)(nil) {
		arguments, err := json.Marshal(c.arguments)
		if err != nil {
			return kyro.Page[N]{}, err
		}
		key = c.name + string(arguments)
	}
	l := from(ctx)
	l.mu.Lock()
	pages, found := l.pages[key].(*field[P, kyro.Page[N]])
	if !found {
		pages = new(field[P, kyro.Page[N]])
		set(pages, c.parents, batch(func(ctx context.Context, parents []kyro.ID) (map[kyro.ID]kyro.Page[N], error) {
			found, err := c.read(ctx, parents)
			for _, p := range found {
				_, _ = c.rows.noted(p, nil)
			}
			return found, err
		}), c.parentID)
		l.pages[key] = pages
	}
	l.mu.Unlock()
	return pages.load(ctx, parent)
}
