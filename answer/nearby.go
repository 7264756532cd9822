package answer

import (
	"context"
	"fmt"
	"runtime/debug"

	"kyrochat/kyro"
)

// maxNear is the most vectors that are ever asked for.
const maxNear = 1_000

// nearby is what the vectors gave. An index outside of the database may still have what is gone, and one that many bots
// share may give what is not the bot's.
type nearby struct {
	hits     []kyro.VectorHit // best first
	limit    int              // how many were asked for
	vector   []float32        // what was asked for
	live     map[kyro.ID]bool // nil: nobody has looked
	searched bool
	err      error
}

// cut reports that there may be more than the index was asked for.
func (n *nearby) cut() bool { return len(n.hits) > 0 && len(n.hits) >= n.limit }

// startVectors embeds the question and searches by it while the words are searched. The channel always gets one
// value, at the latest when ctx is done, as far as the providers go by it; Wait waits for those that do not.
func (r *IndexRetriever) startVectors(ctx context.Context, bot kyro.Bot, question string, depth int) <-chan nearby {
	found := make(chan nearby, 1)
	if r.vectors == nil || r.embedder == nil {
		found <- nearby{}
		return found
	}
	r.searches.Go(func() {
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
		found <- r.searchNear(ctx, bot, vector, depth)
	})
	return found
}

func (r *IndexRetriever) searchNear(ctx context.Context, bot kyro.Bot, vector []float32, limit int) nearby {
	hits, err := r.vectors.SearchVectors(ctx, bot.ID, vector, limit)
	return nearby{hits: hits[:min(len(hits), limit)], limit: limit, vector: vector, searched: err == nil, err: err}
}

// again searches the vectors once more, since what they led to was replaced. Where that fails it keeps to what it has.
func (r *IndexRetriever) again(ctx context.Context, bot kyro.Bot, near nearby) nearby {
	if fresh := r.searchNear(ctx, bot, near.vector, near.limit); fresh.err == nil {
		return fresh
	}
	return near
}

// refine is called where vectors were found of what is not live. It looks which are; and where more than half are not,
// and there may be more, it searches once more and deeper, so that what is live is not crowded out by what the index has
// not forgotten yet. Where that fails it keeps to what it has.
func (r *IndexRetriever) refine(ctx context.Context, bot kyro.Bot, near nearby) nearby {
	keep := func(err error) nearby {
		r.log.WarnContext(ctx, "vectors found are not live, and it failed to look for others", "bot", bot.ID, "error", err)
		return near
	}
	if err := r.seeLive(ctx, bot, &near); err != nil {
		return keep(err)
	}
	if !near.cut() || 2*len(near.live) >= len(near.hits) {
		return near
	}
	deeper := r.searchNear(ctx, bot, near.vector, maxNear)
	if deeper.err != nil {
		return keep(deeper.err)
	}
	if err := r.seeLive(ctx, bot, &deeper); err != nil {
		return keep(err)
	}
	return deeper.first(near.limit)
}

// seeLive looks which of the hits are live.
func (r *IndexRetriever) seeLive(ctx context.Context, bot kyro.Bot, near *nearby) error {
	ids := make([]kyro.ID, len(near.hits))
	for i, hit := range near.hits {
		ids[i] = hit.ChunkID
	}
	live, err := r.index.LiveChunks(ctx, bot.ID, ids)
	if err != nil {
		return err
	}
	near.live = make(map[kyro.ID]bool, len(live))
	for _, id := range live {
		near.live[id] = true
	}
	return nil
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
