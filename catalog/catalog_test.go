package catalog_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"kyrochat/catalog"
	"kyrochat/kyro"
	"kyrochat/live"
)

var (
	now   = time.Date(2026, 11, 22, 10, 0, 0, 123456789, time.UTC)
	ada   = kyro.Viewer{UserID: kyro.UserID(1)}
	eve   = kyro.Viewer{UserID: kyro.UserID(2)}
	adas  = kyro.Bot{ID: kyro.BotID(7), OwnerID: ada.UserID, Name: "Helper", TopK: 5, NoAnswerText: "No."}
	talk  = kyro.Conversation{ID: kyro.ConversationID(3), BotID: adas.ID, UserID: ada.UserID, Title: "Tea"}
	fixed = func() time.Time { return now }
)

// careless is a store that scopes nothing by owner, so that what is refused is refused by the use case.
type careless struct {
	catalog.Store // what a test does not expect to be called panics
	bots          []kyro.Bot
	conversations []kyro.Conversation
	made          kyro.Conversation
	deleted       kyro.ID
	lines         []kyro.AuditEntry
}

func (c *careless) Bots(context.Context, kyro.ID, []kyro.ID) ([]kyro.Bot, error) { return c.bots, nil }

func (c *careless) CreateBot(_ context.Context, b kyro.Bot, deeds ...kyro.AuditEntry) (kyro.Bot, error) {
	b.ID = kyro.BotID(8)
	c.lines = append(c.lines, deeds...)
	return b, nil
}

func (c *careless) UpdateBot(_ context.Context, _, _ kyro.ID, change func(*kyro.Bot) error) (kyro.Bot, error) {
	bot := c.bots[0]
	err := change(&bot)
	return bot, err
}

func (c *careless) DeleteBot(_ context.Context, _, id kyro.ID, _ time.Time, deeds ...kyro.AuditEntry) error {
	c.deleted, c.lines = id, append(c.lines, deeds...)
	return nil
}

func (c *careless) Conversations(context.Context, kyro.ID, []kyro.ID) ([]kyro.Conversation, error) {
	return c.conversations, nil
}

func (c *careless) CreateConversation(_ context.Context, made kyro.Conversation) (kyro.Conversation, error) {
	c.made = made
	return made, nil
}

func (c *careless) UpdateConversation(_ context.Context, _, _ kyro.ID, change func(*kyro.Conversation) error) (kyro.Conversation, error) {
	conversation := c.conversations[0]
	err := change(&conversation)
	return conversation, err
}

func (c *careless) DeleteConversation(_ context.Context, _, id kyro.ID, _ time.Time) error {
	c.deleted = id
	return nil
}

func newService() (*catalog.Service, *careless) {
	store := &careless{bots: []kyro.Bot{adas}, conversations: []kyro.Conversation{talk}}
	return catalog.New(store, fresh(), &live.Wakes{}, fixed), store
}

// fresh gives caches that remember nothing.
func fresh() catalog.Caches {
	return catalog.Caches{
		Bots:      live.NewCache(live.CacheConfig[kyro.Bot]{}),
		Documents: live.NewCache(live.CacheConfig[kyro.Document]{}),
	}
}

func wantCode(t *testing.T, what string, err error, code kyro.Code) {
	t.Helper()
	if kyro.ErrorCode(err) != code {
		t.Errorf("%s: got %v, want %q", what, err, code)
	}
}

