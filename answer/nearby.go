package answer

import (
	"context"
	"fmt"
	"runtime/debug"

	"kyrochat/kyro"
)

// maxNear is the most vectors that are ever asked for.
const maxNear = 1_000

// nearby is what the vectors gave: an index outside of the database may still have what is gone, and in one that many
// bots share nothing is taken on trust.
type nearby struct {
	hits     []kyro.VectorHit // best first
	live     map[kyro.ID]bool
	limit    int // how many were asked for
	searched bool
	err      error
}

// cut reports that there may be more than the index was asked for.
func (n *nearby) cut() bool { return len(n.hits) > 0 && len(n.hits) >= n.limit }

// startVectors embeds the question and searches by it while the words are searched. The channel always gets one
// value, at the latest when ctx is done, as far as the providers go by it.
func (r *IndexRetriever) startVectors(ctx context.Context, bot kyro.Bot, question string, depth int) <-chan nearby {
	found := make(chan nearby, 1)
	if r.vectors == nil || r.embedder == nil {
		found <- nearby{}
		return found
	}
	go func() {
		defer func() { // a fault of a provider's client must not end the server
			if fault := recover(); fault != nil {
				found <- nearby{err: fmt.Errorf("search vectors: panic: %v\n%s", fault, debug.Stack())}
			}
		}()
		vector, err := r.embedder.EmbedQuestion(ctx, question)
		if err != nil {
			found <- nearby{err: fmt.Errorf("embed the question: %w", err)}
			return
		}
		found <- r.nearest(ctx, bot, vector, depth)
	}()
	return found
}

// nearest searches by the vector. Where more than half of what it finds is not live, and there may be more, it searches
// once more and deeper, so that what is live is not crowded out by what the index has not forgotten yet. Where that
// fails it keeps to what it has.
func (r *IndexRetriever) nearest(ctx context.Context, bot kyro.Bot, vector []float32, limit int) nearby {
	near := r.searchNear(ctx, bot, vector, limit)
	if near.err != nil || !near.cut() || 2*len(near.live) >= len(near.hits) {
		return near
	}
	deeper := r.searchNear(ctx, bot, vector, maxNear)
	if deeper.err != nil {
		r.log.WarnContext(ctx, "most vectors found are not live, and the search for more failed", "bot", bot.ID, "error", deeper.err)
		return near
	}
	return deeper.first(limit)
}

// searchNear searches once and sees what is live.
func (r *IndexRetriever) searchNear(ctx context.Context, bot kyro.Bot, vector []float32, limit int) nearby {
	hits, err := r.vectors.SearchVectors(ctx, bot.ID, vector, limit)
	if err != nil {
		return nearby{err: err}
	}
	hits = hits[:min(len(hits), limit)]
	ids := make([]kyro.ID, len(hits))
	for i, hit := range hits {
		ids[i] = hit.ChunkID
	}
	live, err := r.index.LiveChunks(ctx, bot.ID, ids)
	if err != nil {
		return nearby{err: fmt.Errorf("see which vectors are live: %w", err)}
	}
	near := nearby{hits: hits, live: make(map[kyro.ID]bool, len(live)), limit: limit, searched: true}
	for _, id := range live {
		near.live[id] = true
	}
	return near
}

// first gives the hits up to the one with which so many are live.
func (n nearby) first(live int) nearby {
	for i, hit := range n.hits {
		if !n.live[hit.ChunkID] {
			continue
		}
		if live--; live == 0 {
			n.hits, n.limit = n.hits[:i+1], i+1
			break
		}
	}
	return n
}
