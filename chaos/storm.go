package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"kyrochat/client"
)

// storm is everything at once: people do all there is to do, while faults of every kind come alone and in pairs.
var storm = scenario{
	name: "storm",
	promise: "whatever breaks, alone or in pairs: acknowledged messages, answers, sign-ups, documents, deletions, refreshes and mails hold; " +
		"every error has a code, and no request hangs",
	setups: []setup{onSQLite, onOne, onNodes},
	short:  size{count: 4, people: 3},
	long:   size{count: 250, people: 6},
	play:   playStorm,
}

func playStorm(ctx context.Context, r *round) error {
	r.answersSlowly()
	weather := &weather{round: r}
	r.watch, r.patience = weather.watched, stormPatience
	life := &life{round: r, acked: &ledger{}, ears: &ears{}, enough: make(chan struct{})}
	var living sync.WaitGroup
	lives, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	start := func(name string, do func(ctx context.Context, p *person, bot string) error) error {
		p, bot, err := r.newOwner(ctx, name)
		if err != nil {
			return err
		}
		living.Go(func() {
			if err := do(lives, p, bot); err != nil {
				stop(fmt.Errorf("%s: %w", name, err))
			}
			r.count("requests that were repeated", int(p.tried.Load()))
			if p.session.late > 0 {
				r.count("sessions that ended since no answer came within their grace", p.session.late)
			}
		})
		return nil
	}
	for i := range r.size.people {
		err := errors.Join(
			start(fmt.Sprintf("talker-%d", i), life.talk),
			start(fmt.Sprintf("writer-%d", i), life.write),
			start(fmt.Sprintf("refresher-%d", i), life.refresh))
		if err != nil {
			return err
		}
	}
	living.Go(func() {
		if err := life.comeAndGo(lives); err != nil {
			stop(err)
		}
	})
	err := weather.strikes(lives, r.size.count)
	close(life.enough)
	living.Wait()
	if cause := context.Cause(lives); err == nil && cause != nil && !errors.Is(cause, context.Canceled) {
		err = cause
	}
	if err != nil {
		return err
	}
	weather.say("the storm is over")
	return life.check(ctx, weather)
}

// stormPatience is how long a client waits for an answer: an operation has ten seconds, and whoever answers later hangs.
const stormPatience = 15 * time.Second

// weather is what breaks, and since when.
type weather struct {
	*round
	mu     sync.Mutex
	broken map[int][][2]time.Time // when each server was killed or frozen; the end is zero while it is
	kills  int                    // of what mails pass through, or where it is noted that they did
	slow   time.Duration          // the slowest answer
}

// strike is a fault and what it is done to: two at once are done to two things.
type strike struct {
	fault
	target string
	mails  bool // it may have a mail sent twice
}

const (
	shortest = 200 * time.Millisecond
	longest  = 4 * time.Second
)

// all are all the strikes there are.
func (w *weather) all() (list []strike) {
	add := func(target, name string, mails bool, begin, end func(ctx context.Context) error) {
		list = append(list, strike{target: target, mails: mails, fault: fault{name: name, do: func(ctx context.Context) error {
			if err := begin(ctx); err != nil {
				return err
			}
			return errors.Join(pause(ctx, w.dice.between(shortest, longest)), end(context.WithoutCancel(ctx)))
		}}})
	}
	plain := func(do func() error) func(context.Context) error { return func(context.Context) error { return do() } }
	for i, n := range w.nodes {
		add(n.name, "kill -9 of "+n.name, true, func(context.Context) error { w.breaks(i); return n.killed() },
			func(ctx context.Context) error { defer w.heals(i); return n.comeBack(ctx) })
		add(n.name, "freeze of "+n.name, true, func(context.Context) error { w.breaks(i); return n.freeze() },
			func(context.Context) error { defer w.heals(i); return n.thaw() })
	}
	links := map[string]*link{"the model": w.model, "the vectors": w.vectors, "the mails": w.mails}
	order := []string{"the model", "the vectors", "the mails"}
	if w.setup != onSQLite {
		links["the database"], links["the cache"] = w.database, w.cache
		order = append(order, "the database", "the cache")
		add("PostgreSQL", "kill -9 of PostgreSQL", true, plain(w.postgres.Kill), starting(w.postgres.Restart))
		add("PostgreSQL", "freeze of PostgreSQL", true, plain(w.postgres.Freeze), plain(w.postgres.Thaw))
		add("Redis", "kill -9 of Redis", false, plain(w.redis.Stop), starting(w.redis.Restart))
		add("Redis", "freeze of Redis", false, plain(w.redis.Freeze), plain(w.redis.Thaw))
	}
	for _, name := range order {
		k, mails := links[name], name == "the mails" || name == "the database"
		target := "the way to " + name
		add(target, "refusing "+name, mails, plain(func() error { k.refuse(); return nil }), plain(k.accept))
		add(target, "freezing the way to "+name, mails, plain(func() error { k.freeze(); return nil }), plain(func() error { k.thaw(); return nil }))
		add(target, "resetting the way to "+name, mails, plain(func() error { k.cut(); return nil }), plain(func() error { k.cut(); return nil }))
		add(target, "slowing the way to "+name, false, plain(func() error { k.slow(w.dice.between(10*time.Millisecond, 150*time.Millisecond)); return nil }),
			plain(func() error { k.slow(0); return nil }))
	}
	return list
}

