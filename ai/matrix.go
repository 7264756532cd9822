package ai

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"slices"

	"github.com/viterin/vek/vek32"

	"kyrochat/kyro"
)

// matrix is the vectors of one bot, one after the other.
type matrix struct {
	state
	dims   int
	chunks []kyro.ID
	values []float32
}

func (m *matrix) bytes() int64 { return int64(cap(m.values))*4 + int64(cap(m.chunks))*24 }

// checkEvery is how many vectors are compared between two looks at ctx: about a millisecond's worth.
const checkEvery = 4096

// nearest compares the query with every vector. Vectors are L2-normalised, so the dot product is the cosine.
func (m *matrix) nearest(ctx context.Context, query []float32, limit int) ([]kyro.VectorHit, error) {
	best := make(worstFirst, 0, min(limit, len(m.chunks)))
	for i, chunk := range m.chunks {
		if i%checkEvery == 0 {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("search vectors: %w", err)
			}
		}
		hit := kyro.VectorHit{ChunkID: chunk, Similarity: float64(vek32.Dot(query, m.values[i*m.dims:(i+1)*m.dims]))}
		switch {
		case len(best) < limit:
			heap.Push(&best, hit)
		case order(hit, best[0]) < 0:
			best[0] = hit
			heap.Fix(&best, 0)
		}
	}
	slices.SortFunc(best, order)
	return best, nil
}

// order puts the nearer hit first, and the older chunk where both are equally near.
func order(a, b kyro.VectorHit) int {
	return cmp.Or(cmp.Compare(b.Similarity, a.Similarity), cmp.Compare(a.ChunkID.Key, b.ChunkID.Key))
}

// worstFirst is a heap with the worst of the best hits on top.
type worstFirst []kyro.VectorHit

func (h worstFirst) Len() int           { return len(h) }
func (h worstFirst) Less(i, j int) bool { return order(h[i], h[j]) > 0 }
func (h worstFirst) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *worstFirst) Push(hit any)      { *h = append(*h, hit.(kyro.VectorHit)) }
func (h *worstFirst) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
