// Package resolvers joins the contract to the use cases: a resolver is one call and a payload. It decides nothing;
// who may do what is decided where it is done.
package resolvers

import (
	"context"

	"kyrochat/account"
	"kyrochat/answer"
	"kyrochat/catalog"
	"kyrochat/export"
	"kyrochat/graph"
	"kyrochat/ingest"
	"kyrochat/insight"
	"kyrochat/kyro"
)

// Root has what the resolvers need, and gives one small resolver for each type.
type Root struct {
	Account *account.Service
	Catalog *catalog.Service
	Ingest  *ingest.Service
	Answer  *answer.Service
	Insight *insight.Service
	Exports *export.Service
	Gaps    *insight.Gaps
	Info    kyro.ServerInfo
	Carrier Carrier // of subscriptions
	Cookies Cookies // of browsers that ask for them
	// RateLimit says what is left to the viewer of the rate of operations, which the transport has counted.
	RateLimit func(context.Context) kyro.RateLimit
	// MaxRead is how many bytes of texts may be read for a response, or for a field of a mutation; 0: any number.
	MaxRead int64
}

// Carrier is what a subscription and the transport that carries it tell each other beside the events.
type Carrier interface {
	// LastEvent is the place of the last event that a client has had which comes back; "" where nothing is known of it.
	LastEvent(ctx context.Context) string
	// Passing gives what is told the place of every event before it is passed on; nil where that is of no use.
	Passing(ctx context.Context) func(kyro.StreamCursor)
}

var _ graph.ResolverRoot = (*Root)(nil)

// Query resolves what can be asked.
func (r *Root) Query() graph.QueryResolver { return queries{r} }

// Mutation resolves what can be changed.
func (r *Root) Mutation() graph.MutationResolver { return mutations{r} }

// Subscription resolves what can be followed.
func (r *Root) Subscription() graph.SubscriptionResolver { return subscriptions{r} }

// User resolves the fields of users.
func (r *Root) User() graph.UserResolver { return userFields{r} }

// Session resolves the fields of sessions.
func (r *Root) Session() graph.SessionResolver { return sessionFields{} }

// ApiKey resolves the fields of API keys.
func (r *Root) ApiKey() graph.ApiKeyResolver { return keyFields{r} }

// AuditEntry resolves the fields of lines of the audit log.
func (r *Root) AuditEntry() graph.AuditEntryResolver { return auditFields{} }

// Bot resolves the fields of bots.
func (r *Root) Bot() graph.BotResolver { return botFields{r} }

// Document resolves the fields of documents.
func (r *Root) Document() graph.DocumentResolver { return documentFields{r} }

// DocumentProgress resolves the fields of progress events.
func (r *Root) DocumentProgress() graph.DocumentProgressResolver { return progressFields{} }

// DocumentRun resolves the fields of runs.
func (r *Root) DocumentRun() graph.DocumentRunResolver { return runFields{} }

// Crawl resolves the fields of crawls.
func (r *Root) Crawl() graph.CrawlResolver { return crawlFields{r} }

// CrawlPage resolves the fields of the pages of crawls.
func (r *Root) CrawlPage() graph.CrawlPageResolver { return crawlPageFields{} }

// BotAnalytics resolves the fields of analytics.
func (r *Root) BotAnalytics() graph.BotAnalyticsResolver { return analyticsFields{r} }

// UnansweredQuestion resolves the fields of what was left unanswered.
func (r *Root) UnansweredQuestion() graph.UnansweredQuestionResolver { return unansweredFields{} }

// KnowledgeGap resolves the fields of gaps.
func (r *Root) KnowledgeGap() graph.KnowledgeGapResolver { return gapFields{r} }

// KnowledgeGapCheck resolves the fields of checks of gaps.
func (r *Root) KnowledgeGapCheck() graph.KnowledgeGapCheckResolver { return gapCheckFields{} }

// KnowledgeGapQuestion resolves the fields of questions of gaps.
func (r *Root) KnowledgeGapQuestion() graph.KnowledgeGapQuestionResolver { return gapQuestionFields{} }

// UploadSlot resolves the fields of upload slots.
func (r *Root) UploadSlot() graph.UploadSlotResolver { return slotFields{r} }

// Export resolves the fields of exports.
func (r *Root) Export() graph.ExportResolver { return exportFields{r} }

// Chunk resolves the fields of chunks.
func (r *Root) Chunk() graph.ChunkResolver { return chunkFields{} }

// Conversation resolves the fields of conversations.
func (r *Root) Conversation() graph.ConversationResolver { return conversationFields{r} }

// CitedDocument resolves the fields of documents that answers cite.
func (r *Root) CitedDocument() graph.CitedDocumentResolver { return citedDocumentFields{} }

// CitedPassage resolves the fields of passages that answers cite.
func (r *Root) CitedPassage() graph.CitedPassageResolver { return citedPassageFields{} }

// BotFigures resolves the fields of figures.
func (r *Root) BotFigures() graph.BotFiguresResolver { return figureFields{} }

// Message resolves the fields of messages.
func (r *Root) Message() graph.MessageResolver { return messageFields{} }

// Feedback resolves the fields of feedback.
func (r *Root) Feedback() graph.FeedbackResolver { return feedbackFields{} }

// Citation resolves the fields of citations.
func (r *Root) Citation() graph.CitationResolver { return citationFields{} }

type queries struct{ *Root }

type mutations struct{ *Root }

type subscriptions struct{ *Root }
