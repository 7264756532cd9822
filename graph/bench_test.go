package graph_test

import (
	"context"
	"testing"
	"time"

	"kyrochat/graph"
	"kyrochat/graph/model"
	"kyrochat/kyro"
)

// still answers at once from values that are at hand, so that only the executor is measured.
type still struct{ fakes }

func (still) Query() graph.QueryResolver               { return stillQuery{} }
func (still) User() graph.UserResolver                 { return stillUser{} }
func (still) Bot() graph.BotResolver                   { return stillBot{} }
func (still) Conversation() graph.ConversationResolver { return stillConversation{} }
func (still) Message() graph.MessageResolver           { return stillMessage{} }

type (
	stillQuery        struct{ fakeQuery }
	stillUser         struct{ fakeUser }
	stillBot          struct{ fakeBot }
	stillConversation struct{ fakeConversation }
	stillMessage      struct{ fakeMessage }
)

var (
	aUser         = &kyro.User{ID: kyro.UserID(1), Name: "Ada", Email: "ada@example.com"}
	theBots       = &model.BotConnection{Nodes: make([]kyro.Bot, 4), CursorAt: func(int) string { return "cursor" }}
	conversations = &model.ConversationConnection{Nodes: make([]kyro.Conversation, 5), CursorAt: func(int) string { return "cursor" }}
	messages      = &model.MessageConnection{Nodes: make([]kyro.Message, 200), CursorAt: func(int) string { return "cursor" }}
	twenty        = &model.MessageConnection{}
)

func init() {
	at := time.Date(2026, 11, 22, 10, 15, 30, 123456000, time.UTC)
	for i := range theBots.Nodes {
		theBots.Nodes[i] = kyro.Bot{ID: kyro.BotID(int64(i + 1)), Name: "A bot", TopK: 5, CreatedAt: at}
	}
	for i := range conversations.Nodes {
		conversations.Nodes[i] = kyro.Conversation{ID: kyro.ConversationID(int64(i + 1)), Title: "A conversation", CreatedAt: at}
	}
	for i := range messages.Nodes {
		messages.Nodes[i] = kyro.Message{
			ID: kyro.MessageID(int64(i + 1)), Role: kyro.RoleBot, Status: kyro.MessageCompleted, CreatedAt: at,
			Text: "The harbour opens at six in the morning, \"as ever\", and closes at ten.",
		}
	}
	twenty.Nodes, twenty.CursorAt = messages.Nodes[:20], messages.CursorAt
}

func (stillQuery) Viewer(context.Context) (*kyro.User, error) { return aUser, nil }
func (stillQuery) Bot(context.Context, kyro.ID) (*kyro.Bot, error) {
	return &theBots.Nodes[0], nil
}
func (stillQuery) Conversation(context.Context, kyro.ID) (*kyro.Conversation, error) {
	return &conversations.Nodes[0], nil
}
func (stillUser) Bots(context.Context, *kyro.User, *model.BotFilter, *model.BotOrder, *int, *string, *int, *string) (*model.BotConnection, error) {
	return theBots, nil
}
func (stillBot) Owner(context.Context, *kyro.Bot) (*kyro.User, error) { return aUser, nil }
func (stillBot) Conversations(context.Context, *kyro.Bot, *model.ConversationFilter, *model.ConversationOrder, *int, *string, *int, *string) (*model.ConversationConnection, error) {
	return conversations, nil
}
func (stillConversation) Bot(context.Context, *kyro.Conversation) (*kyro.Bot, error) {
	return &theBots.Nodes[0], nil
}
func (stillConversation) Messages(_ context.Context, _ *kyro.Conversation, _ *bool, first *int, _ *string, _ *int, _ *string) (*model.MessageConnection, error) {
	if first != nil && *first == 20 {
		return twenty, nil
	}
	return messages, nil
}
func (stillMessage) Conversation(context.Context, *kyro.Message) (*kyro.Conversation, error) {
	return &conversations.Nodes[0], nil
}

// BenchmarkExecutors measures both executors on one document again and again, from its text to the response. The
// nested query leads to 424 bots, conversations and messages, each conversation and message with a reference back.
func BenchmarkExecutors(b *testing.B) {
	both := newPair(still{})
	for _, c := range []struct{ name, query, variables string }{
		{"nested", `query ($n: Int!) {viewer {id name bots(first: 4) {nodes {id name topK strict createdAt owner {id name} conversations(first: 5) {nodes {
			id title createdAt bot {id name} messages(first: $n) {nodes {id role status text createdAt conversation {id}}}}}}}}}`, `{"n": 20}`},
		{"list", `{conversation(id: "conv_1") {id messages(first: 100) {nodes {id role status text createdAt finishReason} pageInfo {hasNextPage endCursor}}}}`, ``},
		{"point", `query ($id: ID!) {bot(id: $id) {id name description topK createdAt}}`, `{"id": "bot_1"}`},
	} {
		planned, gqlgen := run(b.Context(), both.planned, c.query, c.variables), run(b.Context(), both.gqlgen, c.query, c.variables)
		if different := differences(planned, gqlgen); different != "" || len(planned.Errors) > 0 {
			b.Fatal(different, planned.Errors)
		}
		b.Run(c.name+"/plan", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run(b.Context(), both.planned, c.query, c.variables)
			}
		})
		b.Run(c.name+"/gqlgen", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				run(b.Context(), both.gqlgen, c.query, c.variables)
			}
		})
	}
}
