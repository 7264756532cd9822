// Package answer holds the turn: it stores what a person says together with the answer to come, makes the answer
// from the bot's documents, and lets any number of readers follow it exactly. Losing every reader never stops an
// answer; only a stop, a limit or the end of the process does, and what was written is kept.
package answer

import (
	"context"
	"iter"
	"time"

	"kyrochat/kyro"
)

// Store keeps turns. Every write of an attempt is fenced by its claim and answers CONFLICT when the claim is lost.
type Store interface {
	// SaveTurn stores both messages of a turn, and the conversation where it is new, in one fact. The same
	// clientMessageId of the same sender gives the stored turn with Repeated set where text and target are the
	// same, else IDEMPOTENCY_CONFLICT. LIMIT_REACHED where MaxWaiting messages wait already; NOT_FOUND where the
	// conversation or bot is not the sender's. With an Owner it starts the first attempt at the answer in the same fact,
	// as ClaimNext would, where nothing runs or waits in the conversation; the turn then has the claim and its job.
	//
	// What the answer may take, as t.Charge says, is reserved in the same fact of all hard budgets that it goes on, and
	// BUDGET_EXCEEDED where one has less left. Whatever makes the answer final, of all calls here, settles that once: what
	// it took is counted, and the rest given back.
	SaveTurn(ctx context.Context, t kyro.NewTurn) (kyro.Turn, error)
	// SaveSibling stores a new PENDING answer to the same user message and marks the older ones superseded, with
	// the same rules for clientMessageId and for hard budgets. CONFLICT where the message is not a final bot message.
	SaveSibling(ctx context.Context, sender, message kyro.ID, clientMessageID string, maxWaiting int, now time.Time, charge kyro.Charge) (kyro.Turn, error)
	// Message reads one message of the user's live conversations; NOT_FOUND where there is none.
	Message(ctx context.Context, user, id kyro.ID) (kyro.Message, error)

	// Bots reads those of the user's live bots, in any order.
	Bots(ctx context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Bot, error)

	// ClaimNext takes the oldest PENDING answer of a conversation in which none is running, and starts a new
	// attempt. found is false where there is nothing to take. Leases go by the clock of the store, which is the same
	// for all nodes; Until of the claim is for the caller to set.
	ClaimNext(ctx context.Context, conversation kyro.ID, owner string, lease time.Duration) (claim kyro.Claim, found bool, err error)
	// Job gives what the attempt needs: the bot, the question and the final messages of earlier turns, newest
	// last, at most history of them. Answers that were made from a passage which is live no more have the text
	// kyro.AnswerWithdrawn.
	Job(ctx context.Context, claim kyro.Claim, history int) (Job, error)
	// History is that of a Job, for a turn of the bot's conversation.
	History(ctx context.Context, bot, conversation kyro.ID, turn int64, limit int) ([]kyro.Message, error)
	// Keep gives attempts another lease and stores how far they have come, all of them in one transaction, and says of
	// each in its order what became of it. A state that is older than the row's changes nothing. Where it fails,
	// nothing is kept.
	Keep(ctx context.Context, lease time.Duration, list []kyro.Keeping) ([]kyro.Kept, error)
	// LiveChunks gives those of the chunks of a bot that answers may be made from, in any order, as that of Index does.
	LiveChunks(ctx context.Context, bot kyro.ID, chunks []kyro.ID) ([]kyro.ID, error)
	// StopsAsked finds the running answers of a node that someone asked to stop.
	StopsAsked(ctx context.Context, owner string) ([]kyro.ID, error)
	// Finish stores the end of the attempt in one fact.
	Finish(ctx context.Context, claim kyro.Claim, o kyro.Outcome) (kyro.Message, error)
	// Release gives an attempt back, so that another node can take the answer at once. With restart what was written
	// is given up for it, which happens once and not where a stop was asked for; else nothing may have been written.
	Release(ctx context.Context, claim kyro.Claim, restart bool) error
	// RequestStop asks for a message to stop. A PENDING one is final at once (STOPPED, no text); a final one
	// stays as it is. The message is given as it is afterwards. An end that the store makes is an event as any
	// other: it takes the seq after the stored one.
	RequestStop(ctx context.Context, user, id kyro.ID, now time.Time) (kyro.Message, error)
	// Recover looks for attempts whose lease is over: those without text become PENDING again, the others
	// INTERRUPTED, or STOPPED where that was asked for, with the text they have and the seq after the stored one. With
	// Restart those with text become PENDING too, without it and once only. It gives the messages it ended and the
	// conversations in which a PENDING answer waits and none is running. Any number of nodes may call it at once.
	Recover(ctx context.Context, r kyro.Recovery) (ended []kyro.Message, waiting []kyro.ID, err error)

	// Retitle gives a live conversation another title where it still has the one that its first message gave it, and
	// reports whether it did. It is a change of the conversation as any other.
	Retitle(ctx context.Context, conversation kyro.ID, title string, now time.Time) (changed bool, err error)

	// FollowedConversation reads the user's live conversation with the numbers of its changes; NOT_FOUND where there
	// is none. Whoever sees a number sees all changes up to it.
	FollowedConversation(ctx context.Context, user, id kyro.ID) (kyro.FollowedConversation, error)
	// EventCounts gives the last number of each of the conversations, of any users; those that are no more are left out.
	EventCounts(ctx context.Context, conversations []kyro.ID) (map[kyro.ID]int64, error)
	// ChangedMessages reads messages of the conversation for a reader who knows the numbers up to after and is now
	// told of those up to another: that they were added, or else of their last change. They come in the order of
	// these numbers, at most limit of them. One that was added before upTo is among them even where its last change
	// is behind it.
	ChangedMessages(ctx context.Context, user, conversation kyro.ID, after, upTo int64, limit int) ([]kyro.ChangedMessage, error)
}

