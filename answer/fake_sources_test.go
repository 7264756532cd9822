package answer_test

import (
	"context"
	"slices"
	"time"

	"kyrochat/kyro"
)

func (f *fakeStore) Job(ctx context.Context, claim kyro.Claim, history int) (kyro.AnswerJob, error) {
	r, err := f.fenced(ctx, "Job", claim)
	if err != nil {
		return kyro.AnswerJob{}, err
	}
	defer f.mu.Unlock()
	job := kyro.AnswerJob{Question: f.row(r.ParentID).Message}
	job.Bot = f.bot
	job.Bot.ID = f.conversations[r.ConversationID].BotID
	job.History = f.history(r.ConversationID, r.Turn, history)
	return job, nil
}

func (f *fakeStore) history(conversation kyro.ID, turn int64, limit int) (history []kyro.Message) {
	for _, o := range f.rows {
		if o.ConversationID == conversation && o.Turn < turn && o.Status.Final() && o.Text != "" {
			m := o.Message
			if m.Sources = o.sources; slices.ContainsFunc(o.sources, func(id kyro.ID) bool { return f.gone[id] }) {
				m.Text, m.Citations, m.Sources = kyro.AnswerWithdrawn, nil, nil
			}
			history = append(history, m)
		}
	}
	return history[max(0, len(history)-limit):]
}

func (f *fakeStore) History(ctx context.Context, _, conversation kyro.ID, turn int64, limit int) ([]kyro.Message, error) {
	if err := f.enter(ctx, "History"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	return f.history(conversation, turn, limit), nil
}

func (f *fakeStore) LiveChunks(ctx context.Context, _ kyro.ID, chunks []kyro.ID) ([]kyro.ID, error) {
	if err := f.enter(ctx, "LiveChunks"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(chunks), func(id kyro.ID) bool { return f.gone[id] }), nil
}

// withdraw makes chunks such as no answer may be made from any more.
func (f *fakeStore) withdraw(chunks ...kyro.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.gone == nil {
		f.gone = map[kyro.ID]bool{}
	}
	for _, id := range chunks {
		f.gone[id] = true
	}
}

func (f *fakeStore) Retitle(ctx context.Context, conversation kyro.ID, title string, _ time.Time) (bool, error) {
	if err := f.enter(ctx, "Retitle"); err != nil {
		return false, err
	}
	defer f.mu.Unlock()
	f.number()
	c := f.conversations[conversation]
	first := slices.IndexFunc(f.rows, func(r *fakeRow) bool { return r.ConversationID == conversation })
	if c == nil || f.deleted[conversation] || c.Title != kyro.TitleFrom(f.rows[first].Text) {
		return false, nil
	}
	c.Title = title
	return true, nil
}

// sourcesOf gives what the row of an answer says that it is made from.
func (f *fakeStore) sourcesOf(id kyro.ID) []kyro.ID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.row(id).sources
}
