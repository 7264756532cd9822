package graph_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"kyrochat/graph"
	"kyrochat/graph/model"
	"kyrochat/kyro"
)

// world says what the fake resolvers answer: the same for the same seed, parent, field, alias and arguments. The rates
// are of a hundred.
type world struct {
	seed                 uint64
	fails, panics, nulls int
	strangers            bool // nodes of a type that the schema does not know
	longest              int  // elements of a list at most
	impossible           bool // floats that JSON has no word for, where null may stand
	script               script
}

// script tells what some fields answer, by parent and field, such as "bot_1.owner" or ".viewer": a value or an error.
type script map[string]func(ctx context.Context) any

// newWorld has a mood by its seed; in some all goes well.
func newWorld(seed uint64) *world {
	w := &world{seed: seed, longest: 3, impossible: seed%2 == 0}
	switch seed % 5 {
	case 1:
		w.nulls = 10
	case 2:
		w.fails, w.panics, w.nulls, w.strangers = 2, 1, 1, true
	case 3:
		w.fails, w.panics = 10, 3
	case 4:
		w.fails, w.panics, w.nulls, w.strangers = 10, 3, 10, true
	}
	return w
}

type worldKey struct{}

func (w *world) in(ctx context.Context) context.Context { return context.WithValue(ctx, worldKey{}, w) }

// dice are thrown for one field of one parent.
func (w *world) dice(parts ...any) *rand.Rand {
	h := fnv.New64a()
	_ = json.NewEncoder(h).Encode(parts) // pointers are followed, and what is left out of an input stays out
	return rand.New(rand.NewPCG(w.seed, h.Sum64()))
}

// told is what a resolver answers. That alias and arguments go into the dice checks that both executors hand over the same.
func told[T any](ctx context.Context, parent, field string, args ...any) (value T, err error) {
	w := ctx.Value(worldKey{}).(*world)
	if scripted, ok := w.script[parent+"."+field]; ok {
		switch answer := scripted(ctx).(type) {
		case error:
			return value, answer
		case nil:
			return value, nil
		default:
			return answer.(T), nil
		}
	}
	fc := graphql.GetFieldContext(ctx)
	d := w.dice(parent, field, fc.Field.Alias, fc.Object, fc.Args, args)
	switch roll := d.IntN(100); {
	case roll < w.fails:
		return value, failure(d, parent+"."+field)
	case roll < w.fails+w.panics:
		panic("panic in " + parent + "." + field)
	}
	f := filler{world: w, dice: d}
	f.fill(&value)
	return value, nil
}

func failure(d *rand.Rand, at string) error {
	switch d.IntN(9) {
	case 0:
		return errors.New("an untyped error of " + at)
	case 1:
		return fmt.Errorf("wrapped: %w", kyro.Errorf(kyro.CodeForbidden, "Not for you: %s.", at))
	case 2:
		return &gqlerror.Error{Message: "of gqlerror, at " + at}
	case 3:
		return gqlerror.List{{Message: "first of " + at}, {Message: "second of " + at}}
	case 4:
		return errors.Join(kyro.Invalid("name", "Wrong \"name\"\n of %s.", at), errors.New("and more"))
	case 5:
		return context.DeadlineExceeded
	default:
		codes := []kyro.Code{kyro.CodeNotFound, kyro.CodeUnauthenticated, kyro.CodeBadUserInput, kyro.CodeInternal, kyro.CodeRateLimited}
		e := kyro.Errorf(codes[d.IntN(len(codes))], "Typed error of %s.", at).Because(errors.New("a cause"))
		e.RetryAfter = 1500e6
		return e
	}
}

// fakes are the resolvers of the whole schema.
type fakes struct{}