// Wakes tells those who follow a conversation that something in it has changed. It may lose wakes, since they look by
// themselves as well, and seldom where it is Connected.
type Wakes interface {
	// Wake is called after each write of such a change. It never waits.
	Wake(conversation kyro.ID)
	// Watch gives a channel that has something to receive once the conversation was woken since the last time, or
	// since the call. stop must be called.
	Watch(conversation kyro.ID) (woken <-chan struct{}, stop func())
	// Connected reports whether the wakes of all other processes on the same data arrive as well.
	Connected() bool
}

// Job is what one attempt works on.
type Job = kyro.AnswerJob

// Index finds passages of a bot.
type Index interface {
	// SearchWords ranks live chunks of the bot by BM25 over the terms; any term may match.
	SearchWords(ctx context.Context, bot kyro.ID, terms []string, limit int) (kyro.LexicalResult, error)
	// Passages reads those of the chunks that are live now (document not deleted, version active, chunk enabled)
	// as passages without rank, in any order.
	Passages(ctx context.Context, bot kyro.ID, chunks []kyro.ID) ([]kyro.Passage, error)
	// LiveChunks gives those of the chunks that Passages would read, in any order.
	LiveChunks(ctx context.Context, bot kyro.ID, chunks []kyro.ID) ([]kyro.ID, error)
	// StaleChunks reads those of the chunks that are not live although their document is, in any order: of a version
	// that is not the active one, or switched off.
	StaleChunks(ctx context.Context, bot kyro.ID, chunks []kyro.ID) ([]kyro.Chunk, error)
	// Languages gives the languages of the bot's live documents, most chunks first.
	Languages(ctx context.Context, bot kyro.ID) ([]string, error)
}

// Vectors finds chunks of a bot by embedding, best first. Hits may be stale: they are checked against live rows.
type Vectors interface {
	SearchVectors(ctx context.Context, bot kyro.ID, query []float32, limit int) ([]kyro.VectorHit, error)
}

// Embedder turns a question into a vector. Lexical reports that the vectors compare letters rather than meaning,
// so that their ranks weigh little and their similarities are not shown.
type Embedder interface {
	EmbedQuestion(ctx context.Context, text string) ([]float32, error)
	Lexical() bool
}

// Model writes answers: from the prompt's fields, or from its words where there is a Completer. The last delta carries Finish; an error or a sequence that ends without Finish is a
// failed or cut answer. A sequence ends soon after ctx is done.
type Model interface {
	Answer(ctx context.Context, p kyro.Prompt) iter.Seq2[kyro.Delta, error]
}

// Completer writes short texts at once: a question put another way, a title. A call ends soon after ctx is done.
type Completer interface {
	Complete(ctx context.Context, c kyro.Completion) (kyro.Completed, error)
}

// Limiter counts how often things are done.
type Limiter interface {
	// Take counts one more under the key, if the rate allows it, and says so.
	Take(ctx context.Context, key string, rate kyro.Rate) (kyro.Allowance, error)
}

// Signals reach the other nodes, as long as that lasts: the row is what counts, and is looked at in any case.
type Signals interface {
	// Stop tells the other nodes that someone asked the answer to stop. It never waits.
	Stop(message kyro.ID)
	// Connected reports whether signals of other nodes arrive now.
	Connected() bool
}

// Log carries the events of running answers to their readers. It is the wire; the row is the truth.
type Log interface {
	// Append adds events of an attempt, whose seqs go on without a gap. A new attempt starts the stream anew. A
	// seq that is there already changes nothing. CONFLICT for an older attempt, for a gap, and for anything new
	// after the end. Only an end may come with a gap or in the place of other events, since who ends a lost
	// attempt knows the row alone: the log then keeps nothing else.
	Append(ctx context.Context, message kyro.ID, entries ...kyro.LogEntry) error
	// Read gives the events of the attempt after seq. Where there are none it waits until one comes or ctx is
	// done, which is its error then; so it does after seq 0 where there is no log yet. known is false, at once,
	// where a newer attempt has begun, where events after seq were dropped, where seq is the attempt's end or
	// beyond it, and after any other seq where there is no log: the reader then goes to the row.
	Read(ctx context.Context, message kyro.ID, attempt, seq int64) (entries []kyro.LogEntry, known bool, err error)
	// Snapshot gives the newest attempt's text and place as the log has it; known is false where it has none.
	Snapshot(ctx context.Context, message kyro.ID) (s kyro.StreamSnapshot, known bool, err error)
}
