package store

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

const (
	// maxLost ends an answer whose attempts were lost so often, and never wrote a word: the next try would take its
	// process down as well. Attempts that were given back are not counted.
	maxLost = 5

	recoverAtOnce = 200    // lost answers of one transaction: their texts are read for it
	mostWaiting   = 10_000 // conversations that one call of Recover tells of
)

// cutOff is what the end of a lost answer says, as its column holds it.
var cutOff = func() string {
	why, _ := json.Marshal(kyro.MessageError{
		Code: kyro.CodeInterrupted, Message: "The answer was cut off when its server stopped. Ask for it again.", Retryable: true,
	}) // which cannot fail
	return string(why)
}()

// Recover looks for attempts whose lease is over. Those that someone asked to stop are STOPPED with the text they have;
// those without text become PENDING again; the others are INTERRUPTED with their text, or, where that is wanted and for
// the first time, PENDING without it. It gives what ended, and the conversations in which a PENDING answer waits and
// none is running, those that wait longest first.
//
// Any number of nodes may call it at once: each message is dealt with by one of them, and none waits for another. While
// nothing is lost it only reads.
func (s *Store) Recover(ctx context.Context, r kyro.Recovery) (ended []kyro.Message, waiting []kyro.ID, err error) {
	var lost []int64
	err = s.lost(s.read().NewSelect().Table("messages").Column("id"), r).OrderExpr("id").Scan(ctx, &lost)
	if err != nil {
		return nil, nil, failed("look for lost answers", err)
	}
	for some := range slices.Chunk(lost, recoverAtOnce) {
		var over []messageRow
		err := s.write(ctx, "recover lost answers", func(ctx context.Context, tx *writeTx) (err error) {
			over, err = s.recoverSome(ctx, tx, some, r)
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		ended = append(ended, convert(over, (*messageRow).noun)...)
	}
	var heads []int64
	err = s.read().NewSelect().TableExpr("messages AS m").Join("JOIN conversations AS c ON c.id = m.conversation_id AND c.deleted_at IS NULL").
		Column("m.conversation_id").Where("m.status = 'PENDING'").Where("m."+unfinished).
		Where("NOT EXISTS (SELECT 1 FROM messages AS r WHERE r.conversation_id = m.conversation_id AND r."+running+" AND r."+unfinished+")").
		GroupExpr("m.conversation_id").OrderExpr("MIN(m.id)").Limit(mostWaiting).Scan(ctx, &heads)
	if err != nil {
		return nil, nil, failed("look for waiting answers", err)
	}
	waiting = convert(heads, func(key *int64) kyro.ID { return kyro.ConversationID(*key) })
	return ended, waiting, nil
}

// lost selects the answers that Recover has to do with.
func (s *Store) lost(q *bun.SelectQuery, r kyro.Recovery) *bun.SelectQuery {
	q = q.Where(unfinished)
	if r.Everything {
		return q.Where("stop_requested OR " + running)
	}
	now, shift := s.byClock(0)
	return q.Where("stop_requested AND status = 'PENDING' OR "+running+" AND lease_until <= "+now, shift...)
}

// recoverSome deals with those of the messages that are lost and that no other node is at, and gives what it ended.
func (s *Store) recoverSome(ctx context.Context, tx *writeTx, some []int64, r kyro.Recovery) (over []messageRow, err error) {
	talks, err := s.lockConversations(ctx, tx, some)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		ID                                int64
		StopRequested, Restarted, Written bool
		Lost                              int
	}
	q := s.lost(tx.NewSelect().Table("messages").Where("id IN (?) AND conversation_id IN (?)", bun.List(some), talks), r).
		Column("id", "stop_requested", "restarted", "lost").ColumnExpr("text <> '' AS written").OrderExpr("id")
	if s.postgres() {
		q = q.For("NO KEY UPDATE SKIP LOCKED")
	}
	if err := q.Scan(ctx, &rows); err != nil {
		return nil, err
	}
	var stopped, cut, again, afresh []int64
	for _, m := range rows {
		switch {
		case m.StopRequested:
			stopped = append(stopped, m.ID)
		case m.Restarted:
			cut = append(cut, m.ID)
		case m.Written && r.Restart:
			afresh = append(afresh, m.ID)
		case m.Written || m.Lost+1 >= maxLost:
			cut = append(cut, m.ID)
		default:
			again = append(again, m.ID)
		}
	}
	err = change(ctx, tx, &over, stopped, endAnswer(kyro.MessageStopped, kyro.FinishUser, r))
	if err == nil {
		err = change(ctx, tx, &over, cut, func(q *bun.UpdateQuery) *bun.UpdateQuery {
			return q.Apply(endAnswer(kyro.MessageInterrupted, kyro.FinishInterrupted, r)).Set("error = ?", cutOff)
		})
	}
	if err == nil {
		err = change(ctx, tx, nil, again, func(q *bun.UpdateQuery) *bun.UpdateQuery {
			return q.Apply(pendingAgain).Set("lost = lost + 1")
		})
	}
	if err == nil {
		err = change(ctx, tx, nil, afresh, func(q *bun.UpdateQuery) *bun.UpdateQuery {
			return q.Apply(pendingAgain).Apply(restarted)
		})
	}
	if err == nil {
		err = numberChanges(ctx, tx, slices.Concat(stopped, cut, again, afresh))
	}
	if err == nil {
		ended := make([]settlement, len(over))
		for i := range over {
			ended[i] = settlement{message: &over[i], begun: over[i].Attempt > 0}.lost()
		}
		err = s.settle(ctx, tx, r.Now, ended...)
	}
	return over, err
}

// change changes the messages, if there are any, and adds them as they are then to the rows, where there is room for them.
func change(ctx context.Context, tx *writeTx, add *[]messageRow, messages []int64, how func(*bun.UpdateQuery) *bun.UpdateQuery) error {
	if len(messages) == 0 {
		return nil
	}
	var rows []messageRow
	q := tx.NewUpdate().Model(&rows).Apply(how).Where("id IN (?)", bun.List(messages))
	if add == nil {
		_, err := q.Exec(ctx)
		return err
	}
	err := q.Returning("*").Scan(ctx)
	*add = append(*add, rows...)
	return err
}

// endAnswer makes messages final. The end is an event of its own, behind what a reader may have.
func endAnswer(status kyro.MessageStatus, reason kyro.FinishReason, r kyro.Recovery) func(*bun.UpdateQuery) *bun.UpdateQuery {
	return func(q *bun.UpdateQuery) *bun.UpdateQuery {
		return q.Set("status = ?", status).Set("finish_reason = ?", reason).Set("completed_at = ?", kyro.Moment(r.Now)).
			Set("lease_owner = ''").Set("lease_until = NULL").Set("seq = seq + 1")
	}
}