func (fakes) ApiKey() graph.ApiKeyResolver                             { return fakeKey{} }
func (fakes) AuditEntry() graph.AuditEntryResolver                     { return fakeEntry{} }
func (fakes) Session() graph.SessionResolver                           { return fakeSession{} }
func (fakes) Bot() graph.BotResolver                                   { return fakeBot{} }
func (fakes) Chunk() graph.ChunkResolver                               { return fakeChunk{} }
func (fakes) Citation() graph.CitationResolver                         { return fakeCitation{} }
func (fakes) Conversation() graph.ConversationResolver                 { return fakeConversation{} }
func (fakes) Document() graph.DocumentResolver                         { return fakeDocument{} }
func (fakes) DocumentProgress() graph.DocumentProgressResolver         { return fakeProgress{} }
func (fakes) DocumentRun() graph.DocumentRunResolver                   { return fakeRun{} }
func (fakes) Crawl() graph.CrawlResolver                               { return fakeCrawl{} }
func (fakes) CrawlPage() graph.CrawlPageResolver                       { return fakeCrawlPage{} }
func (fakes) BotAnalytics() graph.BotAnalyticsResolver                 { return fakeAnalytics{} }
func (fakes) UnansweredQuestion() graph.UnansweredQuestionResolver     { return fakeUnanswered{} }
func (fakes) KnowledgeGap() graph.KnowledgeGapResolver                 { return fakeGap{} }
func (fakes) KnowledgeGapCheck() graph.KnowledgeGapCheckResolver       { return fakeGapCheck{} }
func (fakes) KnowledgeGapQuestion() graph.KnowledgeGapQuestionResolver { return fakeGapQuestion{} }
func (fakes) Export() graph.ExportResolver                             { return fakeExport{} }
func (fakes) UploadSlot() graph.UploadSlotResolver                     { return fakeSlot{} }
func (fakes) Feedback() graph.FeedbackResolver                         { return fakeFeedback{} }
func (fakes) BotFigures() graph.BotFiguresResolver                     { return fakeFigures{} }
func (fakes) Message() graph.MessageResolver                           { return fakeMessage{} }
func (fakes) Mutation() graph.MutationResolver                         { return nil }
func (fakes) Query() graph.QueryResolver                               { return fakeQuery{} }
func (fakes) Subscription() graph.SubscriptionResolver                 { return fakeSubscription{} }
func (fakes) User() graph.UserResolver                                 { return fakeUser{} }
func (fakes) CitedDocument() graph.CitedDocumentResolver               { return fakeCited{} }
func (fakes) CitedPassage() graph.CitedPassageResolver                 { return fakePassage{} }

type (
	fakeQuery        struct{}
	fakeUser         struct{}
	fakeSession      struct{}
	fakeKey          struct{}
	fakeEntry        struct{}
	fakeBot          struct{}
	fakeDocument     struct{}
	fakeProgress     struct{}
	fakeRun          struct{}
	fakeAnalytics    struct{}
	fakeUnanswered   struct{}
	fakeGap          struct{}
	fakeGapCheck     struct{}
	fakeGapQuestion  struct{}
	fakeCrawl        struct{}
	fakeCrawlPage    struct{}
	fakeSlot         struct{}
	fakeExport       struct{}
	fakeChunk        struct{}
	fakeConversation struct{}
	fakeMessage      struct{}
	fakeCitation     struct{}
	fakeFeedback     struct{}
)

func (fakeQuery) Node(ctx context.Context, id kyro.ID) (kyro.Node, error) {
	return told[kyro.Node](ctx, "", "node", id)
}
func (fakeQuery) Nodes(ctx context.Context, ids []kyro.ID) ([]kyro.Node, error) {
	return told[[]kyro.Node](ctx, "", "nodes", ids)
}
func (fakeQuery) Viewer(ctx context.Context) (*kyro.User, error) {
	return told[*kyro.User](ctx, "", "viewer")
}
func (fakeQuery) Bot(ctx context.Context, id kyro.ID) (*kyro.Bot, error) {
	return told[*kyro.Bot](ctx, "", "bot", id)
}
func (fakeQuery) Conversation(ctx context.Context, id kyro.ID) (*kyro.Conversation, error) {
	return told[*kyro.Conversation](ctx, "", "conversation", id)
}
func (fakeQuery) Document(ctx context.Context, id kyro.ID) (*kyro.Document, error) {
	return told[*kyro.Document](ctx, "", "document", id)
}
func (fakeQuery) Message(ctx context.Context, id kyro.ID) (*kyro.Message, error) {
	return told[*kyro.Message](ctx, "", "message", id)
}
func (fakeQuery) Export(ctx context.Context, id kyro.ID) (*kyro.Export, error) {
	return told[*kyro.Export](ctx, "", "export", id)
}
func (fakeQuery) ServerInfo(ctx context.Context) (*kyro.ServerInfo, error) {
	return told[*kyro.ServerInfo](ctx, "", "serverInfo")
}
func (fakeQuery) RateLimit(ctx context.Context) (*kyro.RateLimit, error) {
	return told[*kyro.RateLimit](ctx, "", "rateLimit")
}

