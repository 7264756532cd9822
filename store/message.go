package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// Conditions on a message's status, worded as the index of unfinished messages is, so that both databases use it.
const (
	unfinished = "status IN ('PENDING', 'RETRIEVING', 'STREAMING')"
	running    = "status IN ('RETRIEVING', 'STREAMING')"
)

type messageRow struct {
	bun.BaseModel `bun:"table:messages,alias:m"`

	ID              int64 `bun:"id,pk,autoincrement"`
	ConversationID  int64
	Turn            int64
	ParentID        *int64
	SenderID        int64
	Role            kyro.MessageRole
	Status          kyro.MessageStatus
	Text            string
	ClientMessageID *string
	Superseded      bool
	Attempt         int64
	Lost            int
	Restarted       bool
	Seq             int64
	LeaseOwner      string
	LeaseUntil      *time.Time
	StopRequested   bool
	Grounding       *kyro.Grounding
	FinishReason    *kyro.FinishReason
	Notices         []kyro.MessageNotice `bun:",type:jsonb"`
	Usage           *kyro.MessageUsage   `bun:",type:jsonb"`
	Error           *kyro.MessageError   `bun:",type:jsonb"`
	Feedback        *kyro.Feedback       `bun:",type:jsonb"`
	Noted           bool                 `bun:",scanonly"`            // among the unanswered questions, where that is asked for
	Sources         []int64              `bun:",type:jsonb,nullzero"` // nil: not known
	KeyID           *int64
	Held            *heldRow `bun:",type:jsonb"`
	Trace           *string
	CreatedAt       time.Time
	CompletedAt     *time.Time
	Added           int64
	Changed         int64
}

var (
	messageTable  = newTable("messages", "m", messageColumns, messagePlaces, (*messageRow).fill).withTexts(func(r *messageRow) int { return len(r.Text) })
	citationTable = newTable("citations", "ci",
		`message_id seq marker document_id chunk_id document_title document_version quote page_start page_end char_start
		char_end score similarity verified`,
		func(r *citationRow, _ func(any) any) []any {
			return []any{
				&r.MessageID, &r.Seq, &r.Marker, &r.DocumentID, &r.ChunkID, &r.DocumentTitle, &r.DocumentVersion, &r.Quote,
				&r.PageStart, &r.PageEnd, &r.CharStart, &r.CharEnd, &r.Score, &r.Similarity, &r.Verified,
			}
		}, func(r *citationRow, p *placedCitation) { *p = placedCitation{r.MessageID, r.noun()} }).withTexts(func(r *citationRow) int { return len(r.Quote) })
)

const messageColumns = `id conversation_id role turn:turn status:status text:text created_at:createdAt parent_id:parent sender_id:sender
	client_message_id:clientMessageId superseded:superseded attempt:attempt seq:seq grounding:grounding
	finish_reason:finishReason completed_at:completedAt notices:notices usage:usage error:error
	feedback:feedback trace:trace`

func messagePlaces(r *messageRow, asJSON func(any) any) []any {
	return []any{
		&r.ID, &r.ConversationID, &r.Role, &r.Turn, &r.Status, &r.Text, &r.CreatedAt, &r.ParentID, &r.SenderID,
		&r.ClientMessageID, &r.Superseded, &r.Attempt, &r.Seq, &r.Grounding, &r.FinishReason, &r.CompletedAt,
		asJSON(&r.Notices), asJSON(&r.Usage), asJSON(&r.Error), asJSON(&r.Feedback), &r.Trace,
	}
}

// placedCitation is a citation and the key of its message.
type placedCitation struct {
	message  int64
	citation kyro.Citation
}

func (r *messageRow) noun() (m kyro.Message) {
	r.fill(&m)
	return m
}

