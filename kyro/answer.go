package kyro

import "time"

// Claim is the right to make one attempt at a bot message. Every write of the attempt is fenced by its number: who
// lost the claim can change nothing.
//
// When its lease is over is for the store's clock to say. Until is what the holder goes by, on its own clock: it counts
// from before the lease was asked for, so that the holder gives up before anybody else may take over.
type Claim struct {
	MessageID      ID
	ConversationID ID
	Attempt        int64
	Owner          string // the node that holds it
	Restarted      bool   // an attempt before was lost after it wrote text; this is the one more that there is then
	Until          time.Time
	Trace          string // that the attempt goes on with; see Trace.Context
}

// AnswerJob is what one attempt works on.
type AnswerJob struct {
	Bot      Bot
	Question Message
	History  []Message // oldest first; final messages of the turns before

	Unread bool // History is not read yet, though there are earlier turns
	Bare   bool // the bot had no live document when this was read, so that there is nothing to look for
}

// AnswerWithdrawn stands in prompts for an answer that was made from what is live no more.
const AnswerWithdrawn = "[answer withdrawn: its source changed]"

// Checkpoint is the state of a running attempt that is kept on the row.
type Checkpoint struct {
	Status  MessageStatus
	Text    string
	Seq     int64
	Sources []ID // what the text is made from, as Message has them; nil: as they are on the row
}

// Keeping is what a running attempt wants of the store: another lease and, with a State, to have that on its row.
type Keeping struct {
	Claim Claim
	State *Checkpoint
}

// Kept is what became of a Keeping. Where it is neither kept nor lost somebody else has the row for a moment.
type Kept struct {
	Kept bool
	Lost bool // the attempt may write no more: it was ended or taken over
	Stop bool // someone asked the answer to stop
}

// Recovery is how lost attempts are dealt with.
type Recovery struct {
	Now        time.Time // when what ends is ended
	Everything bool      // leases of any age are over: for the start of the only process on its data
	Restart    bool      // an answer that was lost after it wrote text is begun again, once, rather than ended
}

// Outcome is how an attempt ended; it becomes the stored message in one fact.
type Outcome struct {
	Status       MessageStatus
	Text         string
	Seq          int64 // of the finishing event
	FinishReason FinishReason
	Grounding    *Grounding
	Notices      []MessageNotice
	Citations    []Citation
	Sources      []ID // what the text is made from, as Message has them; nil: as they are on the row
	Usage        *MessageUsage
	Error        *MessageError
	Now          time.Time
}

// Prompt is everything a model needs for one answer.
type Prompt struct {
	Bot       Bot
	History   []Message // oldest first; final messages of the turns before
	Question  string
	Passages  []Passage // best first; markers count from 1 in this order
	Lexical   LexicalResult
	Languages []string // of the bot's documents

	// The same in words, for models that read: what the model is told to do, without a word of documents or people, and
	// what was said so far, oldest first; the last message holds the passages and the question.
	System   string
	Messages []PromptMessage
}

// PromptMessage is one message of a prompt.
type PromptMessage struct {
	Role MessageRole
	Text string
}

// Completion asks a model for a short text, given at once: a question put another way, a title.
type Completion struct {
	System          string
	Text            string
	MaxOutputTokens int
}

// Completed is the answer to a Completion.
type Completed struct {
	Text  string
	Usage MessageUsage // the model and the tokens
}

// Quote is a piece of a passage that an answer rests on.
type Quote struct {
	Marker             int // the passage's number in the prompt, from 1
	ByteStart, ByteEnd int // within the passage's chunk text
}

// Delta is one piece of a model's output. The last one carries Finish.
type Delta struct {
	Text   string // whole code points
	Quotes []Quote
	Usage  *MessageUsage // so far, where the model tells; for answers that are ended before it ends
	Finish *Finish
}

// Finish is how the model ended.
type Finish struct {
	Reason    FinishReason
	Grounding Grounding // "": the model does not say, so that it is worked out from the citations
	Notices   []MessageNotice
	Usage     MessageUsage
}
