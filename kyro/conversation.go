package kyro

import (
	"cmp"
	"strings"
	"time"
)

// Conversation is the messages of one person with one bot.
type Conversation struct {
	ID            ID
	BotID         ID
	UserID        ID
	Title         string // "" while there is neither a chosen one nor a message to take it from
	Archived      bool
	MessageCount  int       // superseded messages are not counted
	LastMessageAt time.Time // its creation while there is no message
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// NodeID makes Conversation a Node.
func (c *Conversation) NodeID() ID { return c.ID }

// ShownTitle is the title, or the default one.
func (c *Conversation) ShownTitle() string { return cmp.Or(c.Title, DefaultConversationTitle) }

// ReadableBy reports whether the viewer may see the conversation. Only the person who holds it may.
func (c *Conversation) ReadableBy(v Viewer) bool { return v.Is(c.UserID) }

// DefaultConversationTitle is what a conversation without a title is called.
const DefaultConversationTitle = "New conversation"

// ConversationPatch changes a conversation: a field left out stays; null restores the default, which
// for the title is "": the store takes it from the first message.
type ConversationPatch struct {
	Title    Opt[string]
	Archived Opt[bool]
}

// Apply changes the conversation by the patch and checks the outcome.
func (c *Conversation) Apply(p ConversationPatch) error {
	if p.Title.Set && p.Title.Value != nil {
		title, err := CheckTitle(*p.Title.Value)
		if err != nil {
			return err
		}
		p.Title = Some(title)
	}
	p.Title.IntoOr(&c.Title, "")
	p.Archived.IntoOr(&c.Archived, false)
	return nil
}

// TitleFrom makes a conversation's first title from its first message: one line of at most 60 characters.
func TitleFrom(message string) string {
	return Shortened(strings.Join(strings.Fields(message), " "), 60)
}

// ConversationFilter selects conversations; empty fields select all.
type ConversationFilter struct {
	BotID    ID
	Archived *bool
	Search   string // part of the title, without regard to case
	// Since and Before select those that may have messages of a span: with one since, and begun before.
	Since, Before *time.Time
}

// ConversationOrder orders conversations.
type ConversationOrder struct {
	By        ConversationOrderField
	Direction Direction
}

// ConversationOrderField is what conversations are ordered by.
type ConversationOrderField string

// The orders of conversations.
const (
	ConversationsByLastMessage ConversationOrderField = "LAST_MESSAGE_AT"
	ConversationsByCreation    ConversationOrderField = "CREATED_AT"
)

// Name is the order's name in cursors.
func (o ConversationOrder) Name() string {
	return "conversations." + string(o.By) + "." + string(o.Direction)
}
