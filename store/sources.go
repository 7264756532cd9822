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

// withdraw puts kyro.AnswerWithdrawn in the place of answers of which a source or a citation is live no more: its document
// was deleted or answers from another version now, or it is disabled or gone. It looks at all of them in one statement.
func (s *Store) withdraw(ctx context.Context, bot kyro.ID, messages []kyro.Message) error {
	used := make([][]kyro.ID, len(messages))
	var asked []kyro.ID
	live := make(map[kyro.ID]bool) // of what is asked
	for i, m := range messages {
		used[i] = slices.Clone(m.Sources)
		for _, c := range m.Citations { // of which a node of before may have stored no sources
			used[i] = append(used[i], c.ChunkID)
		}
		for _, id := range used[i] {
			if _, asking := live[id]; !asking {
				live[id], asked = false, append(asked, id)
			}
		}
	}
	list, err := s.LiveChunks(ctx, bot, asked)
	if err != nil {
		return err
	}
	for _, id := range list {
		live[id] = true
	}
	for i := range messages {
		if m := &messages[i]; slices.ContainsFunc(used[i], func(id kyro.ID) bool { return !live[id] }) {
			m.Text, m.Citations, m.Sources = kyro.AnswerWithdrawn, nil, nil
		}
	}
	return nil
}
