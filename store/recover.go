package store

import (
	"context"
	"encoding/json"
	"time"

	"kyrochat/kyro"
)

// maxLost ends an answer whose attempts were lost so often, and never wrote a word: the next try would take its
// process down as well. Attempts that were given back are not counted.
const maxLost = 5

// Recover looks for attempts whose lease is over: those without text become PENDING again, the others INTERRUPTED
// with the text they have, or STOPPED where someone asked for that. Any number of nodes may call it at once: each
// message is ended by one of them. With everything, leases of any age are taken as over.
func (s *Store) Recover(ctx context.Context, now time.Time, everything bool) (ended []kyro.Message, waiting []kyro.ID, err error) {
	now = kyro.Moment(now)
	cut, err := json.Marshal(kyro.MessageError{
		Code: kyro.CodeInterrupted, Message: "The answer was cut off when its server stopped. Ask for it again.", Retryable: true,
	})
	if err != nil {
		return nil, nil, err
	}
	err = s.write(ctx, "recover lost answers", func(ctx context.Context, tx *writeTx) error {
		var rows []messageRow
		lapsed := running
		var args []any
		if !everything {
			lapsed += " AND lease_until <= ?"
			args = append(args, now)
		}
		ending := unfinished + " AND (stop_requested AND status = 'PENDING' OR " + lapsed + ")"
		talks, err := s.lockConversations(ctx, tx, tx.NewSelect().Table("messages").Column("conversation_id").Where(ending, args...))
		if err != nil {
			return err
		}
		err = tx.NewUpdate().Model(&rows).
			Set("error = CASE WHEN stop_requested THEN error ELSE ? END", string(cut)).
			Set("finish_reason = CASE WHEN stop_requested THEN ? ELSE ? END", kyro.FinishUser, kyro.FinishInterrupted).
			Set("status = CASE WHEN stop_requested THEN ? ELSE ? END", kyro.MessageStopped, kyro.MessageInterrupted).
			Set("completed_at = ?", now).Set("lease_owner = ''").Set("lease_until = NULL").
			Set("seq = seq + 1"). // the end is an event of its own, behind what a reader may have
			Where("conversation_id IN (?)", talks).Where(unfinished).
			Where("stop_requested AND status = 'PENDING' OR "+lapsed+" AND (text <> '' OR stop_requested OR lost + 1 >= ?)",
				append(args, maxLost)...).
			Returning("*").Scan(ctx)
		if err != nil {
			return err
		}
		ended = convert(rows, (*messageRow).noun)
		var again []int64
		err = tx.NewUpdate().Table("messages").Apply(pendingAgain).Set("lost = lost + 1").
			Where("conversation_id IN (?)", talks).Where(lapsed, args...).Where("text = ''").Returning("id").Scan(ctx, &again)
		if err != nil {
			return err
		}
		if err := numberChanges(ctx, tx, append(again, convert(rows, func(r *messageRow) int64 { return r.ID })...)); err != nil {
			return err
		}
		var heads []int64
		err = tx.NewSelect().TableExpr("messages AS m").Join("JOIN conversations AS c ON c.id = m.conversation_id AND c.deleted_at IS NULL").
			ColumnExpr("DISTINCT m.conversation_id").Where("m.status = 'PENDING'").Where("m."+unfinished).
			Where("NOT EXISTS (SELECT 1 FROM messages AS r WHERE r.conversation_id = m.conversation_id AND r."+running+" AND r."+unfinished+")").
			OrderExpr("m.conversation_id").Scan(ctx, &heads)
		waiting = convert(heads, func(key *int64) kyro.ID { return kyro.ConversationID(*key) })
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return ended, waiting, nil
}
