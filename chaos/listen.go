package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"kyrochat/client"
	"kyrochat/kyro"
)

// heard is what somebody who followed an answer was shown of it.
type heard struct {
	answer         string
	shown          string // before the end: the last snapshot and what came behind it
	text, status   string // of the stored message that the end brought
	attempt, ended int64  // of what was shown, and of the end
	returns        int    // how often the stream broke off and was gone on with
}

// ears keep what was heard. They are safe for use by many at once.
type ears struct {
	mu   sync.Mutex
	list []heard
}

func (e *ears) add(h heard) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, h)
}

const listenQuery = `subscription($id: ID!, $after: StreamCursor) { messageStream(messageId: $id, after: $after) { __typename
	... on MessageSnapshot { seq cursor message { text } }
	... on MessageDelta { seq cursor text }
	... on MessageStage { seq cursor }
	... on MessageFinished { seq cursor message { text status } } } }`

// streamed is an event of an answer.
type streamed struct {
	MessageStream struct {
		Type    string `json:"__typename"`
		Seq     int64
		Cursor  string
		Text    string
		Message struct{ Text, Status string }
	}
}

// listen follows an answer to its end, and comes back with its cursor, at any server, whenever the stream breaks off. What
// it is shown has to go on without a gap.
func (p *person) listen(ctx context.Context, answer string) (heard, error) {
	h := heard{answer: answer}
	var cursor string
	var seq int64
	for until := time.Now().Add(workPatience); ; h.returns++ {
		variables := map[string]any{"id": answer}
		if cursor != "" {
			variables["after"] = cursor
		}
		var ended error
		token := p.session.access()
		for raw, err := range p.any().Subscribe(ctx, listenQuery, variables) {
			if err != nil {
				ended = err
				break
			}
			var e streamed
			if err := json.Unmarshal(raw, &e); err != nil {
				return h, err
			}
			event := e.MessageStream
			place, err := kyro.ParseStreamCursor(event.Cursor)
			if err != nil {
				return h, fmt.Errorf("the cursor of an event of %s: %w", answer, err)
			}
			switch event.Type {
			case "MessageFinished":
				h.text, h.status, h.ended = event.Message.Text, event.Message.Status, place.Attempt
				return h, nil
			case "MessageSnapshot":
				h.shown = event.Message.Text
			default:
				if event.Seq != seq+1 {
					return h, fmt.Errorf("the stream of %s went on from %d with %d", answer, seq, event.Seq)
				}
				h.shown += event.Text
			}
			seq, cursor, h.attempt = event.Seq, event.Cursor, place.Attempt
		}
		switch {
		case ctx.Err() != nil:
			return h, ctx.Err()
		case ended == nil:
			return h, fmt.Errorf("the stream of %s ended without its end", answer)
		case expired(ended):
			if err := p.renew(ctx, token); err != nil {
				return h, err
			}
		case !comesBack(ended):
			return h, fmt.Errorf("the stream of %s: %w", answer, ended)
		case time.Now().After(until):
			return h, fmt.Errorf("the stream of %s has no end after %s, at last: %w", answer, workPatience, ended)
		}
		if err := pause(ctx, p.dice.between(retryFrom, retryTo)); err != nil {
			return h, err
		}
	}
}

// comesBack says whether a client that lost a stream goes on with it.
func comesBack(err error) bool {
	if closed, ok := errors.AsType[*client.CloseError](err); ok {
		return closed.Code < 4400
	}
	return passing(err)
}

// checkHeard compares what readers were shown with what is stored: the end is what is stored, and before it they were shown
// the beginning of that. Of an answer that died with its server they may have seen up to a second more.
func (r *round) checkHeard(ctx context.Context, d *data, list []heard) error {
	texts := map[int64]string{}
	rows, err := d.db.QueryContext(ctx, `SELECT id, text FROM messages WHERE role = 'BOT'`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var text string
		if err := rows.Scan(&id, &text); err != nil {
			return err
		}
		texts[id] = text
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, h := range list {
		stored, found := texts[key(h.answer)]
		switch {
		case !found:
			r.violated("the answer %s was followed to its end, and is not stored", h.answer)
		case stored != h.text:
			r.violated("the end of the answer %s was told as %q, and stored is %q", h.answer, h.text, stored)
		case strings.HasPrefix(stored, h.shown), h.attempt != h.ended:
		case strings.HasPrefix(h.shown, stored) && h.status == "INTERRUPTED":
			r.count("readers who had seen more than was left of an answer when its server died", 1)
		default:
			r.violated("of the answer %s, %s, was shown %q, and stored is %q", h.answer, h.status, h.shown, stored)
		}
		if h.returns > 0 {
			r.count("returns to streams that broke off", h.returns)
		}
	}
	r.count("answers followed to their end", len(list))
	return nil
}

// checkFailed gives the answers that failed, apart from those that failed for an allowed code.
func (r *round) checkFailed(ctx context.Context, d *data, allowed ...string) error {
	rows, err := d.db.QueryContext(ctx, `SELECT id, attempt, text, cast(error AS text) FROM messages WHERE status = 'FAILED'`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id, attempt int64
		var text, said string
		if err := rows.Scan(&id, &attempt, &text, &said); err != nil {
			return err
		}
		var why struct{ Code string }
		if err := json.Unmarshal([]byte(said), &why); err != nil {
			return fmt.Errorf("the error of answer %d: %w", id, err)
		}
		fine := false
		for _, code := range allowed {
			fine = fine || code == why.Code
		}
		if fine {
			r.count("answers that failed with "+why.Code, 1)
		} else {
			r.violated("the answer %d failed in attempt %d behind %q: %s", id, attempt, text, said)
		}
	}
	return rows.Err()
}
