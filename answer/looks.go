package answer

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"kyrochat/kyro"
)

// looks finds changes that nobody woke the followers of a conversation for. One follower is on duty and looks for all of
// this node: most of them are quiet most of the time, and a statement for each would be all that a quiet node does.
type looks struct {
	store  Store
	logger *slog.Logger
	duty   chan struct{} // holds something while one is on duty
	last   time.Time     // when it was looked; of who is on duty

	mu       sync.Mutex
	watchers map[*watcher]struct{}
}

const lookAtOnce = 1_000 // conversations of one statement

func newLooks(cfg Config) *looks {
	return &looks{store: cfg.Store, logger: cfg.Logger, duty: make(chan struct{}, 1), watchers: map[*watcher]struct{}{}}
}

func (l *looks) enter(w *watcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers[w] = struct{}{}
}

func (l *looks) leave(w *watcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.watchers, w)
}

// all looks at every conversation that is followed here, and tells those whose is further than they have read, or gone. A
// store that fails ends nobody's following: it is asked again as if it had said that there is nothing.
func (l *looks) all(ctx context.Context) {
	l.last = time.Now()
	l.mu.Lock()
	followed := map[kyro.ID]bool{}
	for w := range l.watchers {
		followed[w.id] = true
	}
	l.mu.Unlock()
	counts := make(map[kyro.ID]int64, len(followed))
	for some := range slices.Chunk(slices.Collect(maps.Keys(followed)), lookAtOnce) {
		found, err := l.store.EventCounts(ctx, some)
		if err != nil {
			if ctx.Err() == nil {
				l.logger.Warn("conversations that are followed could not be looked at; trying again", "error", err)
			}
			return
		}
		maps.Copy(counts, found)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.watchers {
		if count, there := counts[w.id]; followed[w.id] && (!there || count > w.read.Load()) {
			select {
			case w.found <- struct{}{}:
			default: // it has not taken up the last yet
			}
		}
	}
}