func (fakeUser) Bots(ctx context.Context, u *kyro.User, filter *model.BotFilter, orderBy *model.BotOrder, first *int, after *string, last *int, before *string) (*model.BotConnection, error) {
	return told[*model.BotConnection](ctx, u.ID.String(), "bots", filter, orderBy, first, after, last, before)
}
func (fakeUser) Conversations(ctx context.Context, u *kyro.User, filter *model.ConversationFilter, orderBy *model.ConversationOrder, first *int, after *string, last *int, before *string) (*model.ConversationConnection, error) {
	return told[*model.ConversationConnection](ctx, u.ID.String(), "conversations", filter, orderBy, first, after, last, before)
}

func (fakeUser) Sessions(ctx context.Context, u *kyro.User) ([]kyro.Session, error) {
	return told[[]kyro.Session](ctx, u.ID.String(), "sessions")
}
func (fakeUser) APIKeys(ctx context.Context, u *kyro.User) ([]kyro.APIKey, error) {
	return told[[]kyro.APIKey](ctx, u.ID.String(), "apiKeys")
}
func (fakeUser) AuditLog(ctx context.Context, u *kyro.User, first *int, after *string) (*model.AuditEntryConnection, error) {
	return told[*model.AuditEntryConnection](ctx, u.ID.String(), "auditLog", first, after)
}

func (fakeUser) Exports(ctx context.Context, u *kyro.User) ([]kyro.Export, error) {
	return told[[]kyro.Export](ctx, u.ID.String(), "exports")
}
func (fakeUser) Usage(ctx context.Context, u *kyro.User, since, to *time.Time, zone *string) (*kyro.Usage, error) {
	return told[*kyro.Usage](ctx, u.ID.String(), "usage", since, to, zone)
}
func (fakeUser) Budgets(ctx context.Context, u *kyro.User) ([]kyro.HardBudget, error) {
	return told[[]kyro.HardBudget](ctx, u.ID.String(), "budgets")
}

func (fakeSession) UserAgent(ctx context.Context, s *kyro.Session) (*string, error) {
	return told[*string](ctx, s.ID.String(), "userAgent")
}
func (fakeSession) AddressPrefix(ctx context.Context, s *kyro.Session) (*string, error) {
	return told[*string](ctx, s.ID.String(), "addressPrefix")
}
func (fakeSession) Current(ctx context.Context, s *kyro.Session) (bool, error) {
	return told[bool](ctx, s.ID.String(), "current")
}

func (fakeKey) AllowedNetworks(ctx context.Context, k *kyro.APIKey) ([]string, error) {
	return told[[]string](ctx, k.ID.String(), "allowedNetworks")
}

func (fakeKey) Usage(ctx context.Context, k *kyro.APIKey, since, to *time.Time, zone *string) (*kyro.Usage, error) {
	return told[*kyro.Usage](ctx, k.ID.String(), "usage", since, to, zone)
}
func (fakeKey) Budgets(ctx context.Context, k *kyro.APIKey) ([]kyro.HardBudget, error) {
	return told[[]kyro.HardBudget](ctx, k.ID.String(), "budgets")
}

