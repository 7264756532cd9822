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

// StreamSnapshot is a running answer as far as its log has it.
type StreamSnapshot struct {
	Attempt int64
	Seq     int64
	Status  MessageStatus
	Text    string
	Final   bool // the row is final and stored
}
