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

// looks finds changes that nobody woke the followers of a conversation for. One follower looks for all of this node at
// once: most of them are quiet most of the time, and a statement for each would be all that a quiet node does.
type looks struct {
	store  Store
	logger *slog.Logger
	turn   chan struct{} // holds something while one looks, who may use last
	last   time.Time

	mu       sync.Mutex
	watchers map[*watcher]bool // true: there is something new for it
}

const lookAtOnce = 1_000 // conversations of one statement

func newLooks(cfg Config) *looks {
	return &looks{store: cfg.Store, logger: cfg.Logger, turn: make(chan struct{}, 1), watchers: map[*watcher]bool{}}
}

func (l *looks) enter(w *watcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watchers[w] = false
}

func (l *looks) leave(w *watcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.watchers, w)
}

// look reports whether there is something new for the watcher. It looks unless another one did a while ago, which is
// less than the interval. A store that fails ends nobody's following: it is asked again as if it had said that there is
// nothing.
func (l *looks) look(ctx context.Context, w *watcher, interval time.Duration) (news bool, err error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return false, ctx.Err()
	}
	if time.Since(l.last) >= interval/2 {
		l.last = time.Now()
		if err := l.all(ctx); err != nil && ctx.Err() == nil {
			l.logger.Warn("conversations that are followed could not be looked at; trying again", "error", err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	news = l.watchers[w]
	l.watchers[w] = false
	return news, ctx.Err()
}

// all looks at every conversation that is followed here, and notes whose is further than its reader, or gone.
func (l *looks) all(ctx context.Context) error {
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
			return err
		}
		maps.Copy(counts, found)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for w := range l.watchers {
		if count, there := counts[w.id]; followed[w.id] && (!there || count > w.read.Load()) {
			l.watchers[w] = true
		}
	}
	return nil
}
