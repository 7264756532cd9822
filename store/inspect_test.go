package store_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"kyrochat/kyro"
	"kyrochat/store"
)

// repairsOf are what repairs what is found, by what was found.
func repairsOf(t *testing.T, s *store.Store, o store.Inspection) map[string]func(context.Context) error {
	t.Helper()
	repairs := map[string]func(context.Context) error{}
	o.Now = start
	o.Found = func(f kyro.Finding, repair func(context.Context) error) error {
		repairs[f.Found] = repair
		return nil
	}
	fine(t, s.Inspect(t.Context(), o))
	return repairs
}

// TestRepairsGoByWhatWasFound: a repair looks at the rows that were found and at no others, some at a time, so that nobody's writes
// wait while it looks through whole tables; and it leaves alone what is in order by then.
func TestRepairsGoByWhatWasFound(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		bytes := "x'00000000'"
		if w.pools.Postgres() {
			bytes = `'\x00000000'`
		}
		var rows []string
		for i := range 450 {
			rows = append(rows, fmt.Sprintf("('of nothing %d', 'm', 1, %s)", i, bytes))
		}
		const plant = "INSERT INTO embeddings (content_hash, model, dims, vector) VALUES "
		w.exec(t, plant+strings.Join(rows, ", "))
		_, _, first := w.talk(t)
		_, _, second := w.talk(t)
		w.exec(t, "UPDATE conversations SET message_count = 5")
		w.exec(t, "INSERT INTO spendings (owner_id, scope, target_id, period, start, messages, tokens, cost, held_messages, held_tokens, held_cost, warned)"+
			" SELECT owner_id, 'bot', id, 'DAY', '2026-11-20 00:00:00+00:00', 0, 0, 0, 3, 100, 7, 0 FROM bots")
		repairs := repairsOf(t, w.Store, store.Inspection{})

		w.exec(t, plant+fmt.Sprintf("('late', 'm', 1, %s)", bytes))
		w.exec(t, fmt.Sprintf("UPDATE conversations SET deleted_at = created_at WHERE id = %d", second.Key))
		var deletes atomic.Int64
		hears := func(statement string) {
			if strings.HasPrefix(statement, "DELETE FROM embeddings") {
				deletes.Add(1)
			}
		}
		w.hears.Store(&hears)
		for range 2 { // two people at once
			for found, repair := range repairs {
				if err := repair(t.Context()); err != nil {
					t.Errorf("%s: %v", found, err)
				}
			}
		}
		for query, want := range map[string]int{
			"SELECT count(*) FROM embeddings":                                                               1,
			fmt.Sprintf("SELECT message_count FROM conversations WHERE id = %d", first.Key):                 0,
			fmt.Sprintf("SELECT message_count FROM conversations WHERE id = %d", second.Key):                5,
			"SELECT count(*) FROM spendings WHERE held_messages <> 0 OR held_tokens <> 0 OR held_cost <> 0": 0,
		} {
			if got := w.number(t, query); got != want {
				t.Errorf("%s gives %d, want %d", query, got, want)
			}
		}
		if n := deletes.Load(); n != 2*3 {
			t.Errorf("450 rows were removed in %d turns", n/2)
		}
	})
}

// TestRepairsOfVectorsLookAgain: a document whose vectors came meanwhile is not doubted.
func TestRepairsOfVectorsLookAgain(t *testing.T) {
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		d := k.ready(t, "Lamps", "The lamps burn whale oil.")
		other := k.ready(t, "Bridges", "The bridge has four lamps.")
		k.exec(t, "DELETE FROM embeddings")
		k.exec(t, "UPDATE documents SET embedded_with = 'with'")
		repairs := repairsOf(t, k.store, store.Inspection{Model: "m", Dims: 1, With: "with"})
		bytes := "x'00000000'"
		if k.pools.Postgres() {
			bytes = `'\x00000000'`
		}
		k.exec(t, fmt.Sprintf("INSERT INTO embeddings (content_hash, model, dims, vector) SELECT content_hash, 'm', 1, %s FROM chunks WHERE document_id = %d", bytes, d.ID.Key))
		for _, repair := range repairs {
			fine(t, repair(t.Context()))
		}
		for id, want := range map[kyro.ID]int{d.ID: 1, other.ID: 0} {
			if got := k.count(t, "documents", fmt.Sprintf("embedded_with = 'with' AND id = %d", id.Key)); got != want {
				t.Errorf("%s is vouched for: %d, want %d", id, got, want)
			}
		}
	})
}

// TestVectorsOfAVersionMadeAgain: a version that is prepared once more with another text, as a page that changed between two tries, leaves
// no vectors of the text before; what others or it say still keeps its own.
func TestVectorsOfAVersionMadeAgain(t *testing.T) {
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		k.ready(t, "Other", "shared", "theirs")
		d := k.remake(t, k.add(t, "Page"), "shared", "stays", "goes")
		k.embedded(t, "shared", "theirs", "stays", "goes")
		d = k.remake(t, d, "shared", "stays", "comes")
		k.embedded(t, "comes")
		if got := k.count(t, "embeddings", "content_hash = '"+sha("goes")+"'"); got != 0 {
			t.Error("the vector of a text that nobody says any more is kept")
		}
		if got := k.count(t, "embeddings", "model = 'm'"); got != 4 {
			t.Errorf("%d vectors are kept, want 4", got)
		}
		if repairs := repairsOf(t, k.store, store.Inspection{}); len(repairs) != 0 {
			t.Errorf("verifying finds %v", repairs)
		}
		_ = k.activate(t, d)
	})
}
