package store

import (
	"context"
	"database/sql"
	"errors"

	"kyrochat/kyro"
)

// RateMessage writes the feedback of a final answer in the user's live conversations, or takes it back where it is nil.
// Those who follow the conversation are told of it. NOT_FOUND where there is none, CONFLICT while it is not final.
func (s *Store) RateMessage(ctx context.Context, user, id kyro.ID, feedback *kyro.Feedback) (kyro.Message, error) {
	err := s.write(ctx, "rate the answer", func(ctx context.Context, tx *writeTx) error {
		number, err := nextEvent(ctx, tx, "id = (SELECT conversation_id FROM messages WHERE id = ? AND role = ?) AND user_id = ? AND deleted_at IS NULL",
			id.Key, kyro.RoleBot, user.Key)
		if err != nil {
			return err
		}
		if number == unnumbered {
			return kyro.NotFound(kyro.KindMessage)
		}
		r := messageRow{ID: id.Key, Feedback: feedback, Changed: number}
		err = tx.NewUpdate().Model(&r).Column("feedback", "changed").WherePK().Where("NOT (" + unfinished + ")").
			Returning("created_at, completed_at, conversation_id, parent_id, superseded, grounding").Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) || err == nil && r.ConversationID == 0 {
			return kyro.Errorf(kyro.CodeConflict, "The answer is not final yet. Rate it when it is.")
		}
		if err != nil {
			return err
		}
		if err := tx.recount(ctx, r.ConversationID, r.CreatedAt); err != nil {
			return err
		}
		return tx.weigh(ctx, &r)
	})
	if err != nil {
		return kyro.Message{}, err
	}
	return s.Message(ctx, user, id)
}
