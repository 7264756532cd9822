package store

import (
	"cmp"
	"container/heap"
	"math"
	"slices"
)

// The parameters of BM25 as Robertson and Zaragoza give them (The Probabilistic Relevance Framework, 2009).
const (
	bm25K1 = 1.2
	bm25B  = 0.75
)

// corpus is what a search ranks against: the live chunks of one bot and nothing else, so that no other bot's
// documents can move a score.
type corpus struct {
	chunks   int               // live chunks, those that are switched off left out
	terms    int64             // terms of all of them
	disabled map[int64][]int32 // document key to its chunks that are switched off, in order
}

// found is one term in one live document version.
type found struct {
	term     string
	document int64
	version  int
	chunks   int // how many chunks of the version hold the term
	body     []byte
}

// scored is a chunk with its score.
type scored struct {
	document int64
	version  int
	seq      int
	score    float64
}

// rank scores every chunk of the lists by BM25 and gives the best, best first, with the number of chunks that
// hold each term. Chunks of equal score are in the order of their documents, so that a search can be repeated.
func (c corpus) rank(lists []found, limit int) (best []scored, frequent map[string]int, err error) {
	frequent = make(map[string]int)
	for _, l := range lists {
		n, err := c.enabledChunks(l)
		if err != nil {
			return nil, nil, err
		}
		if n > 0 {
			frequent[l.term] += n
		}
	}
	weight := make(map[string]float64, len(frequent))
	for term, df := range frequent {
		weight[term] = math.Log1p((float64(max(0, c.chunks-df)) + 0.5) / (float64(df) + 0.5))
	}
	average := max(1, float64(c.terms)/float64(max(1, c.chunks)))

	slices.SortFunc(lists, func(a, b found) int {
		return cmp.Or(cmp.Compare(a.document, b.document), cmp.Compare(a.term, b.term))
	})
	top := topScored{limit: limit}
	var scores []float64
	for first := 0; first < len(lists); {
		document := lists[first].document
		scores = scores[:0]
		next := first
		for ; next < len(lists) && lists[next].document == document; next++ {
			w := weight[lists[next].term]
			err := eachPosting(lists[next].body, func(p posting) {
				if p.seq >= len(scores) {
					scores = append(scores, make([]float64, p.seq+1-len(scores))...)
				}
				tf := float64(p.tf)
				scores[p.seq] += w * tf * (bm25K1 + 1) / (tf + bm25K1*(1-bm25B+bm25B*float64(p.length)/average))
			})
			if err != nil {
				return nil, nil, err
			}
		}
		for _, seq := range c.disabled[document] {
			if int(seq) < len(scores) {
				scores[seq] = 0
			}
		}
		for seq, score := range scores {
			if score > 0 {
				top.offer(scored{document: document, version: lists[first].version, seq: seq, score: score})
			}
		}
		first = next
	}
	return top.sorted(), frequent, nil
}

// enabledChunks counts the chunks of a list that are not switched off.
func (c corpus) enabledChunks(l found) (int, error) {
	off := c.disabled[l.document]
	if len(off) == 0 {
		return l.chunks, nil
	}
	n := l.chunks
	err := eachPosting(l.body, func(p posting) {
		if _, found := slices.BinarySearch(off, int32(p.seq)); found {
			n--
		}
	})
	return n, err
}

// topScored keeps the best of what it is offered: a heap with the worst on top.
type topScored struct {
	limit int
	kept  []scored
}

func (t *topScored) offer(s scored) {
	switch {
	case len(t.kept) < t.limit:
		heap.Push(t, s)
	case t.limit > 0 && better(s, t.kept[0]) < 0:
		t.kept[0] = s
		heap.Fix(t, 0)
	}
}

func (t *topScored) sorted() []scored {
	slices.SortFunc(t.kept, better)
	return t.kept
}

// better orders by score, the highest first, and then by place.
func better(a, b scored) int {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.document, b.document), cmp.Compare(a.seq, b.seq))
}

func (t *topScored) Len() int           { return len(t.kept) }
func (t *topScored) Less(i, j int) bool { return better(t.kept[i], t.kept[j]) > 0 }
func (t *topScored) Swap(i, j int)      { t.kept[i], t.kept[j] = t.kept[j], t.kept[i] }
func (t *topScored) Push(x any)         { t.kept = append(t.kept, x.(scored)) }
func (t *topScored) Pop() any {
	last := t.kept[len(t.kept)-1]
	t.kept = t.kept[:len(t.kept)-1]
	return last
}
