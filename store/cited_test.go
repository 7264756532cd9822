package store_test

import (
	"fmt"
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestWhatIsCitedIsShownAsTheNewestAnswerDoes(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		c := w.fortnight(t, 80)
		whole := kyro.Span{From: start, To: start.Add(15 * 24 * time.Hour)}
		for _, when := range []string{"counted from the answers", "counted by the job"} {
			cited, err := w.Cited(t.Context(), c.bot, whole)
			fine(t, err)
			top := kyro.Top(cited.Documents, 3)
			documents, err := w.CitedDocuments(t.Context(), top)
			fine(t, err)
			if len(documents) != 3 || documents[0].Answers < documents[2].Answers || documents[2].Answers == 0 {
				t.Fatalf("%s: %+v", when, documents)
			}
			for i, d := range documents {
				if d.DocumentID.Key != top[i].Key || d.Title != fmt.Sprint("Title ", top[i].Last) || d.Answers != top[i].Answers {
					t.Errorf("%s: %+v, want that of %+v", when, d, top[i])
				}
			}
			passages, err := w.CitedPassages(t.Context(), kyro.Top(cited.Passages, 100))
			fine(t, err)
			if len(passages) != len(cited.Passages) || len(passages) < 8 {
				t.Errorf("%s: %d passages of %d", when, len(passages), len(cited.Passages))
			}
			for _, p := range passages {
				if p.ChunkID.Key/100 != p.DocumentID.Key || p.Version != 1 || p.Quote == "" {
					t.Errorf("%s: %+v", when, p)
				}
			}
			c.rollUp(t, whole.To)
		}
		nothing, err := w.CitedDocuments(t.Context(), nil)
		gone, err2 := w.CitedPassages(t.Context(), []kyro.Used{{Key: 100, Uses: kyro.Uses{Answers: 1, Last: 999_999}}})
		if err != nil || err2 != nil || len(nothing)+len(gone) != 0 {
			t.Errorf("%v, %v, %v, %v", nothing, err, gone, err2)
		}
	})
}

func TestDocumentsThatNoAnswerCites(t *testing.T) {
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		var ids []kyro.ID
		for i := range 5 {
			ids = append(ids, k.ready(t, fmt.Sprint("Document ", i), "some words").ID)
		}
		k.add(t, "Not ready yet")
		other := k.other(t)
		other.ready(t, "Of another bot", "some words")
		_, err := k.store.DeleteDocument(t.Context(), k.owner, ids[4], k.tick())
		check(t, err)
		list := func(cited []int64, req kyro.PageRequest) kyro.Page[kyro.Document] {
			t.Helper()
			req.Order = kyro.UnusedOrder
			found, err := k.store.UnusedDocuments(t.Context(), k.owner, k.bot, cited, req)
			check(t, err)
			return found
		}
		all := list(nil, kyro.PageRequest{Limit: 10, Total: true})
		if len(all.Nodes) != 4 || all.Total != 4 || all.Nodes[0].ID != ids[0] || all.HasNextPage {
			t.Errorf("where nothing is cited: %+v", all)
		}
		if one := list([]int64{ids[0].Key}, kyro.PageRequest{Limit: 10}); len(one.Nodes) != 3 || one.Nodes[0].ID != ids[1] {
			t.Errorf("where one is cited: %+v", one.Nodes)
		}
		cited := []int64{ids[1].Key, ids[4].Key, 999}
		first := list(cited, kyro.PageRequest{Limit: 2})
		if len(first.Nodes) != 2 || first.Nodes[0].ID != ids[0] || first.Nodes[1].ID != ids[2] || !first.HasNextPage || first.HasPreviousPage {
			t.Fatalf("the first page: %+v", first)
		}
		cursor, err := kyro.ParseCursor(first.CursorAt(1))
		check(t, err)
		second := list(cited, kyro.PageRequest{Limit: 2, Cursor: &cursor})
		if len(second.Nodes) != 1 || second.Nodes[0].ID != ids[3] || second.HasNextPage || !second.HasPreviousPage {
			t.Errorf("the second page: %+v", second)
		}
	})
}