// fill writes an empty message in its place: lists of them are long.
func (r *messageRow) fill(m *kyro.Message) {
	m.ID, m.ConversationID, m.SenderID = kyro.MessageID(r.ID), kyro.ConversationID(r.ConversationID), kyro.UserID(r.SenderID)
	m.Role, m.Status, m.Text, m.Turn, m.Superseded, m.Attempt, m.Seq = r.Role, r.Status, r.Text, r.Turn, r.Superseded, r.Attempt, r.Seq
	m.Grounding, m.FinishReason, m.Notices, m.Usage, m.Error = r.Grounding, r.FinishReason, r.Notices, r.Usage, r.Error
	m.Feedback, m.Trace = r.Feedback, orNone(r.Trace)
	m.CreatedAt, m.CompletedAt = r.CreatedAt.UTC(), utcPtr(r.CompletedAt)
	if r.ClientMessageID != nil {
		m.ClientMessageID = *r.ClientMessageID
	}
	if r.ParentID != nil {
		m.ParentID = kyro.MessageID(*r.ParentID)
	}
}

type citationRow struct {
	bun.BaseModel `bun:"table:citations,alias:ci"`

	MessageID       int64 `bun:",pk"`
	Seq             int   `bun:",pk"`
	Marker          int
	DocumentID      int64
	ChunkID         int64
	DocumentTitle   string
	DocumentVersion int
	Quote           string
	PageStart       *int
	PageEnd         *int
	CharStart       int
	CharEnd         int
	Score           float64
	Similarity      *float64
	Verified        bool
}

func rowOfCitation(message int64, seq int, n *kyro.Citation) citationRow {
	return citationRow{
		MessageID: message, Seq: seq, Marker: n.Marker, DocumentID: n.DocumentID.Key, ChunkID: n.ChunkID.Key,
		DocumentTitle: n.DocumentTitle, DocumentVersion: n.DocumentVersion, Quote: n.Quote,
		PageStart: n.PageStart, PageEnd: n.PageEnd, CharStart: n.CharStart, CharEnd: n.CharEnd,
		Score: n.Score, Similarity: n.Similarity, Verified: n.Verified,
	}
}

func (r *citationRow) noun() kyro.Citation {
	return kyro.Citation{
		Marker: r.Marker, DocumentID: kyro.DocumentID(r.DocumentID), ChunkID: kyro.ChunkID(r.ChunkID),
		DocumentTitle: r.DocumentTitle, DocumentVersion: r.DocumentVersion, Quote: r.Quote,
		PageStart: r.PageStart, PageEnd: r.PageEnd, CharStart: r.CharStart, CharEnd: r.CharEnd,
		Score: r.Score, Similarity: r.Similarity, Verified: r.Verified,
	}
}

// stopAnswers asks the unfinished answers among the messages to stop. Those that no one has begun are final at
// once, without text; number is that of this change. It gives what is to be settled of these.
func stopAnswers(ctx context.Context, tx *writeTx, now time.Time, number int64, which string, args ...any) (ended []settlement, err error) {
	var rows []messageRow
	q := tx.NewUpdate().Model(&rows)
	if number != unnumbered {
		q = q.Set("changed = CASE status WHEN 'PENDING' THEN ? ELSE changed END", number)
	}
	err = q.
		Set("stop_requested = ?", true).
		Set("finish_reason = CASE status WHEN 'PENDING' THEN ? ELSE finish_reason END", kyro.FinishUser).
		Set("completed_at = CASE status WHEN 'PENDING' THEN ? ELSE completed_at END", kyro.Moment(now)).
		Set("seq = CASE status WHEN 'PENDING' THEN seq + 1 ELSE seq END").
		Set("status = CASE status WHEN 'PENDING' THEN ? ELSE status END", kyro.MessageStopped).
		Where(unfinished).Where(which, args...).Returning("id, conversation_id, sender_id, status, attempt, key_id, held, created_at").Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	for i := range rows {
		if m := &rows[i]; m.Status == kyro.MessageStopped && (m.Held != nil || m.Attempt > 0) {
			ended = append(ended, settlement{message: m, begun: m.Attempt > 0}) // an attempt may have been lost or given back
		}
	}
	return ended, err
}
