package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// withdrawn stands for an answer that cites what is live no more, so that it reaches no prompt again.
const withdrawn = "[answer withdrawn: its source changed]"

// Job gives what the attempt needs: the bot, the question and the final messages of earlier turns, newest last, at
// most history of them. Failed and superseded answers, and those without text, are left out. CONFLICT where the
// claim is lost, NOT_FOUND where the bot is gone.
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
	job.History, err = s.history(ctx, &answer, history)
	return job, err
}

// history reads the messages of the turns before the answer's, oldest first.
func (s *Store) history(ctx context.Context, answer *messageRow, limit int) ([]kyro.Message, error) {
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
	gone, err := s.withdrawnAmong(ctx, messages)
	if err != nil {
		return nil, err
	}
	for i := range messages {
		if gone[messages[i].ID.Key] {
			messages[i].Text, messages[i].Citations = withdrawn, nil
		}
	}
	return messages, nil
}

// withdrawnAmong finds the messages with a citation whose document was deleted or answers from another version
// now, or whose chunk is disabled or gone.
func (s *Store) withdrawnAmong(ctx context.Context, messages []kyro.Message) (map[int64]bool, error) {
	var cited []kyro.ID
	for _, m := range messages {
		if len(m.Citations) > 0 {
			cited = append(cited, m.ID)
		}
	}
	if len(cited) == 0 {
		return nil, nil
	}
	var gone []int64
	err := s.read().NewSelect().TableExpr("citations AS ci").ColumnExpr("DISTINCT ci.message_id").
		Join("LEFT JOIN documents AS d ON d.id = ci.document_id AND d.deleted_at IS NULL AND d.active_version = ci.document_version").
		Join("LEFT JOIN chunks AS ch ON ch.id = ci.chunk_id AND ch.document_id = d.id AND ch.enabled").
		Where("ci.message_id IN (?) AND ch.id IS NULL", keys(cited)).Scan(ctx, &gone)
	set := make(map[int64]bool, len(gone))
	for _, key := range gone {
		set[key] = true
	}
	return set, err
}
