package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
)

// Keep gives running attempts another lease and stores how far they have come, any number of them in one transaction;
// a state that is older than the row's changes nothing. What became of each of them comes in their order. A row that
// somebody else has locked is not waited for, so that one cannot keep the others from being kept.
//
// It fails as a whole: where the database refuses the text of one, none is kept.
func (s *Store) Keep(ctx context.Context, lease time.Duration, list []kyro.Keeping) ([]kyro.Kept, error) {
	var kept []kyro.Kept
	err := s.write(ctx, "keep the answers so far", func(ctx context.Context, tx *writeTx) (err error) {
		kept = make([]kyro.Kept, len(list))
		if tx.pg != nil {
			return s.keepPostgres(ctx, tx, lease, list, kept)
		}
		return s.keepSQLite(ctx, tx, lease, list, kept)
	})
	if err != nil {
		return nil, err
	}
	return kept, nil
}

// keepPostgres updates all rows by one statement, whose text is the same for any number of them. A row whose status
// becomes another needs its conversation, which must not be held either. What it does not find is read once more without
// a lock, which happens only where a claim was lost or a row is held.
func (s *Store) keepPostgres(ctx context.Context, tx *writeTx, lease time.Duration, list []kyro.Keeping, kept []kyro.Kept) error {
	rows := columnsOf(list)
	until, shift := s.byClock(lease)
	q := s.query().add(`WITH given AS (SELECT * FROM `)
	rows.given(q)
	q.add(`), moved AS (SELECT m.id, m.conversation_id FROM given AS k` + claimed + ` JOIN conversations AS c ON c.id = m.conversation_id
			WHERE k.seq > m.seq AND k.status <> m.status FOR NO KEY UPDATE OF c SKIP LOCKED),
		numbers AS (UPDATE conversations AS c SET events = c.events + 1 FROM moved WHERE c.id = moved.conversation_id RETURNING moved.id, c.events AS number),
		k AS (SELECT k.*, n.number FROM given AS k` + claimed + ` LEFT JOIN numbers AS n ON n.id = m.id
			WHERE n.id IS NOT NULL OR k.seq <= m.seq OR k.status = m.status FOR NO KEY UPDATE OF m SKIP LOCKED)
		UPDATE messages AS m SET changed = COALESCE(k.number, m.changed), status = CASE WHEN k.seq > m.seq THEN k.status ELSE m.status END,
			text = CASE WHEN k.seq > m.seq THEN k.text ELSE m.text END,
			sources = CASE WHEN k.seq > m.seq THEN COALESCE(k.sources::jsonb, m.sources) ELSE m.sources END, seq = GREATEST(m.seq, k.seq), lease_until = `)
	q.add(until, shift...).add(` FROM k WHERE m.id = k.id RETURNING m.id, m.stop_requested`)
	stops := make(map[int64]bool, len(list))
	var key int64
	var stop bool
	if err := s.eachIn(ctx, tx, q, []any{&key, &stop}, func() { stops[key] = stop }); err != nil {
		return err
	}
	held := make(map[int64]bool)
	if len(stops) < len(list) {
		q := s.query().add("SELECT m.id FROM ")
		rows.given(q)
		q.add(claimed)
		if err := s.eachIn(ctx, tx, q, []any{&key}, func() { held[key] = true }); err != nil {
			return err
		}
	}
	for i := range list {
		key := list[i].Claim.MessageID.Key
		stop, found := stops[key]
		kept[i] = kyro.Kept{Kept: found, Lost: !found && !held[key], Stop: stop}
	}
	return nil
}

// keepings are the columns of rows to keep. Seq 0, which no event has, is for those without a state.
type keepings struct {
	ids, attempts, seqs     []int64
	owners, statuses, texts []string
	sources                 []*string // nil: as they are
}

func columnsOf(list []kyro.Keeping) *keepings {
	c := &keepings{}
	for _, k := range list {
		state := stateOf(k)
		c.ids, c.attempts, c.owners = append(c.ids, k.Claim.MessageID.Key), append(c.attempts, k.Claim.Attempt), append(c.owners, k.Claim.Owner)
		c.statuses, c.texts, c.seqs = append(c.statuses, string(state.Status)), append(c.texts, state.Text), append(c.seqs, state.Seq)
		c.sources = append(c.sources, sourcesText(state.Sources))
	}
	return c
}

