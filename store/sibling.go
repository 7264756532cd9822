package store

import (
	"context"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// SaveSibling stores a new PENDING answer to the user message that the bot message answers, and marks the older
// ones superseded. VALIDATION where the message is a user's, CONFLICT where it or another answer to the same user
// message is not final yet, LIMIT_REACHED where it has as many as may be. The clientMessageId, which may be empty,
// works as in SaveTurn. BUDGET_EXCEEDED where it may take more than is left of a budget.
func (s *Store) SaveSibling(
	ctx context.Context, sender, message kyro.ID, clientMessageID string, maxWaiting int, now time.Time, charge kyro.Charge,
) (kyro.Turn, error) {
	now = kyro.Moment(now)
	var turn kyro.Turn
	err := s.write(ctx, "store the new answer", func(ctx context.Context, tx *writeTx) error {
		c, former, question, err := s.lockAnswer(ctx, tx, sender, message)
		if err != nil {
			return err
		}
		superseded := c.next()
		answer := pendingAnswer(c, question, sender, now)
		answer.KeyID = keyOrNil(charge.KeyID)
		answer.Trace = traceOf(ctx)
		if err := insertOnce(ctx, tx, &answer, clientMessageID); err != nil {
			return err
		}
		if err := checkSiblings(ctx, tx, former, answer.ID); err != nil {
			return err
		}
		waiting, err := tx.NewSelect().Table("messages").Where("conversation_id = ? AND id <> ?", c.ID, answer.ID).Where(unfinished).Count(ctx)
		if err != nil {
			return err
		}
		if err := checkWaiting(int(waiting), maxWaiting); err != nil {
			return err
		}
		result, err := tx.NewUpdate().Table("messages").Set("superseded = ?", true).Set("changed = ?", superseded).
			Where("parent_id = ? AND id <> ? AND NOT superseded", question.ID, answer.ID).Exec(ctx)
		if err != nil {
			return err
		}
		hidden, err := result.RowsAffected()
		if err != nil {
			return err
		}
		c.said(1-int(hidden), now)
		_, err = tx.NewUpdate().Model(c).Column("message_count", "last_message_at", "updated_at", "events").WherePK().Exec(ctx)
		if err != nil {
			return err
		}
		if err := s.holdSibling(ctx, tx, c, question, &answer, charge); err != nil {
			return err
		}
		turn = kyro.Turn{Conversation: c.noun(), User: question.noun(), Bot: answer.noun()}
		return nil
	})
	if errors.Is(err, errRepeated) {
		return s.repeatedSibling(ctx, sender, message, clientMessageID)
	}
	return turn, err
}

// holdSibling holds what an answer that is stored may take of the budgets that it goes on.
func (s *Store) holdSibling(ctx context.Context, tx *writeTx, c *conversationRow, question, answer *messageRow, charge kyro.Charge) error {
	limited := !s.serverLimits().None()
	if !limited {
		var err error
		if limited, err = tx.NewSelect().Table("budgets").Where("owner_id = ?", answer.SenderID).Exists(ctx); err != nil || !limited {
			return err
		}
	}
	var bot botRow
	if err := tx.NewSelect().Model(&bot).Where("b.id = ?", c.BotID).Scan(ctx); err != nil {
		return notFound(err, kyro.KindBot)
	}
	asked := charge.Of(bot.noun(), question.Text, c.MessageCount <= 2)
	p := &pipeline{s: s, pg: tx.pg, lite: tx.Tx.Tx, begun: true}
	held, err := s.reserve(ctx, p, kyro.UserID(answer.SenderID), kyro.BotID(c.BotID), charge.KeyID.Key, asked, answer.CreatedAt)
	if err != nil || held == nil {
		return err
	}
	answer.Held = held
	_, err = tx.NewUpdate().Model(answer).Column("held").WherePK().Exec(ctx)
	return err
}

// lockAnswer locks the sender's conversation that holds the bot message, and reads the message and its question.
func (s *Store) lockAnswer(
	ctx context.Context, tx *writeTx, sender, message kyro.ID,
) (c *conversationRow, answer, question *messageRow, err error) {
	c, answer, question = new(conversationRow), new(messageRow), new(messageRow)
	holds := tx.NewSelect().Table("messages").Column("conversation_id").Where("id = ?", message.Key)
	err = s.lock(tx.NewSelect().Model(c).
		Where("c.id = (?) AND c.user_id = ? AND c.deleted_at IS NULL", holds, sender.Key)).Scan(ctx)
	if err != nil {
		return nil, nil, nil, notFound(err, kyro.KindMessage)
	}
	if err := tx.NewSelect().Model(answer).Where("m.id = ?", message.Key).Scan(ctx); err != nil {
		return nil, nil, nil, notFound(err, kyro.KindMessage)
	}
	if answer.ParentID == nil {
		return nil, nil, nil, kyro.Invalid("messageId", "Only answers can be made again; this message is your own.")
	}
	if err := tx.NewSelect().Model(question).Where("m.id = ?", *answer.ParentID).Scan(ctx); err != nil {
		return nil, nil, nil, notFound(err, kyro.KindMessage)
	}
	return c, answer, question, nil
}

// checkSiblings answers CONFLICT while an answer to the same message, other than except, is not final, and
// LIMIT_REACHED where there are as many as may be.
func checkSiblings(ctx context.Context, tx *writeTx, former *messageRow, except int64) error {
	others := func() *bun.SelectQuery {
		return tx.NewSelect().Table("messages").
			Where("conversation_id = ? AND parent_id = ? AND id <> ?", former.ConversationID, *former.ParentID, except)
	}
	making, err := others().Where(unfinished).Exists(ctx)
	if err != nil {
		return err
	}
	if making {
		return kyro.Errorf(kyro.CodeConflict, "An answer to this message is being made. Wait for its end, or stop it first.")
	}
	if n, err := others().Count(ctx); err != nil || n < kyro.MaxSiblings {
		return err
	}
	return kyro.Errorf(kyro.CodeLimitReached, "A message is answered at most %d times. Send it again as a new one.", kyro.MaxSiblings)
}

func (s *Store) repeatedSibling(ctx context.Context, sender, message kyro.ID, clientMessageID string) (kyro.Turn, error) {
	answer, c, err := s.stored(ctx, sender, clientMessageID)
	if err != nil {
		return kyro.Turn{}, err
	}
	former, question := new(messageRow), new(messageRow)
	err = s.read().NewSelect().Model(former).Where("m.id = ?", message.Key).Scan(ctx)
	if err != nil {
		return kyro.Turn{}, failed("read the former answer", notFound(err, kyro.KindMessage))
	}
	if answer.ParentID == nil || former.ParentID == nil || *answer.ParentID != *former.ParentID {
		return kyro.Turn{}, idempotencyConflict()
	}
	err = s.read().NewSelect().Model(question).Where("m.id = ?", *answer.ParentID).Scan(ctx)
	if err != nil {
		return kyro.Turn{}, failed("read the question", notFound(err, kyro.KindMessage))
	}
	return s.repeated(ctx, c, question, answer)
}
