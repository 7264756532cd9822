package eval

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// askAll asks the questions, several at once, and gives what came of those that were asked to the end, in their order.
func (r *run) askAll(ctx context.Context, questions []Question) ([]Outcome, error) {
	r.progress.begin("questions asked", len(questions))
	defer r.progress.done()
	asked := make([]*Outcome, len(questions))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(r.options.Concurrency)
	for i := range questions {
		group.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			o, err := r.askOne(ctx, &questions[i])
			if ctx.Err() != nil { // what came of it tells of us
				return ctx.Err()
			}
			if err != nil {
				return err
			}
			asked[i] = o
			r.progress.step()
			return nil
		})
	}
	err := group.Wait()
	var outcomes []Outcome
	for _, o := range asked {
		if o != nil {
			outcomes = append(outcomes, *o)
		}
	}
	return outcomes, err
}

// askOne searches and asks one question. The error is one after which asking more makes no sense.
func (r *run) askOne(ctx context.Context, q *Question) (*Outcome, error) {
	o := &Outcome{
		Number: q.number, Language: q.Language, Text: q.Text, Unanswerable: q.Unanswerable, FollowUp: len(q.History) > 0,
		Passages: len(q.Passages),
	}
	if len(q.Passages) > 0 && !o.FollowUp { // a search knows no history
		found, err := r.search(ctx, q)
		if misunderstood(err) {
			return nil, fmt.Errorf("retrieval cannot be measured, since the server does not search (Bot.search): %w", err)
		}
		if err != nil {
			found.Error = codeOf(err)
		}
		o.Search = &found
	}
	if r.options.NoAnswers {
		return o, nil
	}
	answered, err := r.answer(ctx, q)
	if misunderstood(err) {
		return nil, fmt.Errorf("answers cannot be measured: %w", err)
	}
	if err != nil {
		answered = Answered{Error: codeOf(err), Expected: len(q.Answers) > 0}
	}
	o.Answer = &answered
	return o, nil
}

// search asks for passages by the question alone, and ranks the expected among them.
func (r *run) search(ctx context.Context, q *Question) (Searched, error) {
	var found struct {
		Bot struct {
			Search []struct {
				Dropped *string
				Chunk   struct {
					CharStart, CharEnd int
					Document           struct{ ID string }
				}
			}
		}
	}
	began := r.now()
	err := r.do(ctx, `query($bot: ID!, $query: String!, $first: Int!) { bot(id: $bot) { search(query: $query, first: $first) {
		dropped chunk { charStart charEnd document { id } } } } }`,
		map[string]any{"bot": r.bot, "query": q.Text, "first": MaxDepth}, &found)
	s := Searched{Took: r.now().Sub(began), Ranks: make([]int, len(q.Passages))}
	if err != nil {
		return s, err
	}
	var hits []place // of those that are not ruled out, which also take places of a search
	for _, h := range found.Bot.Search {
		// Found is also what an answer would have no room for; the other reasons rule a passage out.
		if h.Dropped != nil && *h.Dropped != "OVER_BUDGET" {
			continue
		}
		hits = append(hits, place{r.number(h.Chunk.Document.ID), span{h.Chunk.CharStart, h.Chunk.CharEnd}})
	}
	hits = hits[:min(r.options.Depth, len(hits))]
	for i, wanted := range q.places {
		s.Ranks[i] = rankOf(wanted, hits)
	}
	return s, nil
}

// answer asks a question after those before it, in a conversation of its own.
func (r *run) answer(ctx context.Context, q *Question) (Answered, error) {
	ctx, cancel := context.WithTimeout(ctx, turnTimeout*time.Duration(1+len(q.History)))
	defer cancel()
	conversation := ""
	for _, before := range q.History {
		t, err := r.turn(ctx, conversation, before)
		if err != nil {
			return Answered{}, err
		}
		conversation = t.conversation
	}
	t, err := r.turn(ctx, conversation, q.Text)
	if err != nil {
		return Answered{}, err
	}
	m, err := r.message(ctx, t.message)
	if err != nil {
		return Answered{}, err
	}
	return r.judge(q, t, m), nil
}

