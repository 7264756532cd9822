package export

import (
	"context"

	"kyrochat/kyro"
)

// gapStates are all: those that their owner wants no answer to, and those that are fixed, are kept, too.
var gapStates = []kyro.GapStatus{kyro.GapOpen, kyro.GapChecking, kyro.GapFixed, kyro.GapStillOpen, kyro.GapDismissed}

// gaps are what the bots could not answer, with the messages that asked for it. Where counts change meanwhile, one may be
// missing or there twice.
func (m *making) gaps(ctx context.Context, add func(any) error) error {
	return m.eachBot(ctx, func(b *kyro.Bot) error {
		read := func(req kyro.PageRequest) (kyro.Page[kyro.Gap], error) {
			pages, err := m.Store.GapPages(ctx, m.e.OwnerID, []kyro.ID{b.ID}, kyro.GapFilter{Status: gapStates}, req)
			return pages[b.ID], err
		}
		return eachRow(kyro.GapsOrder, read, func(g *kyro.Gap) error {
			if g.CreatedAt.After(m.e.CreatedAt) {
				return nil
			}
			questions, err := m.gapQuestions(ctx, g)
			if err != nil {
				return err
			}
			c := &g.Check
			err = add(told{
				"id": g.ID.String(), "botId": g.BotID.String(), "status": g.Status, "question": g.Question, "questionMessageId": g.Representative.String(),
				"asked": g.Asked, "unanswered": g.Unanswered, "notFound": g.NotFound, "ratedDown": g.RatedDown, "people": g.People,
				"firstAskedAt": stamp(g.FirstAskedAt), "lastAskedAt": stamp(g.LastAskedAt), "createdAt": stamp(g.CreatedAt), "documentId": idOrNull(g.DocumentID),
				"check": told{
					"total": c.Total, "done": c.Done, "answered": c.Answered, "tokens": c.Tokens, "problem": c.Problem,
					"beganAt": stamped(c.BeganAt), "endedAt": stamped(c.EndedAt),
				},
				"questions": questions,
			})
			if err != nil {
				return err
			}
			return m.more(ctx, 0) // many gaps are seen to be over, too
		})
	})
}

// gapQuestions are the questions of a gap, without their texts: those are in messages.json.
func (m *making) gapQuestions(ctx context.Context, g *kyro.Gap) ([]told, error) {
	list := []told{}
	read := func(req kyro.PageRequest) (kyro.Page[kyro.GapQuestion], error) {
		pages, err := m.Store.GapQuestionPages(ctx, m.e.OwnerID, []kyro.ID{g.ID}, req)
		return pages[g.ID], err
	}
	err := eachRow(kyro.GapQuestionsOrder, read, func(q *kyro.GapQuestion) error {
		if !q.AskedAt.After(m.e.CreatedAt) {
			list = append(list, told{
				"messageId": q.MessageID.String(), "askedAt": stamp(q.AskedAt), "notFound": q.NotFound, "ratedDown": q.RatedDown, "verdict": q.Verdict,
			})
		}
		return nil
	})
	return list, err
}
