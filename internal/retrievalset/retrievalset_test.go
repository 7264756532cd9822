package retrievalset_test

import (
	"testing"

	"kyrochat/internal/retrievalset"
)

func TestSetHasItsSize(t *testing.T) {
	t.Parallel()
	set, err := retrievalset.Load()
	if err != nil {
		t.Fatal(err)
	}
	type kind struct {
		language string
		group    retrievalset.Group
	}
	count := map[kind]int{}
	known := map[string]bool{}
	for _, p := range set.Paragraphs {
		if known[p.ID] || p.Title == "" || p.Text == "" {
			t.Errorf("paragraph %+v", p)
		}
		known[p.ID] = true
	}
	asked := map[string]bool{}
	for _, q := range set.Questions {
		if asked[q.Text] {
			t.Errorf("asked twice: %s", q.Text)
		}
		asked[q.Text] = true
		count[kind{q.Language, q.Group}]++
		if (q.Group == retrievalset.Unanswerable) == known[q.Paragraph] {
			t.Errorf("question %+v", q)
		}
	}
	if len(set.Paragraphs) < 200 || len(set.Questions) < 360 {
		t.Errorf("%d paragraphs, %d questions", len(set.Paragraphs), len(set.Questions))
	}
	for _, language := range retrievalset.Languages {
		if count[kind{language, retrievalset.Unanswerable}] != 20 || count[kind{language, retrievalset.Names}] < 35 || count[kind{language, retrievalset.Distant}] < 12 {
			t.Errorf("%s has %v", language, count)
		}
	}
}
