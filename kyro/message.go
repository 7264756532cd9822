package kyro

import (
	"strings"
	"time"
)

// MessageRole is who wrote a message.
type MessageRole string

// The roles.
const (
	RoleUser MessageRole = "USER"
	RoleBot  MessageRole = "BOT"
)

// MessageStatus is how far a message has come. A user message is COMPLETED from the start.
type MessageStatus string

// The states of a bot message.
const (
	MessagePending     MessageStatus = "PENDING"
	MessageRetrieving  MessageStatus = "RETRIEVING"
	MessageStreaming   MessageStatus = "STREAMING"
	MessageCompleted   MessageStatus = "COMPLETED"
	MessageStopped     MessageStatus = "STOPPED"
	MessageFailed      MessageStatus = "FAILED"
	MessageInterrupted MessageStatus = "INTERRUPTED"
)

// Final reports whether the message changes no more.
func (s MessageStatus) Final() bool {
	switch s {
	case MessageCompleted, MessageStopped, MessageFailed, MessageInterrupted:
		return true
	}
	return false
}

// MaxSiblings is how many answers one message can have. Each of them leads to all of them, so that a query could ask for
// their number to the power of its depth.
const MaxSiblings = 20

// Grounding is how far the passages support an answer.
type Grounding string

// The degrees of grounding.
const (
	Grounded          Grounding = "GROUNDED"
	GroundedPartly    Grounding = "PARTIAL"
	GroundingNotFound Grounding = "NOT_FOUND"
	GroundingBlocked  Grounding = "BLOCKED"
)

// Groundings are all degrees, best first. What is kept knows them by their places: new ones go to the end.
var Groundings = []Grounding{Grounded, GroundedPartly, GroundingNotFound, GroundingBlocked}

// FinishReason is why an answer ended.
type FinishReason string

// The reasons to end.
const (
	FinishStop        FinishReason = "STOP"
	FinishLength      FinishReason = "LENGTH"
	FinishSafety      FinishReason = "SAFETY"
	FinishUser        FinishReason = "STOPPED_BY_USER"
	FinishTimeout     FinishReason = "TIMEOUT"
	FinishError       FinishReason = "ERROR"
	FinishInterrupted FinishReason = "INTERRUPTED"
)

// FinishReasons are all reasons. What is kept knows them by their places: new ones go to the end.
var FinishReasons = []FinishReason{FinishStop, FinishLength, FinishSafety, FinishUser, FinishTimeout, FinishError, FinishInterrupted}

// MessageNotice is something a reader should know about how an answer was made.
type MessageNotice string

// The notices.
const (
	NoticeOfflineAnswer MessageNotice = "OFFLINE_ANSWER"
	NoticeLexicalOnly   MessageNotice = "LEXICAL_ONLY"
	NoticeFiltered      MessageNotice = "FILTERED"
)

// Message is one message of a conversation. Attempt and Seq say how far its stream is stored in Text.
type Message struct {
	ID              ID
	ConversationID  ID
	Role            MessageRole
	Status          MessageStatus
	Text            string
	ClientMessageID string // "" for a bot message that no client asked for by name
	ParentID        ID     // of a bot message: the user message it answers
	SenderID        ID     // the user who sent or asked for it
	Turn            int64  // the key of the turn's user message: what messages are ordered by
	Superseded      bool   // a newer sibling answers the same message
	Attempt         int64  // 0 until an attempt was made
	Seq             int64  // the last event of the attempt that Text holds
	Citations       []Citation
	Grounding       *Grounding
	FinishReason    *FinishReason
	Notices         []MessageNotice
	Usage           *MessageUsage
	Error           *MessageError
	Feedback        *Feedback // of the person of the conversation
	Trace           string    // of an answer, that whoever makes it goes on with; see Trace.Context
	CreatedAt       time.Time
	CompletedAt     *time.Time

	// Sources are the chunks that an answer was made from: the passages of its prompt, and those that the answers in its
	// history were made from. They are read where it is history itself.
	Sources []ID
}

// NodeID makes Message a Node.
func (m *Message) NodeID() ID { return m.ID }

// Citation ties a marker in an answer to a passage. Title, version, quote and offsets stay when the document is
// deleted or replaced.
type Citation struct {
	Marker             int
	DocumentID         ID
	ChunkID            ID
	DocumentTitle      string
	DocumentVersion    int
	Quote              string // verbatim: the stored text between CharStart and CharEnd
	PageStart, PageEnd *int
	CharStart, CharEnd int
	Score              float64
	Similarity         *float64
	Verified           bool // the server found the quote verbatim in the stored text
}

// MessageUsage is what an answer took.
type MessageUsage struct {
	PromptTokens       int    `json:"promptTokens"`
	OutputTokens       int    `json:"outputTokens"`
	Model              string `json:"model"`
	TimeToFirstTokenMs *int   `json:"timeToFirstTokenMs,omitempty"`
	DurationMs         *int   `json:"durationMs,omitempty"`
	Cost               Money  `json:"cost,omitempty"` // by the price table as it was then
}

// CostUnits is the cost in units of the currency.
func (u *MessageUsage) CostUnits() float64 { return u.Cost.Units() }

// TotalTokens is prompt and output together.
func (u *MessageUsage) TotalTokens() int { return u.PromptTokens + u.OutputTokens }

// MessageError is why an answer failed.
type MessageError struct {
	Code      Code   `json:"code"`
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"` // regenerateMessage may succeed
	// RetryAt is when: before, it is of no use. Nil where nobody knows.
	RetryAt *time.Time `json:"retryAt,omitempty"`
}

// MessagesOrder is the one order of messages: oldest turn first.
const MessagesOrder = "messages.TURN.ASC"

// CheckMessageText checks the text of a message: 1 to limit characters, not only white space.
func CheckMessageText(s string, limit int) error {
	if strings.TrimSpace(s) == "" {
		return Invalid("text", "The message must not be empty.")
	}
	return checkText("text", "The message", s, limit)
}

// CheckClientMessageID checks the key that makes sending safe to repeat: 1 to 64 of A-Z, a-z, 0-9, _ and -.
func CheckClientMessageID(s string) error {
	ok := len(s) >= 1 && len(s) <= 64
	for i := 0; ok && i < len(s); i++ {
		c := s[i]
		ok = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
	}
	if !ok {
		return Invalid("clientMessageId", "clientMessageId must be 1 to 64 letters, digits, _ or -; a UUID does well.")
	}
	return nil
}

// Turn is a user message and the bot message that answers it, with their conversation as it is after both.
type Turn struct {
	Conversation Conversation
	User         Message
	Bot          Message
	Repeated     bool // the turn was stored before: the same clientMessageId was sent again

	// Where the answer was claimed as it was stored, the claim, whose Until is the caller's to set, and what the attempt
	// works on; else nil.
	Claim *Claim
	Job   *AnswerJob
}

// NewTurn asks for a turn to be stored. ConversationID zero starts a conversation with the bot.
type NewTurn struct {
	SenderID        ID
	ConversationID  ID
	BotID           ID
	Title           string // of a new conversation
	Text            string
	ClientMessageID string
	MaxWaiting      int
	Charge          Charge
	Now             time.Time

	// Owner, unless it is "", claims the answer for as long as Lease where nothing else runs or waits in the
	// conversation.
	Owner string
	Lease time.Duration
	// Begin is called, where the answer is claimed, with the turn as it is about to be stored: whoever claims may begin to
	// work then, and must keep it to itself until the turn is stored. It is called again where that is tried again.
	Begin func(Turn)
}