func (fakeEntry) By(ctx context.Context, e *kyro.AuditEntry) (*kyro.ID, error) {
	return told[*kyro.ID](ctx, e.ID.String(), "by")
}
func (fakeEntry) Target(ctx context.Context, e *kyro.AuditEntry) (*kyro.ID, error) {
	return told[*kyro.ID](ctx, e.ID.String(), "target")
}
func (fakeEntry) AddressPrefix(ctx context.Context, e *kyro.AuditEntry) (*string, error) {
	return told[*string](ctx, e.ID.String(), "addressPrefix")
}
func (fakeEntry) UserAgent(ctx context.Context, e *kyro.AuditEntry) (*string, error) {
	return told[*string](ctx, e.ID.String(), "userAgent")
}
func (fakeEntry) RequestID(ctx context.Context, e *kyro.AuditEntry) (*string, error) {
	return told[*string](ctx, e.ID.String(), "requestId")
}
func (fakeEntry) Detail(ctx context.Context, e *kyro.AuditEntry) (*string, error) {
	return told[*string](ctx, e.ID.String(), "detail")
}

func (fakeBot) Instructions(ctx context.Context, b *kyro.Bot) (*string, error) {
	return told[*string](ctx, b.ID.String(), "instructions")
}
func (fakeBot) Owner(ctx context.Context, b *kyro.Bot) (*kyro.User, error) {
	return told[*kyro.User](ctx, b.ID.String(), "owner")
}
func (fakeBot) Documents(ctx context.Context, b *kyro.Bot, filter *model.DocumentFilter, first *int, after *string, last *int, before *string) (*model.DocumentConnection, error) {
	return told[*model.DocumentConnection](ctx, b.ID.String(), "documents", filter, first, after, last, before)
}
func (fakeBot) Conversations(ctx context.Context, b *kyro.Bot, filter *model.ConversationFilter, orderBy *model.ConversationOrder, first *int, after *string, last *int, before *string) (*model.ConversationConnection, error) {
	return told[*model.ConversationConnection](ctx, b.ID.String(), "conversations", filter, orderBy, first, after, last, before)
}
func (fakeBot) Crawls(ctx context.Context, b *kyro.Bot, first *int, after *string, last *int, before *string) (*model.CrawlConnection, error) {
	return told[*model.CrawlConnection](ctx, b.ID.String(), "crawls", first, after, last, before)
}
func (fakeBot) Search(ctx context.Context, b *kyro.Bot, query string, first *int) ([]kyro.SearchHit, error) {
	return told[[]kyro.SearchHit](ctx, b.ID.String(), "search", query, first)
}
func (fakeBot) Usage(ctx context.Context, b *kyro.Bot, since, to *time.Time, zone *string) (*kyro.Usage, error) {
	return told[*kyro.Usage](ctx, b.ID.String(), "usage", since, to, zone)
}
func (fakeBot) Budgets(ctx context.Context, b *kyro.Bot) ([]kyro.HardBudget, error) {
	return told[[]kyro.HardBudget](ctx, b.ID.String(), "budgets")
}
func (fakeBot) ViewerCanEdit(ctx context.Context, b *kyro.Bot) (bool, error) {
	return told[bool](ctx, b.ID.String(), "viewerCanEdit")
}
func (fakeBot) ViewerCanChat(ctx context.Context, b *kyro.Bot) (bool, error) {
	return told[bool](ctx, b.ID.String(), "viewerCanChat")
}