// TestNobodyGetsNothing: every use case refuses whoever is not signed in, before the store is asked.
func TestNobodyGetsNothing(t *testing.T) {
	t.Parallel()
	s := catalog.New(nil, catalog.Caches{}, nil, nil) // a call to the store would panic
	ctx, nobody, page := t.Context(), kyro.Viewer{}, kyro.PageRequest{Limit: 1}
	calls := map[string]func() error{
		"CreateBot":          func() error { _, err := s.CreateBot(ctx, nobody, kyro.BotPatch{}); return err },
		"UpdateBot":          func() error { _, err := s.UpdateBot(ctx, nobody, adas.ID, kyro.BotPatch{}); return err },
		"DeleteBot":          func() error { return s.DeleteBot(ctx, nobody, adas.ID) },
		"Bot":                func() error { _, err := s.Bot(ctx, nobody, adas.ID); return err },
		"Bots":               func() error { _, err := s.Bots(ctx, nobody, nil); return err },
		"ListBots":           func() error { _, err := s.ListBots(ctx, nobody, kyro.BotFilter{}, kyro.BotOrder{}, page); return err },
		"CreateConversation": func() error { _, err := s.CreateConversation(ctx, nobody, adas.ID, nil); return err },
		"UpdateConversation": func() error {
			_, err := s.UpdateConversation(ctx, nobody, talk.ID, kyro.ConversationPatch{})
			return err
		},
		"DeleteConversation": func() error { return s.DeleteConversation(ctx, nobody, talk.ID) },
		"Conversation":       func() error { _, err := s.Conversation(ctx, nobody, talk.ID); return err },
		"Conversations":      func() error { _, err := s.Conversations(ctx, nobody, nil); return err },
		"ListConversations": func() error {
			_, err := s.ListConversations(ctx, nobody, kyro.ConversationFilter{}, kyro.ConversationOrder{}, page)
			return err
		},
		"Message":      func() error { _, err := s.Message(ctx, nobody, kyro.MessageID(1)); return err },
		"Messages":     func() error { _, err := s.Messages(ctx, nobody, nil); return err },
		"ListMessages": func() error { _, err := s.ListMessages(ctx, nobody, nil, false, page); return err },
		"ListConversationsWith": func() error {
			_, err := s.ListConversationsWith(ctx, nobody, nil, kyro.ConversationFilter{}, kyro.ConversationOrder{}, page)
			return err
		},
		"Siblings":     func() error { _, err := s.Siblings(ctx, nobody, nil); return err },
		"LastMessages": func() error { _, err := s.LastMessages(ctx, nobody, nil); return err },
	}
	for name, call := range calls {
		wantCode(t, name, call(), kyro.CodeUnauthenticated)
	}
}

// TestIDsOfAnotherKindAreRefused before the store is asked.
func TestIDsOfAnotherKindAreRefused(t *testing.T) {
	t.Parallel()
	s, ctx := catalog.New(nil, catalog.Caches{}, nil, nil), t.Context()
	_, err := s.Bot(ctx, ada, talk.ID)
	wantCode(t, "Bot", err, kyro.CodeBadUserInput)
	wantCode(t, "DeleteBot", s.DeleteBot(ctx, ada, talk.ID), kyro.CodeBadUserInput)
	_, err = s.Conversation(ctx, ada, adas.ID)
	wantCode(t, "Conversation", err, kyro.CodeBadUserInput)
	_, err = s.CreateConversation(ctx, ada, talk.ID, nil)
	wantCode(t, "CreateConversation", err, kyro.CodeBadUserInput)
	_, err = s.Message(ctx, ada, adas.ID)
	wantCode(t, "Message", err, kyro.CodeBadUserInput)
}

// TestTheUseCaseDecidesToo: even a store that scopes nothing lets nobody change what is not theirs.
func TestTheUseCaseDecidesToo(t *testing.T) {
	t.Parallel()
	s, _ := newService()
	_, err := s.UpdateBot(t.Context(), eve, adas.ID, kyro.BotPatch{Name: kyro.Some("mine")})
	wantCode(t, "UpdateBot", err, kyro.CodeNotFound)
	_, err = s.UpdateConversation(t.Context(), eve, talk.ID, kyro.ConversationPatch{Title: kyro.Some("mine")})
	wantCode(t, "UpdateConversation", err, kyro.CodeNotFound)
	_, err = s.CreateConversation(t.Context(), eve, adas.ID, nil)
	wantCode(t, "CreateConversation", err, kyro.CodeNotFound)
}

