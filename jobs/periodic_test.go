package jobs_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"kyrochat/jobs"
	"kyrochat/kyro"
)

func TestPeriodicWorkMayGoOnAtOnce(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		ran := make(chan struct{}, 10)
		turns := 0
		start(t, db, quick(), func(q *jobs.Queue) {
			q.Periodic("sweep", time.Hour, func(context.Context) error {
				turns++
				ran <- struct{}{}
				switch turns {
				case 1:
					return kyro.ErrJobAgain
				case 2:
					return kyro.JobAgainAfter(time.Millisecond)
				}
				return nil
			})
		})
		for range 3 {
			receive(t, ran)
		}
		until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'completed' AND errors IS NULL")
	})
}

func TestSomeKindsMayTakeLonger(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		c := quick()
		c.Timeouts = map[kyro.JobKind]time.Duration{kyro.JobPurge: 3 * time.Hour}
		allowed := map[kyro.JobKind]chan time.Duration{}
		start(t, db, c, func(q *jobs.Queue) {
			for _, kind := range []kyro.JobKind{kyro.JobIngest, kyro.JobPurge, kyro.JobReconcile} {
				left := make(chan time.Duration, 1)
				allowed[kind] = left
				q.Handle(kind, func(ctx context.Context, _ kyro.Job) error {
					deadline, _ := ctx.Deadline()
					left <- time.Until(deadline)
					return nil
				})
				add(t, db, q, kyro.Job{Kind: kind, Key: 1})
			}
		})
		for kind, most := range map[kyro.JobKind]time.Duration{
			kyro.JobIngest: 45 * time.Second, kyro.JobReconcile: 30 * time.Minute, kyro.JobPurge: 3 * time.Hour,
		} {
			if left := receive(t, allowed[kind]); left > most || left < most/2 {
				t.Errorf("%s may take %s of %s", kind, left, most)
			}
		}
	})
}

// TestPeriodicWorkThatFailsIsTriedAgain where the next turn is far.
func TestPeriodicWorkThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, db database) {
		ran := make(chan struct{}, 10)
		var turns atomic.Int32
		start(t, db, quick(), func(q *jobs.Queue) {
			q.Periodic("sweep", time.Hour, func(context.Context) error {
				ran <- struct{}{}
				if turns.Add(1) < 3 {
					return errors.New("the database is away")
				}
				return nil
			})
		})
		for range 3 {
			receive(t, ran)
		}
		until(t, db, 1, "SELECT count(*) FROM river_job WHERE state = 'completed'")
	})
}