func (fakeDocument) Bot(ctx context.Context, d *kyro.Document) (*kyro.Bot, error) {
	return told[*kyro.Bot](ctx, d.ID.String(), "bot")
}
func (fakeDocument) FileName(ctx context.Context, d *kyro.Document) (*string, error) {
	return told[*string](ctx, d.ID.String(), "fileName")
}
func (fakeDocument) URL(ctx context.Context, d *kyro.Document) (*string, error) {
	return told[*string](ctx, d.ID.String(), "url")
}
func (fakeDocument) MimeType(ctx context.Context, d *kyro.Document) (*string, error) {
	return told[*string](ctx, d.ID.String(), "mimeType")
}
func (fakeDocument) StatusReason(ctx context.Context, d *kyro.Document) (*string, error) {
	return told[*string](ctx, d.ID.String(), "statusReason")
}
func (fakeDocument) Language(ctx context.Context, d *kyro.Document) (*string, error) {
	return told[*string](ctx, d.ID.String(), "language")
}
func (fakeDocument) ContentHash(ctx context.Context, d *kyro.Document) (*string, error) {
	return told[*string](ctx, d.ID.String(), "contentHash")
}
func (fakeDocument) Sync(ctx context.Context, d *kyro.Document) (*kyro.DocumentSync, error) {
	return told[*kyro.DocumentSync](ctx, d.ID.String(), "sync")
}
func (fakeDocument) Crawl(ctx context.Context, d *kyro.Document) (*kyro.Crawl, error) {
	return told[*kyro.Crawl](ctx, d.ID.String(), "crawl")
}
func (fakeDocument) DownloadURL(ctx context.Context, d *kyro.Document) (*string, error) {
	return told[*string](ctx, d.ID.String(), "downloadUrl")
}
func (fakeDocument) Chunks(ctx context.Context, d *kyro.Document, first *int, after *string, last *int, before *string) (*model.ChunkConnection, error) {
	return told[*model.ChunkConnection](ctx, d.ID.String(), "chunks", first, after, last, before)
}
func (fakeDocument) Text(ctx context.Context, d *kyro.Document, start, length *int) (*string, error) {
	return told[*string](ctx, d.ID.String(), "text", start, length)
}

func (fakeRun) Outcome(ctx context.Context, r *kyro.DocumentRun) (*kyro.RunOutcome, error) {
	return told[*kyro.RunOutcome](ctx, r.StartedAt.String(), "outcome")
}
func (fakeRun) Reason(ctx context.Context, r *kyro.DocumentRun) (*string, error) {
	return told[*string](ctx, r.StartedAt.String(), "reason")
}

func (fakeBot) KnowledgeGaps(ctx context.Context, b *kyro.Bot, filter *model.KnowledgeGapFilter, first *int, after *string, last *int, before *string) (*model.KnowledgeGapConnection, error) {
	return told[*model.KnowledgeGapConnection](ctx, b.ID.String(), "knowledgeGaps", filter, first, after, last, before)
}
func (fakeAnalytics) UnansweredQuestions(ctx context.Context, a *kyro.BotAnalytics, first *int) ([]kyro.GapCount, error) {
	return told[[]kyro.GapCount](ctx, a.BotID.String(), "unansweredQuestions", first)
}
func (fakeUnanswered) Question(ctx context.Context, c *kyro.GapCount) (string, error) {
	return told[string](ctx, c.Gap.ID.String(), "question")
}
func (fakeGap) Bot(ctx context.Context, g *kyro.Gap) (*kyro.Bot, error) {
	return told[*kyro.Bot](ctx, g.ID.String(), "bot")
}
func (fakeGap) Document(ctx context.Context, g *kyro.Gap) (*kyro.Document, error) {
	return told[*kyro.Document](ctx, g.ID.String(), "document")
}
func (fakeGap) Check(ctx context.Context, g *kyro.Gap) (*kyro.GapCheck, error) {
	return told[*kyro.GapCheck](ctx, g.ID.String(), "check")
}
func (fakeGap) Questions(ctx context.Context, g *kyro.Gap, first *int, after *string, last *int, before *string) (*model.KnowledgeGapQuestionConnection, error) {
	return told[*model.KnowledgeGapQuestionConnection](ctx, g.ID.String(), "questions", first, after, last, before)
}
func (fakeGapCheck) Problem(ctx context.Context, c *kyro.GapCheck) (*kyro.GapProblem, error) {
	return told[*kyro.GapProblem](ctx, fmt.Sprint(c.Tokens), "problem")
}
func (fakeGapQuestion) Message(ctx context.Context, q *kyro.GapQuestion) (*kyro.Message, error) {
	return told[*kyro.Message](ctx, q.MessageID.String(), "message")
}
func (fakeGapQuestion) Verdict(ctx context.Context, q *kyro.GapQuestion) (*kyro.GapVerdict, error) {
	return told[*kyro.GapVerdict](ctx, q.MessageID.String(), "verdict")
}

