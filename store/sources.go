package store

import (
	"context"
	"encoding/json"

	"kyrochat/kyro"
)

// sourceKeys are an answer's sources as its column has them; nil, which is NULL there, where they are not known.
func sourceKeys(sources []kyro.ID) []int64 {
	if sources == nil {
		return nil
	}
	return rowKeys(sources)
}

// sourcesText is the same as text.
func sourcesText(sources []kyro.ID) *string {
	if sources == nil {
		return nil
	}
	list, _ := json.Marshal(rowKeys(sources)) // of numbers
	text := string(list)
	return &text
}

// sourcesOf gives what an answer was made from. One of before sources were kept has those that it cites.
func sourcesOf(r *messageRow, citations []kyro.Citation) (sources []kyro.ID) {
	if r.Sources != nil {
		return convert(r.Sources, func(key *int64) kyro.ID { return kyro.ChunkID(*key) })
	}
	for _, c := range citations {
		sources = append(sources, c.ChunkID)
	}
	return sources
}

// withdrawnAmong finds the messages of which a source or a citation is live no more: its document was deleted or answers
// from another version now, or the chunk is disabled or gone. It is one statement for any number of messages.
func (s *Store) withdrawnAmong(ctx context.Context, messages []kyro.Message) (map[int64]bool, error) {
	var answers []int64
	for _, m := range messages {
		if m.Role == kyro.RoleBot {
			answers = append(answers, m.ID.Key)
		}
	}
	if len(answers) == 0 {
		return nil, nil
	}
	q := s.query().add(`SELECT used.message_id FROM (SELECT ci.message_id, ci.chunk_id, ci.document_version AS version FROM citations AS ci WHERE `)
	in(q, "ci.message_id", answers)
	if s.postgres() {
		q.add(` UNION ALL SELECT m.id, o.key::bigint, NULL FROM messages AS m CROSS JOIN LATERAL jsonb_array_elements_text(m.sources) AS o (key) WHERE `)
	} else {
		q.add(` UNION ALL SELECT m.id, o.value, NULL FROM messages AS m CROSS JOIN json_each(m.sources) AS o WHERE `)
	}
	in(q, "m.id", answers)
	q.add(`) AS used
		LEFT JOIN chunks AS ch ON ch.id = used.chunk_id AND ch.enabled AND ch.version = COALESCE(used.version, ch.version)
		LEFT JOIN documents AS d ON d.id = ch.document_id AND d.deleted_at IS NULL AND d.active_version = ch.version
		WHERE d.id IS NULL GROUP BY used.message_id`)
	gone := make(map[int64]bool)
	var key int64
	err := s.each(ctx, q, []any{&key}, func() { gone[key] = true })
	return gone, err
}

// GoneAmong gives those of the chunks that no answer may be made from any more: their document was deleted or answers
// from another version now, or they are disabled or gone.
func (s *Store) GoneAmong(ctx context.Context, chunks []kyro.ID) (gone []kyro.ID, err error) {
	if len(chunks) == 0 {
		return nil, nil
	}
	q := s.query().add(`SELECT c.id FROM chunks AS c
		JOIN documents AS d ON d.id = c.document_id AND d.deleted_at IS NULL AND d.active_version = c.version WHERE c.enabled AND `)
	in(q, "c.id", rowKeys(chunks))
	live := make(map[int64]bool, len(chunks))
	var key int64
	if err := s.each(ctx, q, []any{&key}, func() { live[key] = true }); err != nil {
		return nil, failed("look at the passages again", err)
	}
	for _, id := range chunks {
		if !live[id.Key] {
			gone = append(gone, id)
		}
	}
	return gone, nil
}
