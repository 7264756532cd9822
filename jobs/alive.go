package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

// turns are what this process works on. Each has a lease in its row, attempted_at, which is renewed while the process is
// there and the turn may go on. Whoever shares the database takes up what nobody renews.
type turns struct {
	queue *Queue
	log   *slog.Logger

	mu      sync.Mutex
	running map[turnOf]*turn
	steady  time.Time // since when the leases have been renewed without a gap; zero: they are not now
	last    time.Time // when they were last

	stop   func()
	ending sync.WaitGroup
}

// turnOf names a turn: the job's row, and which of its turns it is.
type turnOf struct {
	id      int64
	attempt int
}

type turn struct {
	began time.Time
	until time.Time // a turn that goes on longer than it may counts as one of a dead process
	end   context.CancelCauseFunc
}

// errTaken is why a turn ends that another process has taken up: this one was frozen, or cut off from the database.
var errTaken = errors.New("the job was taken up by another process")

// overtime is what a turn gets to end in after its time was over.
const overtime = 15 * time.Second

func newTurns(q *Queue) *turns {
	return &turns{queue: q, log: q.log, running: map[turnOf]*turn{}}
}

// begin notes a turn, which may take so long. Its context ends where another process takes it up.
func (t *turns) begin(ctx context.Context, of turnOf, longest time.Duration) (context.Context, func()) {
	ctx, end := context.WithCancelCause(ctx)
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running[of] = &turn{began: now, until: now.Add(longest + overtime), end: end}
	return ctx, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.running, of)
		end(nil)
	}
}

// watch renews leases and takes up lost jobs, four times in the life of a lease, until done.
func (t *turns) watch() {
	ctx, cancel := context.WithCancel(context.Background())
	t.stop = cancel
	every := t.queue.cfg.RescueAfter / 4
	t.ending.Go(func() {
		for pause := every; ; {
			timer := time.NewTimer(pause)
			select {
			case <-ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
			}
			within, done := context.WithTimeout(ctx, every)
			err := t.look(within)
			done()
			pause = every
			if err != nil && ctx.Err() == nil {
				pause = every / 4 // so that a lease outlives a short outage
				t.log.WarnContext(ctx, "jobs under way cannot tell that they go on", "error", err)
			}
		}
	})
}

// done ends watch.
func (t *turns) done() {
	if t.stop != nil {
		t.stop()
		t.ending.Wait()
	}
}

// look renews the leases of this process, and takes up what others left.
func (t *turns) look(ctx context.Context) error {
	mine := t.mine()
	if err := t.renew(ctx, mine); err != nil {
		return err
	}
	if !t.isSteady() || t.queue.postgres == nil {
		return nil
	}
	taken, err := t.queue.ids(ctx, fmt.Sprintf(takeUp, t.queue.cfg.RescueAfter.Seconds(), rowsOf(mine)))
	if len(taken) > 0 {
		t.log.InfoContext(ctx, "jobs of a process that is gone are taken up", "jobs", len(taken))
	}
	return err
}

// mine are the turns whose leases are to be renewed. Those that began just now have theirs.
func (t *turns) mine() (list []turnOf) {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	for of, turn := range t.running {
		if now.Sub(turn.began) >= t.queue.cfg.RescueAfter/5 && now.Before(turn.until) {
			list = append(list, of)
		}
	}
	return list
}

// renew renews the leases, and ends the turns that have none any more.
func (t *turns) renew(ctx context.Context, mine []turnOf) error {
	now := time.Now()
	if len(mine) > 0 {
		kept, err := t.queue.ids(ctx, t.queue.renewal(mine))
		if err != nil {
			return err
		}
		t.mu.Lock()
		for _, of := range mine {
			if lost := t.running[of]; lost != nil && !slices.Contains(kept, of.id) {
				lost.end(errTaken)
			}
		}
		t.mu.Unlock()
	} else if t.queue.postgres != nil { // whether the database is there is to be known all the same
		if _, err := t.queue.ids(ctx, "SELECT 1"); err != nil {
			return err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.last) > t.queue.cfg.RescueAfter/2 {
		t.steady = now
	}
	t.last = now
	return nil
}

// isSteady reports whether whoever is there had time to renew its leases: while the database was away nobody could, and
// right after that everybody seems dead.
func (t *turns) isSteady() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last.Sub(t.steady) >= t.queue.cfg.RescueAfter
}

// renewal renews leases. A row that is another turn's by now is left alone.
func (q *Queue) renewal(turns []turnOf) string {
	now := "now()"
	if q.sqlite != nil {
		now = "datetime('now', 'subsec')"
	}
	return fmt.Sprintf("UPDATE river_job SET attempted_at = %s WHERE state = 'running' AND (%s) RETURNING id", now, rowsOf(turns))
}

// rowsOf is the condition for the rows of turns.
func rowsOf(turns []turnOf) string {
	rows := []string{"FALSE"}
	for _, of := range turns {
		rows = append(rows, fmt.Sprintf("id = %d AND attempt = %d", of.id, of.attempt))
	}
	return strings.Join(rows, " OR ")
}

// takeUp puts the jobs back that nobody has renewed, as new rows: whatever a process that was only frozen or cut off still
// has to say about its turn then is about a row that is gone. River looks at a row's state alone, and would let the end of
// the former turn be that of the one that is under way.
const takeUp = `WITH lost AS (DELETE FROM river_job
		WHERE state = 'running' AND attempted_at < now() - interval '%g seconds' AND NOT (%s) RETURNING *)
	INSERT INTO river_job (state, scheduled_at, args, attempt, attempted_at, attempted_by, created_at, errors, kind, max_attempts,
		metadata, priority, queue, tags, unique_key, unique_states)
	SELECT 'available', now(), args, attempt, attempted_at, attempted_by, created_at, errors, kind, max_attempts,
		metadata, priority, queue, tags, unique_key, unique_states FROM lost
	RETURNING id`