func (fakeCrawl) Bot(ctx context.Context, c *kyro.Crawl) (*kyro.Bot, error) {
	return told[*kyro.Bot](ctx, c.ID.String(), "bot")
}
func (fakeCrawl) StatusReason(ctx context.Context, c *kyro.Crawl) (*string, error) {
	return told[*string](ctx, c.ID.String(), "statusReason")
}
func (fakeCrawl) Pages(ctx context.Context, c *kyro.Crawl, first *int, after *string, last *int, before *string) (*model.CrawlPageConnection, error) {
	return told[*model.CrawlPageConnection](ctx, c.ID.String(), "pages", first, after, last, before)
}

func (fakeCrawlPage) Reason(ctx context.Context, p *kyro.CrawlPage) (*string, error) {
	return told[*string](ctx, p.URL, "reason")
}
func (fakeCrawlPage) Document(ctx context.Context, p *kyro.CrawlPage) (*kyro.Document, error) {
	return told[*kyro.Document](ctx, p.URL, "document")
}

func (fakeExport) Bot(ctx context.Context, e *kyro.Export) (*kyro.Bot, error) {
	return told[*kyro.Bot](ctx, e.ID.String(), "bot")
}
func (fakeExport) URL(ctx context.Context, e *kyro.Export) (*string, error) {
	return told[*string](ctx, e.ID.String(), "url")
}

func (fakeSlot) URL(ctx context.Context, u *kyro.UploadSlot) (*string, error) {
	return told[*string](ctx, u.ID.String(), "url")
}
func (fakeSlot) Document(ctx context.Context, u *kyro.UploadSlot) (*kyro.Document, error) {
	return told[*kyro.Document](ctx, u.ID.String(), "document")
}

func (fakeProgress) Document(ctx context.Context, p *kyro.DocumentProgress) (*kyro.Document, error) {
	return told[*kyro.Document](ctx, p.DocumentID.String(), "progress", p)
}

func (fakeChunk) Document(ctx context.Context, c *kyro.Chunk) (*kyro.Document, error) {
	return told[*kyro.Document](ctx, c.ID.String(), "document")
}

func (fakeConversation) Bot(ctx context.Context, c *kyro.Conversation) (*kyro.Bot, error) {
	return told[*kyro.Bot](ctx, c.ID.String(), "bot")
}
func (fakeConversation) User(ctx context.Context, c *kyro.Conversation) (*kyro.User, error) {
	return told[*kyro.User](ctx, c.ID.String(), "user")
}
func (fakeConversation) LastMessage(ctx context.Context, c *kyro.Conversation) (*kyro.Message, error) {
	return told[*kyro.Message](ctx, c.ID.String(), "lastMessage")
}
func (fakeConversation) Messages(ctx context.Context, c *kyro.Conversation, includeSuperseded *bool, first *int, after *string, last *int, before *string) (*model.MessageConnection, error) {
	return told[*model.MessageConnection](ctx, c.ID.String(), "messages", includeSuperseded, first, after, last, before)
}

func (fakeMessage) Conversation(ctx context.Context, m *kyro.Message) (*kyro.Conversation, error) {
	return told[*kyro.Conversation](ctx, m.ID.String(), "conversation")
}
func (fakeMessage) ClientMessageID(ctx context.Context, m *kyro.Message) (*string, error) {
	return told[*string](ctx, m.ID.String(), "clientMessageId")
}
func (fakeMessage) Parent(ctx context.Context, m *kyro.Message) (*kyro.Message, error) {
	return told[*kyro.Message](ctx, m.ID.String(), "parent")
}
func (fakeMessage) Siblings(ctx context.Context, m *kyro.Message) ([]kyro.Message, error) {
	return told[[]kyro.Message](ctx, m.ID.String(), "siblings")
}

func (fakeCitation) Document(ctx context.Context, c *kyro.Citation) (*kyro.Document, error) {
	return told[*kyro.Document](ctx, c.DocumentTitle, "document", c.Quote)
}
func (fakeCitation) Chunk(ctx context.Context, c *kyro.Citation) (*kyro.Chunk, error) {
	return told[*kyro.Chunk](ctx, c.DocumentTitle, "chunk", c.Quote)
}

