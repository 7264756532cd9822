package kyro

// LogEntry is one event of an attempt as the stream log keeps it. Seq counts from 1 without a gap.
type LogEntry struct {
	Attempt int64         `json:"a"`
	Seq     int64         `json:"s"`
	Text    string        `json:"t,omitempty"` // of a delta
	Status  MessageStatus `json:"m,omitempty"` // of a stage, or of the end where Final
	Final   bool          `json:"f,omitempty"` // the row is final and stored
}

// MessageStreamEvent is one event that a reader of an answer gets.
type MessageStreamEvent interface {
	Placed
	messageStreamEvent()
}

// Placed is an event that knows its place in its stream, behind which a reader can go on.
type Placed interface{ Place() StreamCursor }

// MessageSnapshot replaces what the client shows.
type MessageSnapshot struct {
	Seq     int64
	Cursor  StreamCursor
	Message *Message
}

// MessageDelta is text to append.
type MessageDelta struct {
	Seq    int64
	Cursor StreamCursor
	Text   string
}

// MessageStage is a change of status while the answer runs.
type MessageStage struct {
	Seq    int64
	Cursor StreamCursor
	Status MessageStatus
}

// MessageFinished is the one end of a stream, with the stored message.
type MessageFinished struct {
	Seq          int64
	Cursor       StreamCursor
	Message      *Message
	FinishReason FinishReason
}

func (*MessageSnapshot) messageStreamEvent() {}
func (*MessageDelta) messageStreamEvent()    {}
func (*MessageStage) messageStreamEvent()    {}
func (*MessageFinished) messageStreamEvent() {}

// Place is the one behind the snapshot.
func (e *MessageSnapshot) Place() StreamCursor { return e.Cursor }

// Place is the one behind the text.
func (e *MessageDelta) Place() StreamCursor { return e.Cursor }

// Place is the one behind the change.
func (e *MessageStage) Place() StreamCursor { return e.Cursor }

// Place is the end of the stream.
func (e *MessageFinished) Place() StreamCursor { return e.Cursor }

// ConversationEvent is one event that a follower of a conversation gets.
type ConversationEvent interface {
	conversationEvent()
	Placed
}

// MessageAdded is a message that was stored, as it is by now.
type MessageAdded struct {
	Seq     int64
	Cursor  StreamCursor
	Message *Message
}

// MessageChanged is a message whose state is another than before.
type MessageChanged struct {
	Seq     int64
	Cursor  StreamCursor
	Message *Message
}

// ConversationChanged is the conversation with another title, or archived or not.
type ConversationChanged struct {
	Seq          int64
	Cursor       StreamCursor
	Conversation *Conversation
}

// ConversationResync says that what was before it is not told: the client reads the conversation anew.
type ConversationResync struct {
	Seq          int64
	Cursor       StreamCursor
	Conversation *Conversation
}

func (*MessageAdded) conversationEvent()        {}
func (*MessageChanged) conversationEvent()      {}
func (*ConversationChanged) conversationEvent() {}
func (*ConversationResync) conversationEvent()  {}

// Place is the one behind the coming of the message.
func (e *MessageAdded) Place() StreamCursor { return e.Cursor }

// Place is the one behind the change.
func (e *MessageChanged) Place() StreamCursor { return e.Cursor }

// Place is the one behind the change.
func (e *ConversationChanged) Place() StreamCursor { return e.Cursor }

// Place is the one from which changes are told.
func (e *ConversationResync) Place() StreamCursor { return e.Cursor }

// FollowedConversation is a conversation with the number of the last change that its followers are told of, and that of
// the last one of itself. Changes are numbered from 1, those of messages too; each number is used once.
type FollowedConversation struct {
	Conversation
	Events  int64
	Changed int64
}

// ChangedMessage is a message with the numbers that its storing and its last change have in its conversation.
type ChangedMessage struct {
	Message
	Added   int64
	Changed int64
}

// StreamSnapshot is a running answer as far as its log has it.
type StreamSnapshot struct {
	Attempt int64
	Seq     int64
	Status  MessageStatus
	Text    string
	Final   bool // the row is final and stored
}