func TestBots(t *testing.T) {
	t.Parallel()
	s, store := newService()
	made, err := s.CreateBot(t.Context(), ada, kyro.BotPatch{Name: kyro.Some("New")})
	if err != nil || made.OwnerID != ada.UserID || made.TopK != kyro.DefaultTopK || !made.CreatedAt.Equal(now.Truncate(time.Microsecond)) {
		t.Errorf("made %+v, %v", made, err)
	}
	_, err = s.CreateBot(t.Context(), ada, kyro.BotPatch{Name: kyro.Some("")})
	wantCode(t, "a bot without a name", err, kyro.CodeValidation)
	changed, err := s.UpdateBot(t.Context(), ada, adas.ID, kyro.BotPatch{TopK: kyro.Some(9)})
	if err != nil || changed.TopK != 9 || changed.Name != adas.Name || changed.UpdatedAt.IsZero() {
		t.Errorf("changed %+v, %v", changed, err)
	}
	_, err = s.UpdateBot(t.Context(), ada, adas.ID, kyro.BotPatch{TopK: kyro.Some(99)})
	wantCode(t, "topK 99", err, kyro.CodeValidation)
	if err := s.DeleteBot(t.Context(), ada, adas.ID); err != nil || store.deleted != adas.ID {
		t.Errorf("deleted %v, %v", store.deleted, err)
	}
	want := []kyro.AuditEntry{ // what was refused or changed has none
		ada.Entry(kyro.AuditBotCreated, kyro.ID{}).Dated(made.CreatedAt), ada.Entry(kyro.AuditBotDeleted, adas.ID).Dated(made.CreatedAt),
	}
	if !slices.Equal(store.lines, want) {
		t.Errorf("audit lines %+v, want %+v", store.lines, want)
	}
	store.bots = nil
	_, err = s.Bot(t.Context(), ada, adas.ID)
	wantCode(t, "no bot", err, kyro.CodeNotFound)
}

func TestConversations(t *testing.T) {
	t.Parallel()
	s, store := newService()
	title := " About tea "
	if _, err := s.CreateConversation(t.Context(), ada, adas.ID, &title); err != nil || store.made.Title != "About tea" || store.made.UserID != ada.UserID || !store.made.LastMessageAt.Equal(store.made.CreatedAt) {
		t.Errorf("made %+v, %v", store.made, err)
	}
	if _, err := s.CreateConversation(t.Context(), ada, adas.ID, nil); err != nil || store.made.ShownTitle() != kyro.DefaultConversationTitle {
		t.Errorf("made %+v, %v", store.made, err)
	}
	long := string(make([]byte, 201))
	_, err := s.CreateConversation(t.Context(), ada, adas.ID, &long)
	wantCode(t, "a bad title", err, kyro.CodeValidation)
	changed, err := s.UpdateConversation(t.Context(), ada, talk.ID, kyro.ConversationPatch{Archived: kyro.Some(true)})
	if err != nil || !changed.Archived || changed.Title != "Tea" {
		t.Errorf("changed %+v, %v", changed, err)
	}
}

func (c *careless) BotPage(_ context.Context, owner kyro.ID, _ kyro.BotFilter, _ kyro.BotOrder, _ kyro.PageRequest) (kyro.Page[kyro.Bot], error) {
	return kyro.Page[kyro.Bot]{Total: int(owner.Key)}, nil
}

func (c *careless) ConversationPage(_ context.Context, user kyro.ID, _ kyro.ConversationFilter, _ kyro.ConversationOrder, _ kyro.PageRequest) (kyro.Page[kyro.Conversation], error) {
	return kyro.Page[kyro.Conversation]{Total: int(user.Key)}, nil
}

func (c *careless) MessagePages(_ context.Context, user kyro.ID, ids []kyro.ID, _ bool, _ kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.Message], error) {
	return map[kyro.ID]kyro.Page[kyro.Message]{ids[0]: {Total: int(user.Key)}}, nil
}

