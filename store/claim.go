package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// ClaimNext takes the oldest PENDING answer of a conversation in which none is running, and starts a new attempt.
//
// One statement decides, for any number of nodes: it takes the oldest unfinished answer, and only while that is
// PENDING. Answers become unfinished in the order of their ids and leave that state for good, so a running one is
// always the oldest. One that was asked to stop is left for Recover to end. The claim's Until is the caller's to set.
func (s *Store) ClaimNext(
	ctx context.Context, conversation kyro.ID, owner string, lease time.Duration,
) (claim kyro.Claim, found bool, err error) {
	err = s.write(ctx, "claim an answer", func(ctx context.Context, tx *writeTx) error {
		found = false
		var r messageRow
		number, err := nextEvent(ctx, tx, "id = ? AND EXISTS (SELECT 1 FROM messages AS m WHERE m.conversation_id = conversations.id AND m.status = 'PENDING' AND m."+unfinished+")",
			conversation.Key)
		if err != nil || number == unnumbered {
			return err
		}
		until, shift := s.byClock(lease)
		oldest := tx.NewSelect().Table("messages").ColumnExpr("MIN(id)").
			Where("conversation_id = ?", conversation.Key).Where(unfinished)
		err = tx.NewUpdate().Model(&r).
			Set("status = ?", kyro.MessageRetrieving).Set("changed = ?", number).Set("attempt = attempt + 1").Set("seq = 0").
			Set("lease_owner = ?", owner).Set("lease_until = "+until, shift...).
			Where("id = (?)", oldest).Where("status = ? AND NOT stop_requested", kyro.MessagePending).
			Returning("*").Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) || err == nil && r.ID == 0 {
			return errNothing
		}
		found = err == nil
		claim = kyro.Claim{
			MessageID: kyro.MessageID(r.ID), ConversationID: conversation, Attempt: r.Attempt, Owner: owner, Restarted: r.Restarted,
			Trace: orNone(r.Trace),
		}
		return err
	})
	if errors.Is(err, errNothing) {
		return kyro.Claim{}, false, nil
	}
	if err != nil || !found {
		return kyro.Claim{}, false, err
	}
	return claim, true, nil
}

// errNothing undoes a write that found nothing to do.
var errNothing = errors.New("there is nothing to do")

// fenced changes the running message of a claim and reads it as it is then; CONFLICT where the claim is lost.
func fenced(ctx context.Context, tx *writeTx, claim kyro.Claim, change func(*bun.UpdateQuery) *bun.UpdateQuery) (*messageRow, error) {
	r := new(messageRow)
	err := tx.NewUpdate().Model(r).Apply(change).
		Where("id = ? AND attempt = ? AND lease_owner = ?", claim.MessageID.Key, claim.Attempt, claim.Owner).Where(running).
		Returning("*").Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) || err == nil && r.ID == 0 {
		return nil, claimLost()
	}
	return r, err
}

func claimLost() error {
	return kyro.Errorf(kyro.CodeConflict, "This attempt at the answer is over: it was ended or taken over.")
}

// Finish stores the end of the attempt in one fact: text, citations, how it came about, and what it took.
func (s *Store) Finish(ctx context.Context, claim kyro.Claim, o kyro.Outcome) (kyro.Message, error) {
	var message kyro.Message
	end := messageRow{
		Status: o.Status, Text: clean(o.Text), Seq: o.Seq, Grounding: o.Grounding, Notices: orEmpty(o.Notices),
		Usage: o.Usage, Error: o.Error, CompletedAt: stampOrNil(o.Now), Sources: sourceKeys(o.Sources),
	}
	columns := []string{"changed", "status", "text", "seq", "grounding", "finish_reason", "notices", "usage", "error", "completed_at"}
	if end.Sources != nil {
		columns = append(columns, "sources")
	}
	if o.FinishReason != "" {
		end.FinishReason = &o.FinishReason
	}
	err := s.write(ctx, "store the answer", func(ctx context.Context, tx *writeTx) error {
		r := end
		number, err := nextEvent(ctx, tx, "id = ?", claim.ConversationID.Key)
		if err != nil {
			return err
		}
		r.Changed = number
		result, err := tx.NewUpdate().Model(&r).
			Column(columns...).
			Where("id = ? AND attempt = ? AND lease_owner = ?", claim.MessageID.Key, claim.Attempt, claim.Owner).Where(running).
			Returning("*, EXISTS (SELECT 1 FROM gap_questions AS g WHERE g.message_id = parent_id) AS noted").Exec(ctx)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if result == nil || r.ID == 0 {
			return claimLost()
		}
		rows := make([]citationRow, len(o.Citations))
		for i := range o.Citations {
			rows[i] = rowOfCitation(r.ID, i, &o.Citations[i])
		}
		if len(rows) > 0 {
			if _, err := tx.NewInsert().Model(&rows).Exec(ctx); err != nil {
				return err
			}
		}
		message = r.noun()
		message.Citations = convert(rows, (*citationRow).noun)
		if r.Status == kyro.MessageCompleted && (r.Noted || r.Grounding != nil && *r.Grounding == kyro.GroundingNotFound) {
			if err := tx.weigh(ctx, &r); err != nil {
				return err
			}
		}
		return s.settle(ctx, tx, o.Now, settlement{message: &r, begun: true})
	})
	return message, err
}

// Release gives an attempt back that its node cannot go on with, so that another one can take the answer at once.
// With restart what was written is given up for it, which happens once; else nothing may have been written. CONFLICT
// where that is not so, where the answer was asked to stop after it wrote, and where the claim is lost.
func (s *Store) Release(ctx context.Context, claim kyro.Claim, restart bool) error {
	return s.write(ctx, "give the answer back", func(ctx context.Context, tx *writeTx) error {
		number, err := nextEvent(ctx, tx, "id = ?", claim.ConversationID.Key)
		if err != nil {
			return err
		}
		_, err = fenced(ctx, tx, claim, func(q *bun.UpdateQuery) *bun.UpdateQuery {
			q = q.Apply(pendingAgain).Set("changed = ?", number)
			if restart {
				return q.Apply(restarted).Where("NOT restarted AND NOT stop_requested")
			}
			return q.Where("text = ''")
		})
		return err
	})
}

func pendingAgain(q *bun.UpdateQuery) *bun.UpdateQuery {
	return q.Set("status = ?", kyro.MessagePending).Set("seq = 0").Set("lease_owner = ''").Set("lease_until = NULL")
}

func restarted(q *bun.UpdateQuery) *bun.UpdateQuery {
	return q.Set("text = ''").Set("restarted = ?", true)
}

// RequestStop asks for a message to stop. A PENDING one is final at once (STOPPED, no text); a final one stays as
// it is. The message is given as it is afterwards.
func (s *Store) RequestStop(ctx context.Context, user, id kyro.ID, now time.Time) (kyro.Message, error) {
	err := s.write(ctx, "stop the answer", func(ctx context.Context, tx *writeTx) error {
		number, err := nextEvent(ctx, tx, "id = (SELECT conversation_id FROM messages WHERE id = ? AND "+unfinished+") AND user_id = ? AND deleted_at IS NULL",
			id.Key, user.Key)
		if err != nil || number == unnumbered {
			return err
		}
		ended, err := stopAnswers(ctx, tx, now, number, "id = ?", id.Key)
		if err != nil {
			return err
		}
		return s.settle(ctx, tx, now, ended...)
	})
	if err != nil {
		return kyro.Message{}, err
	}
	return s.Message(ctx, user, id)
}