// strikes lets so many come, every other one a pair, until each kind has come as often as the others.
func (w *weather) strikes(ctx context.Context, count int) error {
	var deck []strike
	draw := func() strike {
		if len(deck) == 0 {
			deck = w.all()
			for i := len(deck) - 1; i > 0; i-- {
				j := w.dice.n(i + 1)
				deck[i], deck[j] = deck[j], deck[i]
			}
		}
		s := deck[0]
		deck = deck[1:]
		return s
	}
	for i := range count {
		if err := pause(ctx, w.dice.between(300*time.Millisecond, 2*time.Second)); err != nil {
			return context.Cause(ctx)
		}
		pair := []strike{draw()}
		if w.dice.n(2) == 0 {
			if second := draw(); second.target != pair[0].target {
				pair = append(pair, second)
				w.count("pairs", 1)
			} else {
				deck = append(deck, second)
			}
		}
		failed := make(chan error, len(pair))
		for _, s := range pair {
			go func() { failed <- s.do(ctx) }()
			w.count(s.name, 1)
			if s.mails {
				w.kills++
			}
		}
		var wrong []error
		for _, s := range pair {
			if err := <-failed; err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", s.name, err))
			}
		}
		if err := errors.Join(wrong...); err != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		if (i+1)%max(1, count/10) == 0 {
			w.say("%d of %d strikes", i+1, count)
		}
	}
	return nil
}

func (w *weather) breaks(node int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil {
		w.broken = map[int][][2]time.Time{}
	}
	w.broken[node] = append(w.broken[node], [2]time.Time{time.Now()})
}

func (w *weather) heals(node int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.broken[node]
	list[len(list)-1][1] = time.Now()
}

// wasBroken says whether a server was killed or frozen at some time since.
func (w *weather) wasBroken(node int, since time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, span := range w.broken[node] {
		if span[1].IsZero() || span[1].After(since) {
			return true
		}
	}
	return false
}

// watched holds that errors have a code that says what happened, and that a server which is there answers while its
// client waits.
func (w *weather) watched(node int, began time.Time, err error) {
	took := time.Since(began)
	broken := w.wasBroken(node, began)
	if !broken {
		w.mu.Lock()
		w.slow = max(w.slow, took)
		w.mu.Unlock()
	}
	if err == nil {
		return
	}
	if answered, ok := errors.AsType[client.Errors](err); ok {
		switch code := client.Code(answered); code {
		case "", "INTERNAL":
			w.violated("an error with the code %q: %v", code, err)
		default:
			w.count("tries answered "+code, 1)
		}
		return
	}
	if status, ok := errors.AsType[*client.StatusError](err); ok {
		w.violated("an answer without a code: %v", status)
		return
	}
	if errors.Is(err, context.DeadlineExceeded) && !broken {
		w.violated("%s did not answer for %s, and was neither killed nor frozen", w.nodes[node].name, took.Round(time.Millisecond))
	}
	if !broken && !errors.Is(err, context.Canceled) {
		w.count("tries cut off", 1)
	}
}