// turn is one question with its answer, as its reader sees it.
type turn struct {
	conversation, message string
	first, total          time.Duration // from before the question was sent to the first text, and to the end
}

const stream = `subscription($id: ID!) { messageStream(messageId: $id) {
	__typename ... on MessageSnapshot { message { text } } ... on MessageDelta { text } ... on MessageFinished { message { text } }
} }`

func (r *run) turn(ctx context.Context, conversation, question string) (turn, error) {
	in := input{"text": question, "clientMessageId": rand.Text()}
	if conversation == "" {
		in["botId"] = r.bot
	} else {
		in["conversationId"] = conversation
	}
	var sent struct {
		SendMessage struct {
			Conversation, BotMessage struct{ ID string }
			payload
		}
	}
	began := r.now()
	err := r.do(ctx, `mutation($input: SendMessageInput!) {
		sendMessage(input: $input) { conversation { id } botMessage { id } errors { code message } }
	}`, in.variables(), &sent)
	if err = errors.Join(err, sent.SendMessage.err()); err != nil {
		return turn{}, err
	}
	t := turn{conversation: sent.SendMessage.Conversation.ID, message: sent.SendMessage.BotMessage.ID}
	for data, err := range r.api.Subscribe(ctx, stream, map[string]any{"id": t.message}) {
		if err != nil {
			return turn{}, err
		}
		var event struct {
			MessageStream struct {
				Typename string `json:"__typename"`
				Text     string
				Message  struct{ Text string }
			}
		}
		if err := json.Unmarshal(data, &event); err != nil {
			return turn{}, fmt.Errorf("follow the answer: %w", err)
		}
		e := event.MessageStream
		if t.first == 0 && e.Text+e.Message.Text != "" {
			t.first = r.now().Sub(began)
		}
		if e.Typename == "MessageFinished" {
			t.total = r.now().Sub(began)
			return t, nil
		}
	}
	return turn{}, errors.New("the stream ended without the finished answer")
}

// message is a finished answer as it is stored.
type message struct {
	Text, Status string
	Grounding    *string
	Notices      []string
	Error        *struct{ Code string }
	Usage        *struct{ PromptTokens, OutputTokens int }
	Citations    []citation
}

func (r *run) message(ctx context.Context, id string) (message, error) {
	var got struct{ Message message }
	err := r.do(ctx, `query($id: ID!) { message(id: $id) {
		text status grounding notices error { code } usage { promptTokens outputTokens }
		citations { quote charStart charEnd pageStart pageEnd documentVersion document { id } chunk { charStart charEnd } }
	} }`, map[string]any{"id": id}, &got)
	return got.Message, err
}

// judge compares an answer to what was expected.
func (r *run) judge(q *Question, t turn, m message) Answered {
	a := Answered{
		Completed: m.Status == "COMPLETED", Said: m.Text, Notices: m.Notices, Total: t.total,
		Expected: len(q.Answers) > 0, CitedPassages: make([]bool, len(q.Passages)),
	}
	if t.first > 0 {
		a.FirstToken = &t.first
	}
	if m.Grounding != nil {
		a.Grounding = *m.Grounding
	}
	if m.Usage != nil {
		a.Tokens = &Tokens{m.Usage.PromptTokens, m.Usage.OutputTokens}
	}
	switch {
	case m.Error != nil:
		a.Error = m.Error.Code
	case !a.Completed:
		a.Error = m.Status
	}
	a.Right = a.Completed && contains(m.Text, q.Answers)
	var cited []place
	for _, c := range m.Citations {
		d := r.number(c.Document.ID)
		if d < 0 {
			a.Citations = append(a.Citations, WrongDocument)
			continue
		}
		a.Citations = append(a.Citations, c.check(r.documents[d]))
		at := span{c.CharStart, c.CharEnd}
		if c.Chunk != nil {
			at = span{c.Chunk.CharStart, c.Chunk.CharEnd}
		}
		cited = append(cited, place{d, at})
	}
	for i, wanted := range q.places {
		a.CitedPassages[i] = rankOf(wanted, cited) > 0
	}
	return a
}
