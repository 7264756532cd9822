// Package catalog keeps bots and conversations: create, change, list, delete, and read what was said.
//
// Every use case decides by the viewer; the store scopes by owner again. What is not the viewer's reads exactly
// like what is not there.
package catalog

import (
	"context"
	"time"

	"kyrochat/kyro"
)

// Store keeps bots, conversations and messages. Reads give live rows of the owner only; by-id reads give rows in
// any order and leave out what is not there.
type Store interface {
	// CreateBot stores a bot. The deeds are its lines in the audit log, stored with it; those without a target are about it.
	CreateBot(ctx context.Context, bot kyro.Bot, deeds ...kyro.AuditEntry) (kyro.Bot, error)
	// UpdateBot reads the owner's live bot, lets change alter it, and writes it, in one fact. NOT_FOUND where
	// there is none; an error of change is given back and nothing is written.
	UpdateBot(ctx context.Context, owner, id kyro.ID, change func(*kyro.Bot) error) (kyro.Bot, error)
	// DeleteBot tombstones the bot, its documents and its conversations at once and enqueues what is to be
	// cleaned up. NOT_FOUND where there is none.
	DeleteBot(ctx context.Context, owner, id kyro.ID, now time.Time, deeds ...kyro.AuditEntry) error
	Bots(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Bot, error)
	BotPage(
		ctx context.Context, owner kyro.ID, filter kyro.BotFilter, order kyro.BotOrder, page kyro.PageRequest,
	) (kyro.Page[kyro.Bot], error)

	CreateConversation(ctx context.Context, c kyro.Conversation) (kyro.Conversation, error)
	UpdateConversation(ctx context.Context, user, id kyro.ID, change func(*kyro.Conversation) error) (kyro.Conversation, error)
	DeleteConversation(ctx context.Context, user, id kyro.ID, now time.Time) error
	Conversations(ctx context.Context, user kyro.ID, ids []kyro.ID) ([]kyro.Conversation, error)
	ConversationPage(
		ctx context.Context, user kyro.ID, filter kyro.ConversationFilter, order kyro.ConversationOrder,
		page kyro.PageRequest,
	) (kyro.Page[kyro.Conversation], error)
	// ConversationPages is ConversationPage for the conversations with each bot. Every bot has a page.
	ConversationPages(
		ctx context.Context, user kyro.ID, bots []kyro.ID, filter kyro.ConversationFilter, order kyro.ConversationOrder,
		page kyro.PageRequest,
	) (map[kyro.ID]kyro.Page[kyro.Conversation], error)

	// Messages reads messages of the user's live conversations, citations included.
	Messages(ctx context.Context, user kyro.ID, ids []kyro.ID) ([]kyro.Message, error)
	// MessagePages lists the messages of each conversation in the order of their turns, citations included. Every
	// conversation has a page, which is empty where it is not the user's.
	MessagePages(
		ctx context.Context, user kyro.ID, conversations []kyro.ID, superseded bool, page kyro.PageRequest,
	) (map[kyro.ID]kyro.Page[kyro.Message], error)
	// Siblings gives, for each user message, the bot messages that answer it, oldest first.
	Siblings(ctx context.Context, user kyro.ID, parents []kyro.ID) (map[kyro.ID][]kyro.Message, error)
	// LastMessages gives the newest message, not superseded, of each conversation that has one.
	LastMessages(ctx context.Context, user kyro.ID, conversations []kyro.ID) (map[kyro.ID]kyro.Message, error)
	// RateMessage writes the feedback of a final answer in the user's live conversations, or takes it back where it is nil,
	// and tells of the change. NOT_FOUND where there is none, CONFLICT while it is not final.
	RateMessage(ctx context.Context, user, id kyro.ID, feedback *kyro.Feedback) (kyro.Message, error)
}

// Wakes tells those who follow a conversation that it has changed. Wake is called after the write and never waits.
type Wakes interface{ Wake(conversation kyro.ID) }

// Service is the use cases of the catalog.
type Service struct {
	store     Store
	wakes     Wakes
	bots      Bots
	documents Documents
	now       func() time.Time
}

// New makes the use cases over a store and its caches. now gives the time; nil is the clock of the machine.
func New(store Store, caches Caches, wakes Wakes, now func() time.Time) *Service {
	if now == nil {
		now = time.Now
	}
	return &Service{store: store, wakes: wakes, bots: caches.Bots, documents: caches.Documents, now: now}
}

func (s *Service) time() time.Time { return kyro.Moment(s.now()) }
