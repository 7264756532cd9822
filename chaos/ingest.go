package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ingesting kills everything while people add documents: none that was acknowledged may be lost, and each becomes what it
// would have become if nothing had happened.
var ingesting = scenario{
	name: "ingest",
	promise: "acknowledged documents become final, with the chunks of an undisturbed ingestion; the index holds exactly those; " +
		"nothing is embedded again but what was under way at a fault",
	setups: []setup{onSQLite, onNodes},
	short:  size{count: 40, kills: 1, people: 4},
	long:   size{count: 5_000, kills: 50, people: 20},
	play:   playIngest,
}

const (
	ingestWorkers = 4               // of a node: documents that it works on at once
	documentsDone = 6 * time.Minute // in which another one becomes final, at the least: what was refused in an outage may be asked for again that late
	mostAtOnce    = 40              // passages that one of the papers has
	callsAgain    = 3               // times that a call may reach the model while the way there is bad
)

func playIngest(ctx context.Context, r *round) error {
	d, err := r.openData(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	counting, stopCounting := context.WithCancel(ctx)
	costs, watching := r.watchPaid(counting)
	defer watching.Wait()
	defer stopCounting()

	calm, err := r.calmPapers(ctx, d)
	if err != nil {
		return err
	}
	list, cuts, err := r.addAndBreak(ctx)
	if err != nil {
		return err
	}
	r.count("acknowledged documents", len(list))
	r.say("%d documents acknowledged", len(list))
	if err := r.documentsFinal(ctx, d); err != nil {
		return err
	}
	if err := r.checkVectors(ctx, d, vectorsWithin); err != nil {
		return err
	}
	if err := r.checkDocuments(ctx, d, calm, list); err != nil {
		return err
	}
	once, more := costs.again()
	faults := r.kinds() * r.size.kills
	most := (faults + callsAgain*cuts) * ingestWorkers * len(r.nodes) * mostAtOnce
	r.note("%d passages embedded, %d of them once more for %d kills and %d faults of upstreams", once, more, faults, cuts)
	if more > most {
		r.violated("%d passages were embedded again, with %d kills and %d faults of upstreams", more, faults, cuts)
	}
	return nil
}

// kinds is how many things the killers kill.
func (r *round) kinds() int { return len(r.killers()) }

// calmPapers adds one paper of each pattern before anything breaks, and waits until they are final.
func (r *round) calmPapers(ctx context.Context, d *data) (map[string]added, error) {
	p, bot, err := r.newOwner(ctx, "calm")
	if err != nil {
		return nil, err
	}
	calm := map[string]added{}
	for _, pattern := range patterns {
		if calm[pattern.name], err = p.add(ctx, bot, pattern.paper(noMark)); err != nil {
			return nil, err
		}
	}
	if err := r.documentsFinal(ctx, d); err != nil {
		return nil, err
	}
	stored, err := d.documents(ctx)
	if err != nil {
		return nil, err
	}
	for name, a := range calm {
		s := stored[key(a.id)]
		wanted := "READY"
		if name == "broken.pdf" || name == "drawn.pdf" {
			wanted = "FAILED"
		}
		if s == nil || s.status != wanted || wanted == "READY" && len(s.chunks) == 0 || wanted != "READY" && s.reason == "" || len(s.chunks) > mostAtOnce {
			return nil, fmt.Errorf("undisturbed, %s becomes %+v", name, s)
		}
	}
	return calm, nil
}

// addAndBreak has people add papers until all are acknowledged and all faults are over.
func (r *round) addAndBreak(ctx context.Context) (list []added, cuts int, err error) {
	var adding, breaking sync.WaitGroup
	works, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	enough := make(chan struct{}) // closed when all kills are done
	var mu sync.Mutex
	for i := range r.size.people {
		p, bot, err := r.newOwner(ctx, fmt.Sprintf("writer-%d", i))
		if err != nil {
			return nil, 0, err
		}
		adding.Go(func() {
			err := p.addPapers(works, bot, i, r.size, enough, func(a added) {
				mu.Lock()
				defer mu.Unlock()
				list = append(list, a)
			})
			if err != nil {
				stop(err)
			}
			r.count("requests that were repeated", int(p.tried.Load()))
		})
	}
	upstreams := r.cutters(map[string]*link{"the model": r.model, "the index": r.vectors}, []string{"the model", "the index"}, 3*time.Second)
	breaking.Go(func() {
		defer close(enough)
		if err := r.faults(works, r.killers(), r.size.kills, 500*time.Millisecond, 2*time.Second); err != nil {
			stop(err)
		}
	})
	breaking.Go(func() {
		for works.Err() == nil {
			select {
			case <-enough:
				return
			default:
			}
			f := upstreams[r.dice.n(len(upstreams))]
			if err := errors.Join(pause(works, r.dice.between(2*time.Second, 10*time.Second)), f.do(works)); err != nil {
				if works.Err() == nil {
					stop(err)
				}
				return
			}
			r.count(f.name, 1)
			cuts++
		}
	})
	adding.Wait()
	breaking.Wait()
	if err := context.Cause(works); err != nil && !errors.Is(err, context.Canceled) {
		return nil, 0, err
	}
	return list, cuts, ctx.Err()
}

// addPapers adds this person's share, spread over the time of the faults: so many at once as an app would, and the rest once
// what was added before is further on.
func (p *person) addPapers(ctx context.Context, bot string, number int, s size, enough <-chan struct{}, acked func(added)) error {
	share := s.count / s.people
	for i := range share {
		a, err := p.add(ctx, bot, paperOf(number*share+i))
		if err != nil {
			return err
		}
		acked(a)
		select {
		case <-enough: // what is left is added at once
		default:
			if err := pause(ctx, p.dice.between(0, 2*spread(s))); err != nil {
				return err
			}
		}
	}
	return nil
}

// spread is the mean pause between two papers of one person, so that they last as long as the kills do.
func spread(s size) time.Duration {
	lasting := time.Duration(s.kills) * 4 * 2 * time.Second // four kinds of kills, two seconds each
	return lasting / time.Duration(max(1, s.count/s.people))
}

// documentsFinal waits until every document is, and until what was left of former versions is gone.
func (r *round) documentsFinal(ctx context.Context, d *data) error {
	began := time.Now()
	left := func() (n int, err error) {
		return d.number(ctx, `SELECT (SELECT count(*) FROM documents WHERE deleted_at IS NULL AND `+unfinishedDocuments+`) +
			(SELECT count(*) FROM river_job WHERE kind IN ('purge', 'purge-bot') AND finalized_at IS NULL)`)
	}
	told, moved, least := time.Now(), time.Now(), 0
	err := await(ctx, time.Hour, func() bool {
		n, err := left()
		if err == nil && (n < least || least == 0) {
			least, moved = n, time.Now()
		}
		if time.Since(told) > 20*time.Second {
			told = time.Now()
			r.say("%d documents and purges are not done yet", n)
		}
		return err == nil && n == 0 || time.Since(moved) > documentsDone
	})
	if n, failed := left(); err == nil && (failed != nil || n > 0) {
		err = fmt.Errorf("%d, and none for %s: %v", n, documentsDone, failed) //nolint:errorlint // may be none
	}
	if err == nil {
		r.say("all documents are final after %s", time.Since(began).Round(time.Second))
		return nil
	}
	states, unread := d.states(ctx)
	r.violated("documents are not final %s after the end: %v %v %v", time.Since(began).Round(time.Second), err, states, unread)
	return ctx.Err()
}

// states are how many documents are in which state, for a message.
func (d *data) states(ctx context.Context) (map[string]int, error) {
	rows, err := d.db.QueryContext(ctx, `SELECT status, count(*) FROM documents WHERE deleted_at IS NULL GROUP BY status`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	states := map[string]int{}
	for rows.Next() {
		var name string
		var n int
		if err := rows.Scan(&name, &n); err != nil {
			return nil, err
		}
		states[name] = n
	}
	return states, rows.Err()
}
