package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// Job gives what the attempt needs: the bot, the question and the final messages of earlier turns, newest last, at
// most history of them. Failed and superseded answers, and those without text, are left out. An answer of which any source
// is live no more has the text kyro.AnswerWithdrawn: what it says may be in no prompt again, cited or not. CONFLICT where
// the claim is lost, NOT_FOUND where the bot is gone.
func (s *Store) Job(ctx context.Context, claim kyro.Claim, history int) (kyro.AnswerJob, error) {
	job, err := s.job(ctx, claim, history)
	return job, failed("read what the answer needs", err)
}

func (s *Store) job(ctx context.Context, claim kyro.Claim, history int) (kyro.AnswerJob, error) {
	var answer, question messageRow
	var bot botRow
	var job kyro.AnswerJob
	err := s.read().NewSelect().Model(&answer).
		Where("m.id = ? AND m.attempt = ? AND m.lease_owner = ?", claim.MessageID.Key, claim.Attempt, claim.Owner).
		Where("m." + running).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) || err == nil && answer.ParentID == nil {
		return job, claimLost()
	}
	if err != nil {
		return job, err
	}
	err = s.read().NewSelect().Model(&bot).Where("b.deleted_at IS NULL").
		Where("b.id = (SELECT bot_id FROM conversations WHERE id = ? AND deleted_at IS NULL)", answer.ConversationID).Scan(ctx)
	if err != nil {
		return job, notFound(err, kyro.KindBot)
	}
	if err := s.read().NewSelect().Model(&question).Where("m.id = ?", *answer.ParentID).Scan(ctx); err != nil {
		return job, notFound(err, kyro.KindMessage)
	}
	job.Bot, job.Question = bot.noun(), question.noun()
	job.History, err = s.history(ctx, job.Bot.ID, &answer, history)
	return job, err
}

// history reads the messages of the turns before the answer's, oldest first, answers with what they were made from.
func (s *Store) history(ctx context.Context, bot kyro.ID, answer *messageRow, limit int) ([]kyro.Message, error) {
	if limit <= 0 {
		return nil, nil
	}
	var rows []messageRow
	err := s.read().NewSelect().Model(&rows).
		Where("m.conversation_id = ? AND m.turn < ? AND NOT m.superseded", answer.ConversationID, answer.Turn).
		Where("m.status IN (?) AND m.text <> ''", bun.List([]kyro.MessageStatus{kyro.MessageCompleted, kyro.MessageStopped, kyro.MessageInterrupted})).
		OrderExpr("m.turn DESC, m.id DESC").Limit(int64(limit)).Scan(ctx)
	if err != nil {
		return nil, err
	}
	slices.Reverse(rows)
	messages, err := s.cited(ctx, convert(rows, (*messageRow).noun))
	if err != nil {
		return nil, err
	}
	for i := range messages {
		messages[i].Sources = sourcesOf(&rows[i], messages[i].Citations)
	}
	return messages, s.withdraw(ctx, bot, messages)
}