func (fakeFeedback) Comment(ctx context.Context, f *kyro.Feedback) (*string, error) {
	return told[*string](ctx, f.RatedAt.String(), "comment")
}

func (fakeBot) Analytics(ctx context.Context, b *kyro.Bot, from, to time.Time, interval *kyro.Interval, timeZone *string) (*kyro.BotAnalytics, error) {
	return told[*kyro.BotAnalytics](ctx, b.ID.String(), "analytics", from, to, interval, timeZone)
}

type (
	fakeCited   struct{}
	fakePassage struct{}
	fakeFigures struct{}
)

func (fakeAnalytics) TopDocuments(ctx context.Context, a *kyro.BotAnalytics, first *int) ([]kyro.CitedDocument, error) {
	return told[[]kyro.CitedDocument](ctx, a.BotID.String(), "topDocuments", first)
}
func (fakeAnalytics) TopPassages(ctx context.Context, a *kyro.BotAnalytics, first *int) ([]kyro.CitedPassage, error) {
	return told[[]kyro.CitedPassage](ctx, a.BotID.String(), "topPassages", first)
}
func (fakeAnalytics) UnusedDocuments(
	ctx context.Context, a *kyro.BotAnalytics, first *int, after *string, last *int, before *string,
) (*model.DocumentConnection, error) {
	return told[*model.DocumentConnection](ctx, a.BotID.String(), "unusedDocuments", first, after, last, before)
}

func (fakeCited) Document(ctx context.Context, d *kyro.CitedDocument) (*kyro.Document, error) {
	return told[*kyro.Document](ctx, d.Title, "document", d.Answers)
}
func (fakePassage) Document(ctx context.Context, p *kyro.CitedPassage) (*kyro.Document, error) {
	return told[*kyro.Document](ctx, p.Title, "document", p.Quote)
}
func (fakePassage) Chunk(ctx context.Context, p *kyro.CitedPassage) (*kyro.Chunk, error) {
	return told[*kyro.Chunk](ctx, p.Title, "chunk", p.Quote)
}

// ofFigures tells of figures what their number of messages names.
func ofFigures[T any](ctx context.Context, f *kyro.Figures, field string) (T, error) {
	return told[T](ctx, fmt.Sprint(f.Messages), field)
}

func (fakeFigures) Conversations(ctx context.Context, f *kyro.Figures) (int, error) {
	return ofFigures[int](ctx, f, "conversations")
}
func (fakeFigures) People(ctx context.Context, f *kyro.Figures) (int, error) {
	return ofFigures[int](ctx, f, "people")
}
func (fakeFigures) ByGrounding(ctx context.Context, f *kyro.Figures) ([]model.GroundingCount, error) {
	return ofFigures[[]model.GroundingCount](ctx, f, "byGrounding")
}
func (fakeFigures) ByFinishReason(ctx context.Context, f *kyro.Figures) ([]model.FinishReasonCount, error) {
	return ofFigures[[]model.FinishReasonCount](ctx, f, "byFinishReason")
}
func (fakeFigures) PromptTokens(ctx context.Context, f *kyro.Figures) (float64, error) {
	return ofFigures[float64](ctx, f, "promptTokens")
}
func (fakeFigures) OutputTokens(ctx context.Context, f *kyro.Figures) (float64, error) {
	return ofFigures[float64](ctx, f, "outputTokens")
}
func (fakeFigures) TotalTokens(ctx context.Context, f *kyro.Figures) (float64, error) {
	return ofFigures[float64](ctx, f, "totalTokens")
}
func (fakeFigures) ByModel(ctx context.Context, f *kyro.Figures) ([]model.ModelTokens, error) {
	return ofFigures[[]model.ModelTokens](ctx, f, "byModel")
}
func (fakeFigures) TimeToFirstTokenMs(ctx context.Context, f *kyro.Figures) (*model.Percentiles, error) {
	return ofFigures[*model.Percentiles](ctx, f, "timeToFirstTokenMs")
}
func (fakeFigures) DurationMs(ctx context.Context, f *kyro.Figures) (*model.Percentiles, error) {
	return ofFigures[*model.Percentiles](ctx, f, "durationMs")
}
