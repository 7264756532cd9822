package answer

import (
	"cmp"
	"slices"

	"kyrochat/kyro"
)

// Reciprocal rank fusion: a list gives a chunk weight/(rankOffset+rank). The offset is the customary one; it makes
// two good places worth more than one best place.
const (
	rankOffset = 60

	weightWords    = 1.0
	weightContext  = 0.7 // words of the question before, where this one leans on it
	weightMeaning  = 1.0 // vectors of a real embedding
	weightLettered = 0.3 // vectors that compare letters: an equal weight makes results worse than words alone

	// bestByWords is the place that the best by its words keeps at least. A name or a number that stands in one passage alone
	// is found by words alone, and any number of others with two middling places would go before it.
	bestByWords = 3
)

// candidate is a chunk that some search found.
type candidate struct {
	chunk       kyro.ID
	score       float64
	lexicalRank *int
	vectorRank  *int
	similarity  *float64
	stale       bool // known not to be live
	far         bool // less similar than the bot's least similarity
}

// fusion adds up the lists of one question.
type fusion struct {
	found map[kyro.ID]*candidate
	best  float64 // the score of a chunk that is first in every list
}

func newFusion() *fusion { return &fusion{found: make(map[kyro.ID]*candidate)} }

func (f *fusion) at(chunk kyro.ID, weight float64, rank int) *candidate {
	c := f.found[chunk]
	if c == nil {
		c = &candidate{chunk: chunk}
		f.found[chunk] = c
	}
	c.score += weight / float64(rankOffset+rank)
	return c
}

// addWords adds chunks found by words. A chunk's lexical rank is the best it has.
func (f *fusion) addWords(hits []kyro.LexicalHit, weight float64) {
	f.best += weight / (rankOffset + 1)
	for i, hit := range hits {
		rank := i + 1
		c := f.at(hit.ChunkID, weight, rank)
		if c.lexicalRank == nil || *c.lexicalRank > rank {
			c.lexicalRank = &rank
		}
	}
}

// addVectors adds chunks found by vector. Those that are known not to be live take no rank from those that are. Similarities of
// vectors that only compare letters are not kept, since they would be taken for how near the meanings are.
func (f *fusion) addVectors(near nearby, lexical bool) {
	weight := weightMeaning
	if lexical {
		weight = weightLettered
	}
	f.best += weight / (rankOffset + 1)
	live := 0
	for _, hit := range near.hits {
		if c := f.found[hit.ChunkID]; c != nil && c.vectorRank != nil {
			continue // an index that says it twice
		}
		rank := live + 1
		c := f.at(hit.ChunkID, weight, rank)
		if c.stale = near.live != nil && !near.live[hit.ChunkID]; !c.stale {
			live++
		}
		c.vectorRank = &rank
		if !lexical {
			c.similarity = &hit.Similarity
		}
	}
}

// ranked gives the candidates, best first, with scores from 0 to 1. Equal ones are in order of their chunks, so
// that the same question gives the same passages.
func (f *fusion) ranked() []*candidate {
	all := make([]*candidate, 0, len(f.found))
	for _, c := range f.found {
		c.score = min(1, c.score/f.best)
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *candidate) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.chunk.Key, b.chunk.Key))
	})
	at := slices.IndexFunc(all, func(c *candidate) bool { return c.lexicalRank != nil && *c.lexicalRank == 1 })
	if place := bestByWords - 1; at > place {
		best := all[at]
		best.score = all[place].score
		all = slices.Insert(slices.Delete(all, at, at+1), place, best)
	}
	return all
}