func stateOf(k kyro.Keeping) (state kyro.Checkpoint) {
	if k.State != nil {
		state = *k.State
		state.Text = clean(state.Text)
	}
	return state
}

// given appends the rows, as k.
func (c *keepings) given(q *query) {
	q.add(`unnest(?::bigint[], ?::bigint[], ?::text[], ?::text[], ?::text[], ?::bigint[], ?::text[]) AS k (id, attempt, owner, status, text, seq, sources)`,
		c.ids, c.attempts, c.owners, c.statuses, c.texts, c.seqs, c.sources)
}

// claimed joins k with the messages m that the claims still hold.
const claimed = ` JOIN messages AS m ON m.id = k.id AND m.attempt = k.attempt AND m.lease_owner = k.owner AND m.` + running

// keepSQLite updates row by row: what costs there is the end of the transaction, not a statement.
func (s *Store) keepSQLite(ctx context.Context, tx *writeTx, lease time.Duration, list []kyro.Keeping, kept []kyro.Kept) (err error) {
	until, shift := s.byClock(lease)
	q := s.query().add("UPDATE messages SET lease_until = ").add(until, shift...)
	q.add(`, changed = CASE WHEN ?3 > seq AND ?4 <> status THEN (SELECT c.events + 1 FROM conversations AS c WHERE c.id = conversation_id) ELSE changed END,
		status = CASE WHEN ?3 > seq THEN ?4 ELSE status END, text = CASE WHEN ?3 > seq THEN ?5 ELSE text END,
		sources = CASE WHEN ?3 > seq THEN COALESCE(?8, sources) ELSE sources END, seq = MAX(seq, ?3)
		WHERE id = ?2 AND attempt = ?6 AND lease_owner = ?7 AND ` + running + `
		RETURNING stop_requested, CASE WHEN changed > (SELECT c.events FROM conversations AS c WHERE c.id = conversation_id) THEN conversation_id ELSE 0 END`)
	text := q.text.String()
	if s.pools.onQuery != nil {
		s.pools.onQuery(ctx, text)
	}
	update, err := tx.Tx.Tx.PrepareContext(ctx, text)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, update.Close()) }()
	var moved []int64 // conversations
	began := s.pools.watch.began(ctx)
	defer func() { s.pools.watch.tell(ctx, anUpdate, began, err, text) }()
	for i, k := range list {
		state, conversation := stateOf(k), int64(0)
		err := update.QueryRowContext(ctx, q.values[0], k.Claim.MessageID.Key, state.Seq, string(state.Status), state.Text, k.Claim.Attempt, k.Claim.Owner,
			sourcesText(state.Sources)).
			Scan(&kept[i].Stop, &conversation)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		kept[i].Kept, kept[i].Lost = err == nil, err != nil
		if conversation != 0 {
			moved = append(moved, conversation)
		}
	}
	if len(moved) > 0 {
		_, err = tx.NewUpdate().Table("conversations").Set("events = events + 1").Where("id IN (?)", bun.List(moved)).Exec(ctx)
	}
	return err
}

// eachIn is each within a transaction on PostgreSQL, for statements that are run all the time.
func (s *Store) eachIn(ctx context.Context, tx *writeTx, q *query, places []any, do func()) error {
	text := q.text.String()
	if s.pools.onQuery != nil {
		s.pools.onQuery(ctx, text)
	}
	began := s.pools.watch.began(ctx)
	rows, err := tx.pg.Query(ctx, text, append([]any{s.pools.readMode}, q.values...)...)
	defer func() { s.pools.watch.tell(ctx, firstWord(text), began, err, text) }()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err = rows.Scan(places...); err != nil {
			return err
		}
		do()
	}
	err = rows.Err()
	return err
}

// StopsAsked finds the running answers of a node that someone asked to stop.
func (s *Store) StopsAsked(ctx context.Context, owner string) ([]kyro.ID, error) {
	var messages []kyro.ID
	var key int64
	q := s.query().add("SELECT id FROM messages WHERE lease_owner = ? AND stop_requested AND "+running, owner)
	err := s.each(ctx, q, []any{&key}, func() { messages = append(messages, kyro.MessageID(key)) })
	return messages, failed("look for answers to stop", err)
}