func (c *careless) ConversationPages(_ context.Context, user kyro.ID, ids []kyro.ID, _ kyro.ConversationFilter, _ kyro.ConversationOrder, _ kyro.PageRequest) (map[kyro.ID]kyro.Page[kyro.Conversation], error) {
	return map[kyro.ID]kyro.Page[kyro.Conversation]{ids[0]: {Total: int(user.Key)}}, nil
}

func (c *careless) Messages(_ context.Context, user kyro.ID, ids []kyro.ID) ([]kyro.Message, error) {
	return []kyro.Message{{ID: ids[0], SenderID: user}}, nil
}

func (c *careless) Siblings(_ context.Context, user kyro.ID, parents []kyro.ID) (map[kyro.ID][]kyro.Message, error) {
	return map[kyro.ID][]kyro.Message{parents[0]: {{SenderID: user}}}, nil
}

func (c *careless) LastMessages(_ context.Context, user kyro.ID, ids []kyro.ID) (map[kyro.ID]kyro.Message, error) {
	return map[kyro.ID]kyro.Message{ids[0]: {SenderID: user}}, nil
}

// TestReadsAreScopedByTheViewer: what reaches the store as owner is who asks, and never a part of the request.
func TestReadsAreScopedByTheViewer(t *testing.T) {
	t.Parallel()
	s, _ := newService()
	ctx, want := t.Context(), int(eve.UserID.Key)
	bots, err1 := s.ListBots(ctx, eve, kyro.BotFilter{}, kyro.BotOrder{}, kyro.PageRequest{})
	conversations, err2 := s.ListConversations(ctx, eve, kyro.ConversationFilter{}, kyro.ConversationOrder{}, kyro.PageRequest{})
	messages, err3 := s.ListMessages(ctx, eve, []kyro.ID{talk.ID}, false, kyro.PageRequest{})
	with, err4 := s.ListConversationsWith(ctx, eve, []kyro.ID{adas.ID}, kyro.ConversationFilter{}, kyro.ConversationOrder{}, kyro.PageRequest{})
	if errors.Join(err1, err2, err3, err4) != nil || bots.Total != want || conversations.Total != want || messages[talk.ID].Total != want || with[adas.ID].Total != want {
		t.Errorf("lists: %v %v %v, %v %v %v", bots, conversations, messages, err1, err2, err3)
	}
	id := kyro.MessageID(5)
	one, err1 := s.Message(ctx, eve, id)
	siblings, err2 := s.Siblings(ctx, eve, []kyro.ID{id})
	last, err3 := s.LastMessages(ctx, eve, []kyro.ID{talk.ID})
	if err1 != nil || err2 != nil || err3 != nil || one.SenderID != eve.UserID || siblings[id][0].SenderID != eve.UserID || last[talk.ID].SenderID != eve.UserID {
		t.Errorf("reads: %v %v %v, %v %v %v", one, siblings, last, err1, err2, err3)
	}
}

// woken notes which conversations were woken.
type woken []kyro.ID

func (w *woken) Wake(id kyro.ID) { *w = append(*w, id) }

// TestFollowersAreWoken after what was changed, and not by those who may not change it.
func TestFollowersAreWoken(t *testing.T) {
	t.Parallel()
	var wakes woken
	store := &careless{conversations: []kyro.Conversation{talk}}
	s, ctx := catalog.New(store, fresh(), &wakes, fixed), t.Context()
	_, err := s.UpdateConversation(ctx, eve, talk.ID, kyro.ConversationPatch{Title: kyro.Some("Mine")})
	wantCode(t, "another's conversation", err, kyro.CodeNotFound)
	if len(wakes) != 0 {
		t.Errorf("%v woken for nothing", wakes)
	}
	if _, err := s.UpdateConversation(ctx, ada, talk.ID, kyro.ConversationPatch{Title: kyro.Some("Coffee")}); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteConversation(ctx, ada, talk.ID); err != nil {
		t.Fatal(err)
	}
	if len(wakes) != 2 || wakes[0] != talk.ID || wakes[1] != talk.ID {
		t.Errorf("woken: %v", wakes)
	}
}
