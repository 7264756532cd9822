package kyro

import (
	"cmp"
	"maps"
	"slices"
)

// Cited counts what final answers of a span of time cite. An answer counts once for each document and for each passage,
// however many quotes it has of it. A passage is a chunk of one version of a document.
type Cited struct {
	Documents map[int64]Uses // by key
	Passages  map[int64]Uses // by the key of the chunk
}

// Uses are the answers that cite something.
type Uses struct {
	Answers int64
	Last    int64 // the key of the newest one
}

// NewCited is what is cited in a time without answers.
func NewCited() *Cited { return &Cited{Documents: map[int64]Uses{}, Passages: map[int64]Uses{}} }

// Used is a document or a passage with the answers that cite it.
type Used struct {
	Key int64
	Uses
}

// Top gives those that most answers cite, the most first; of those with as many the one that was made first comes first.
func Top(uses map[int64]Uses, most int) []Used {
	list := make([]Used, 0, len(uses))
	for key, u := range uses {
		list = append(list, Used{key, u})
	}
	slices.SortFunc(list, func(a, b Used) int { return cmp.Or(cmp.Compare(b.Answers, a.Answers), cmp.Compare(a.Key, b.Key)) })
	return list[:min(most, len(list))]
}

// DocumentKeys are those of the documents, in order.
func (c *Cited) DocumentKeys() []int64 { return slices.Sorted(maps.Keys(c.Documents)) }

// CitedDocument is a document that answers cite, as the newest of them shows it: it may be deleted by now.
type CitedDocument struct {
	DocumentID ID
	Title      string
	Answers    int64
}

// CitedPassage is a passage that answers cite, as the newest of them shows it: its document may be deleted by now, or have
// another version.
type CitedPassage struct {
	ChunkID            ID
	DocumentID         ID
	Title              string
	Version            int
	Quote              string
	PageStart, PageEnd *int
	Answers            int64
}
