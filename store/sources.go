package store

import (
	"context"
	"encoding/json"
	"slices"

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

// withdraw puts kyro.AnswerWithdrawn in the place of answers of which a source or a citation is live no more. It looks at
// all of them in one statement.
func (s *Store) withdraw(ctx context.Context, messages []kyro.Message) error {
	used := make([][]kyro.ID, len(messages))
	var asked []kyro.ID
	gone := make(map[kyro.ID]bool) // of what is asked
	for i, m := range messages {
		used[i] = slices.Clone(m.Sources)
		for _, c := range m.Citations { // of which a node of before may have stored no sources
			used[i] = append(used[i], c.ChunkID)
		}
		for _, id := range used[i] {
			if _, asking := gone[id]; !asking {
				gone[id], asked = false, append(asked, id)
			}
		}
	}
	list, err := s.GoneAmong(ctx, asked)
	if err != nil {
		return err
	}
	for _, id := range list {
		gone[id] = true
	}
	for i := range messages {
		if m := &messages[i]; slices.ContainsFunc(used[i], func(id kyro.ID) bool { return gone[id] }) {
			m.Text, m.Citations, m.Sources = kyro.AnswerWithdrawn, nil, nil
		}
	}
	return nil
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
