package store

import (
	"math"
	"reflect"
	"testing"
)

// listsOf are the postings of documents, as a search for the terms reads them; the corpus counts the chunks.
func listsOf(documents map[int64][]string, terms ...string) (corpus, []found) {
	c := corpus{disabled: map[int64][]int32{}}
	var lists []found
	for key, chunks := range documents {
		postings, lengths := indexTerms(chunks)
		for _, n := range lengths {
			c.chunks, c.terms = c.chunks+1, c.terms+int64(n)
		}
		for _, p := range postings {
			for _, term := range terms {
				if term == p.term {
					lists = append(lists, found{term: term, document: key, version: 1, chunks: p.chunks, body: p.body})
				}
			}
		}
	}
	return c, lists
}

func TestRankIsBM25(t *testing.T) {
	t.Parallel()
	c, lists := listsOf(map[int64][]string{7: {"server rare server", "server x y z"}, 3: {"server", "other words here"}}, "server", "rare", "absent")
	best, frequent, err := c.rank(lists, 10)
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]int{"server": 3, "rare": 1}; !reflect.DeepEqual(frequent, want) {
		t.Errorf("frequent %v, want %v", frequent, want)
	}
	// By the formula, with four chunks of 3, 4, 1 and 3 terms.
	score := func(df, tf, length float64) float64 {
		return math.Log(1+(4-df+.5)/(df+.5)) * tf * 2.2 / (tf + 1.2*(.25+.75*length/2.75))
	}
	want := []scored{
		{7, 1, 0, score(3, 2, 3) + score(1, 1, 3)},
		{3, 1, 0, score(3, 1, 1)},
		{7, 1, 1, score(3, 1, 4)},
	}
	if len(best) != len(want) {
		t.Fatalf("got %v, want %v", best, want)
	}
	for i, w := range want {
		g := best[i]
		if g.document != w.document || g.seq != w.seq || math.Abs(g.score-w.score) > 1e-12 {
			t.Errorf("place %d: %+v, want %+v", i+1, g, w)
		}
	}
}

func TestRankKeepsTheBestInOrder(t *testing.T) {
	t.Parallel()
	c, lists := listsOf(map[int64][]string{1: {"a b c", "a", "a b c d", "a"}, 2: {"a", "a a"}}, "a")
	all, _, err := c.rank(lists, 100)
	if err != nil || len(all) != 6 {
		t.Fatalf("%d of 6 chunks: %v", len(all), err)
	}
	for i := 1; i < len(all); i++ {
		if better(all[i-1], all[i]) >= 0 {
			t.Errorf("%+v comes before %+v", all[i-1], all[i])
		}
	}
	for limit := range len(all) {
		some, _, err := c.rank(lists, limit)
		if err != nil || len(some) != limit || limit > 0 && !reflect.DeepEqual(some, all[:limit]) {
			t.Errorf("the best %d: %v, want %v (%v)", limit, some, all[:limit], err)
		}
	}
}

func TestRankLeavesOutDisabledChunks(t *testing.T) {
	t.Parallel()
	c, lists := listsOf(map[int64][]string{1: {"a b", "a", "c"}}, "a", "b")
	c.disabled[1], c.chunks, c.terms = []int32{0}, 2, 2
	best, frequent, err := c.rank(lists, 10)
	if err != nil || len(best) != 1 || best[0].seq != 1 {
		t.Errorf("best %v, %v; want chunk 1 alone", best, err)
	}
	if want := map[string]int{"a": 1}; !reflect.DeepEqual(frequent, want) {
		t.Errorf("frequent %v, want %v", frequent, want)
	}
}

func TestRankRefusesDamage(t *testing.T) {
	t.Parallel()
	lists := []found{{term: "a", document: 1, version: 1, chunks: 1, body: []byte{0x80}}}
	if _, _, err := (corpus{chunks: 1, terms: 1}).rank(lists, 1); err != errPostings {
		t.Errorf("got %v, want %v", err, errPostings)
	}
}
