package answer_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"kyrochat/kyro"
)

// fakeStore keeps turns in memory under the rules of answer.Store.
type fakeStore struct {
	mu            sync.Mutex
	conversations map[kyro.ID]*kyro.Conversation
	deleted       map[kyro.ID]bool
	rows          []*fakeRow
	keys          int64
	events        fakeEvents

	bot    kyro.Bot                // of every conversation, aside from its id
	gone   map[kyro.ID]bool        // chunks that are live no more
	bare   bool                    // no bot has documents
	fail   func(call string) error // asked before every call; nil: none fails
	poison string                  // text that cannot be stored

	charged []kyro.Charge // of turns and of answers made anew

	mostRows, mostBytes int            // of one Keep
	writes              map[string]int // calls that changed something
}

type fakeRow struct {
	kyro.Message
	owner     string
	until     time.Time
	stop      bool
	restarted bool
	sources   []kyro.ID
	held      bool // by another transaction
}

func newFakeStore() *fakeStore {
	return &fakeStore{conversations: map[kyro.ID]*kyro.Conversation{}, deleted: map[kyro.ID]bool{}, writes: map[string]int{}}
}

func (f *fakeStore) failing(fail func(call string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

// refuse makes Keep fail for texts that hold this one; none do for "".
func (f *fakeStore) refuse(poison string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.poison = poison
}

// largest is what one Keep brought at the most.
func (f *fakeStore) largest() (rows, bytes int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.mostRows, f.mostBytes
}

// enter begins a call; a call that is let in must be left.
func (f *fakeStore) enter(ctx context.Context, call string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	if f.fail != nil {
		if err := f.fail(call); err != nil {
			f.mu.Unlock()
			return err
		}
	}
	f.writes[call]++
	return nil
}

func (f *fakeStore) count(call string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes[call]
}

func (f *fakeStore) key() int64 { f.keys++; return f.keys }

func (f *fakeStore) row(id kyro.ID) *fakeRow {
	for _, r := range f.rows {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func (f *fakeStore) unfinished(conversation kyro.ID) (rows []*fakeRow) {
	for _, r := range f.rows {
		if r.ConversationID == conversation && !r.Status.Final() {
			rows = append(rows, r)
		}
	}
	return rows
}

func (f *fakeStore) SaveTurn(ctx context.Context, t kyro.NewTurn) (kyro.Turn, error) {
	if err := f.enter(ctx, "SaveTurn"); err != nil {
		return kyro.Turn{}, err
	}
	defer f.mu.Unlock()
	f.charged = append(f.charged, t.Charge)
	for _, r := range f.rows {
		if r.SenderID == t.SenderID && r.ClientMessageID == t.ClientMessageID {
			c := f.conversations[r.ConversationID]
			if r.Text != t.Text || c.ID != t.ConversationID && (!t.ConversationID.IsZero() || c.BotID != t.BotID) {
				return kyro.Turn{}, kyro.Errorf(kyro.CodeIdempotencyConflict, "Sent before with another text.")
			}
			i := slices.IndexFunc(f.rows, func(o *fakeRow) bool { return o.ParentID == r.ID })
			return kyro.Turn{Conversation: *c, User: r.Message, Bot: f.rows[i].Message, Repeated: true}, nil
		}
	}
	c := f.conversations[t.ConversationID]
	switch {
	case t.ConversationID.IsZero():
		c = &kyro.Conversation{ID: kyro.ConversationID(f.key()), BotID: t.BotID, UserID: t.SenderID, Title: t.Title}
		f.conversations[c.ID] = c
	case c == nil || c.UserID != t.SenderID || f.deleted[c.ID]:
		return kyro.Turn{}, kyro.NotFound(kyro.KindConversation)
	}
	if len(f.unfinished(c.ID)) > t.MaxWaiting {
		return kyro.Turn{}, kyro.Errorf(kyro.CodeLimitReached, "Too many wait.")
	}
	user := &fakeRow{Message: kyro.Message{ID: kyro.MessageID(f.key()), ConversationID: c.ID, Role: kyro.RoleUser,
		Status: kyro.MessageCompleted, Text: t.Text, ClientMessageID: t.ClientMessageID, SenderID: t.SenderID, CreatedAt: t.Now}}
	user.Turn = user.ID.Key
	bot := f.answerTo(user, "", t.Now)
	alone := len(f.unfinished(c.ID)) == 0
	f.rows = append(f.rows, user, bot)
	turn := kyro.Turn{Conversation: *c, User: user.Message}
	if t.Owner != "" && alone {
		turn.Claim = bot.claim(t.Owner, t.Lease)
		bot := f.bot
		bot.ID = c.BotID
		turn.Job = &kyro.AnswerJob{Bot: bot, Question: user.Message, Bare: f.bare, Unread: slices.ContainsFunc(f.rows, func(o *fakeRow) bool { return o.ConversationID == c.ID && o.Turn < user.Turn })}
	}
	turn.Bot = bot.Message
	if turn.Claim != nil && t.Begin != nil {
		t.Begin(turn)
	}
	return turn, nil
}

// claim starts an attempt.
func (r *fakeRow) claim(owner string, lease time.Duration) *kyro.Claim {
	r.Status, r.Seq, r.owner, r.until = kyro.MessageRetrieving, 0, owner, time.Now().Add(lease)
	r.Attempt++
	return &kyro.Claim{MessageID: r.ID, ConversationID: r.ConversationID, Attempt: r.Attempt, Owner: owner, Restarted: r.restarted}
}

func (f *fakeStore) answerTo(user *fakeRow, clientMessageID string, now time.Time) *fakeRow {
	return &fakeRow{Message: kyro.Message{ID: kyro.MessageID(f.key()), ConversationID: user.ConversationID, Role: kyro.RoleBot,
		Status: kyro.MessagePending, ParentID: user.ID, SenderID: user.SenderID, Turn: user.Turn, ClientMessageID: clientMessageID, CreatedAt: now}}
}

func (f *fakeStore) SaveSibling(ctx context.Context, sender, message kyro.ID, clientMessageID string, _ int, now time.Time, charge kyro.Charge) (kyro.Turn, error) {
	if err := f.enter(ctx, "SaveSibling"); err != nil {
		return kyro.Turn{}, err
	}
	defer f.mu.Unlock()
	f.charged = append(f.charged, charge)
	former := f.row(message)
	if former == nil || f.conversations[former.ConversationID].UserID != sender {
		return kyro.Turn{}, kyro.NotFound(kyro.KindMessage)
	}
	if former.Role != kyro.RoleBot || !former.Status.Final() {
		return kyro.Turn{}, kyro.Errorf(kyro.CodeConflict, "Not a final answer.")
	}
	user := f.row(former.ParentID)
	bot := f.answerTo(user, clientMessageID, now)
	former.Superseded = true
	f.rows = append(f.rows, bot)
	return kyro.Turn{Conversation: *f.conversations[user.ConversationID], User: user.Message, Bot: bot.Message}, nil
}

func (f *fakeStore) Message(ctx context.Context, user, id kyro.ID) (kyro.Message, error) {
	if err := f.enter(ctx, "Message"); err != nil {
		return kyro.Message{}, err
	}
	defer f.mu.Unlock()
	return f.message(user, id)
}

func (f *fakeStore) message(user, id kyro.ID) (kyro.Message, error) {
	r := f.row(id)
	if r == nil || f.conversations[r.ConversationID].UserID != user || f.deleted[r.ConversationID] {
		return kyro.Message{}, kyro.NotFound(kyro.KindMessage)
	}
	return r.Message, nil
}

func (f *fakeStore) ClaimNext(ctx context.Context, conversation kyro.ID, owner string, lease time.Duration) (kyro.Claim, bool, error) {
	if err := f.enter(ctx, "ClaimNext"); err != nil {
		return kyro.Claim{}, false, err
	}
	defer f.mu.Unlock()
	waiting := f.unfinished(conversation)
	if len(waiting) == 0 || waiting[0].Status != kyro.MessagePending {
		return kyro.Claim{}, false, nil
	}
	return *waiting[0].claim(owner, lease), true, nil
}

// fenced begins a write of an attempt.
func (f *fakeStore) fenced(ctx context.Context, call string, c kyro.Claim) (*fakeRow, error) {
	if err := f.enter(ctx, call); err != nil {
		return nil, err
	}
	r := f.row(c.MessageID)
	if !r.heldBy(c) {
		f.writes[call]--
		f.mu.Unlock()
		return nil, kyro.Errorf(kyro.CodeConflict, "The claim is lost.")
	}
	return r, nil
}

func (r *fakeRow) heldBy(c kyro.Claim) bool {
	return r.Attempt == c.Attempt && r.owner == c.Owner && !r.Status.Final() && r.Status != kyro.MessagePending
}

func (f *fakeStore) Keep(ctx context.Context, lease time.Duration, list []kyro.Keeping) ([]kyro.Kept, error) {
	if err := f.enter(ctx, "Keep"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	bytes := 0
	for _, k := range list {
		if k.State != nil {
			bytes += len(k.State.Text)
		}
	}
	f.mostRows, f.mostBytes = max(f.mostRows, len(list)), max(f.mostBytes, bytes)
	for _, k := range list {
		if k.State != nil && f.poison != "" && strings.Contains(k.State.Text, f.poison) {
			return nil, errors.New("the text is refused")
		}
	}
	kept := make([]kyro.Kept, len(list))
	for i, k := range list {
		r := f.row(k.Claim.MessageID)
		if kept[i].Lost = !r.heldBy(k.Claim); kept[i].Lost || r.held {
			continue
		}
		kept[i].Kept, kept[i].Stop, r.until = true, r.stop, time.Now().Add(lease)
		if k.State != nil && k.State.Seq > r.Seq {
			r.Status, r.Text, r.Seq = k.State.Status, k.State.Text, k.State.Seq
			if k.State.Sources != nil {
				r.sources = k.State.Sources
			}
			f.writes["Checkpoint"]++
		}
	}
	return kept, nil
}

func (f *fakeStore) StopsAsked(ctx context.Context, owner string) (asked []kyro.ID, err error) {
	if err := f.enter(ctx, "StopsAsked"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	for _, r := range f.rows {
		if r.stop && r.owner == owner && !r.Status.Final() {
			asked = append(asked, r.ID)
		}
	}
	return asked, nil
}

func (f *fakeStore) Finish(ctx context.Context, claim kyro.Claim, o kyro.Outcome) (kyro.Message, error) {
	r, err := f.fenced(ctx, "Finish", claim)
	if err != nil {
		return kyro.Message{}, err
	}
	defer f.mu.Unlock()
	r.Status, r.Text, r.Seq, r.Grounding, r.Notices, r.Citations = o.Status, o.Text, o.Seq, o.Grounding, o.Notices, o.Citations
	r.Usage, r.Error, r.FinishReason, r.CompletedAt = o.Usage, o.Error, &o.FinishReason, &o.Now
	if o.Sources != nil {
		r.sources = o.Sources
	}
	return r.Message, nil
}

func (f *fakeStore) Release(ctx context.Context, claim kyro.Claim, restart bool) error {
	r, err := f.fenced(ctx, "Release", claim)
	if err != nil {
		return err
	}
	defer f.mu.Unlock()
	if restart && (r.restarted || r.stop) || !restart && r.Text != "" {
		f.writes["Release"]--
		return kyro.Errorf(kyro.CodeConflict, "It may not be given back.")
	}
	r.again(restart)
	return nil
}

// again makes an answer wait once more, from its beginning where it is restarted.
func (r *fakeRow) again(restart bool) {
	r.Status, r.Seq, r.owner = kyro.MessagePending, 0, ""
	if restart {
		r.Text, r.restarted = "", true
	}
}

func (f *fakeStore) RequestStop(ctx context.Context, user, id kyro.ID, now time.Time) (kyro.Message, error) {
	if err := f.enter(ctx, "RequestStop"); err != nil {
		return kyro.Message{}, err
	}
	defer f.mu.Unlock()
	if _, err := f.message(user, id); err != nil {
		return kyro.Message{}, err
	}
	r := f.row(id)
	switch {
	case r.Status.Final():
	case r.Status == kyro.MessagePending:
		r.end(kyro.MessageStopped, kyro.FinishUser, now)
	default:
		r.stop = true
	}
	return r.Message, nil
}

func (r *fakeRow) end(status kyro.MessageStatus, reason kyro.FinishReason, now time.Time) {
	r.Status, r.FinishReason, r.CompletedAt, r.owner = status, &reason, &now, ""
	r.Seq++
}

func (f *fakeStore) Recover(ctx context.Context, how kyro.Recovery) (ended []kyro.Message, waiting []kyro.ID, err error) {
	if err := f.enter(ctx, "Recover"); err != nil {
		return nil, nil, err
	}
	defer f.mu.Unlock()
	for _, r := range f.rows {
		if r.Status != kyro.MessageRetrieving && r.Status != kyro.MessageStreaming || !how.Everything && r.until.After(time.Now()) {
			continue
		}
		switch {
		case r.stop:
			r.end(kyro.MessageStopped, kyro.FinishUser, how.Now)
			ended = append(ended, r.Message)
		case r.Text != "" && how.Restart && !r.restarted:
			r.again(true)
		case r.Text != "" || r.restarted:
			r.end(kyro.MessageInterrupted, kyro.FinishInterrupted, how.Now)
			ended = append(ended, r.Message)
		default:
			r.again(false)
		}
	}
	for id := range f.conversations {
		if rows := f.unfinished(id); len(rows) > 0 && rows[0].Status == kyro.MessagePending && !f.deleted[id] {
			waiting = append(waiting, id)
		}
	}
	return ended, waiting, nil
}

// edit changes a row behind everybody's back.
func (f *fakeStore) edit(id kyro.ID, change func(r *fakeRow)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f.row(id))
}

// steal gives the claim of a running message to another node.
func (f *fakeStore) steal(id kyro.ID) {
	f.edit(id, func(r *fakeRow) {
		r.owner, r.until = "thief", r.until.Add(time.Hour)
		r.Attempt++
	})
}

// deleteConversation does what deleting one does to its messages.
func (f *fakeStore) deleteConversation(id kyro.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.deleted[id] = true
}
