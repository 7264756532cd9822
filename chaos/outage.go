package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"kyrochat/internal/gemini"
)

// outages take one service away, or another node, in every way, while people go on asking for everything there is: each
// request is answered soon, with UNAVAILABLE where it cannot be helped and normally where it can, readiness tells the
// truth, and all works again soon after the service is back.
var outages = scenario{
	name:    "outage",
	promise: "requests are answered within 3 s, with UNAVAILABLE only where it cannot be helped; /readyz tells the truth; it works again within 10 s, without a crowd",
	setups:  []setup{onSQLite, onOne, onNodes},
	short:   size{count: 2, people: 4, length: 4 * time.Second},
	long:    size{count: 100, people: 8, length: 20 * time.Second},
	// A model that says nothing is waited for this long; the default is 20 s.
	settings: map[string]string{"KYRO_ANSWER_FIRST_BYTE_TIMEOUT": "3s", "KYRO_USER_MAX_DOCUMENTS": "0", "KYRO_MAX_UNFINISHED_DOCUMENTS": "0"},
	play:     func(ctx context.Context, r *round) error { return playOutages(ctx, r, false) },
}

// offline is the same where the offline model stands in for one that is away.
var offline = scenario{
	name:     "fallback",
	promise:  "while the model is away, answers are quoted from the documents and say so",
	setups:   []setup{onSQLite},
	short:    size{count: 1, people: 2, length: 4 * time.Second},
	long:     size{count: 100, people: 8, length: 20 * time.Second},
	settings: map[string]string{"KYRO_OFFLINE_FALLBACK": "true", "KYRO_ANSWER_FIRST_BYTE_TIMEOUT": "3s", "KYRO_USER_MAX_DOCUMENTS": "0"},
	play:     func(ctx context.Context, r *round) error { return playOutages(ctx, r, true) },
}

const (
	answeredWithin = 3 * time.Second
	readyTellsIn   = 5 * time.Second  // that the database is away
	worksWithin    = 10 * time.Second // of the return
	mailTakes      = 15 * time.Second // at the most: one whose connection was lost is tried again only then
	breakerLeaves  = 6 * time.Second  // an upstream that failed alone, before it is tried again
)

// outage is one way in which something is away.
type outage struct {
	name    string
	away    string // which service: postgres, redis, model, vectors, mails or node
	begin   func() error
	end     func(ctx context.Context) error
	link    *link // to it; nil: none is looked at
	crowd   int   // how many connections may be opened to it in the first two seconds after the return
	refused bool  // it answers, with a refusal: calls can be counted
}

// ways are the outages of the setup.
func (r *round) ways() (list []outage) {
	through := func(name, away string, k *link, crowd int) {
		list = append(list,
			outage{name + " refuses", away, func() error { k.refuse(); return nil }, func(context.Context) error { return k.accept() }, k, crowd, false},
			outage{name + " frozen", away, func() error { k.freeze(); return nil }, func(context.Context) error { k.thaw(); return nil }, k, crowd, false},
			outage{name + " half open", away, func() error { k.lose(); return nil }, func(context.Context) error { k.find(); return nil }, k, crowd, false})
	}
	through("model", "model", r.model, 20*len(r.nodes))
	through("vectors", "vectors", r.vectors, 4*len(r.nodes))
	through("mails", "mails", r.mails, 0)
	list = append(list, outage{name: "model answers 503", away: "model", link: r.model, crowd: 20 * len(r.nodes), refused: true,
		begin: func() error { r.gemini.Script(gemini.Script{Status: http.StatusServiceUnavailable}); return nil },
		end:   func(context.Context) error { r.gemini.Reset(); return nil }})
	if r.setup == onSQLite {
		return list
	}
	crowd := 20 * len(r.nodes) // a pool has 16, and one watches and one listens
	through("PostgreSQL behind a link that", "postgres", r.database, crowd)
	through("Redis behind a link that", "redis", r.cache, crowd)
	list = append(list,
		outage{"PostgreSQL killed", "postgres", r.postgres.Kill, starting(r.postgres.Restart), r.database, crowd, false},
		outage{"PostgreSQL stopped by SIGSTOP", "postgres", r.postgres.Freeze, func(context.Context) error { return r.postgres.Thaw() }, r.database, crowd, false},
		outage{"Redis killed", "redis", r.redis.Stop, starting(r.redis.Restart), r.cache, crowd, false},
		outage{"Redis stopped by SIGSTOP", "redis", r.redis.Freeze, func(context.Context) error { return r.redis.Thaw() }, r.cache, crowd, false})
	if len(r.nodes) > 1 {
		other := r.nodes[1]
		list = append(list,
			outage{"another node killed", "node", func() error { other.kill(); return nil }, other.start, nil, 0, false},
			outage{"another node stopped by SIGSTOP", "node", other.freeze, func(context.Context) error { return other.thaw() }, nil, 0, false})
	}
	return list
}

// chosenWays are as many of the ways as the size says, by chance, and one of each service before a second one.
func (r *round) chosenWays(only string) []outage {
	all := slices.DeleteFunc(r.ways(), func(o outage) bool { return only != "" && o.away != only })
	for i := len(all) - 1; i > 0; i-- {
		j := r.dice.n(i + 1)
		all[i], all[j] = all[j], all[i]
	}
	var first, rest []outage
	seen := map[string]bool{}
	for _, o := range all {
		if seen[o.away] {
			rest = append(rest, o)
			continue
		}
		seen[o.away] = true
		first = append(first, o)
	}
	slices.SortStableFunc(first, func(a, b outage) int { return rank(a) - rank(b) })
	all = append(first, rest...)
	return all[:min(len(all), r.size.count)]
}

// rank has what matters most first: a short run plays the first few.
func rank(o outage) int {
	if at := slices.Index([]string{"postgres", "redis", "node", "model"}, o.away); at >= 0 {
		return at
	}
	return 4
}

func playOutages(ctx context.Context, r *round, fallback bool) error {
	only := ""
	if fallback {
		only = "model"
	}
	var crew []*asker
	for i := range r.size.people {
		a, err := r.newAsker(ctx, fmt.Sprintf("asker-%d", i), fallback)
		if err != nil {
			return err
		}
		crew = append(crew, a)
	}
	for _, o := range r.chosenWays(only) {
		if err := r.playOutage(ctx, o, crew); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
		r.count("outages", 1)
	}
	for _, a := range crew {
		if err := a.stillSignedIn(ctx); err != nil {
			r.violated("%s was signed out by the outages: %v", a.name, err)
		}
	}
	return nil
}

// playOutage begins an outage, has everybody ask for everything while it lasts, ends it and sees that all is well.
func (r *round) playOutage(ctx context.Context, o outage, crew []*asker) error {
	r.say("%s", o.name)
	nodes := r.nodes
	if o.away == "node" {
		nodes = nodes[:1] // the other ones are asked
	}
	asked := &answers{}
	var working sync.WaitGroup
	lasting, stop := context.WithCancel(ctx)
	defer stop()
	if err := o.begin(); err != nil {
		return err
	}
	began := time.Now()
	for i, a := range crew {
		working.Go(func() {
			for n := i; lasting.Err() == nil; n++ {
				a.askAll(ctx, lasting, nodes[n%len(nodes)], o.away, asked)
			}
		})
	}
	for _, n := range nodes {
		working.Go(func() { r.watchReadiness(lasting, n, o, began) })
	}
	probed := 0
	if o.refused { // who calls it now has had time to learn
		_ = pause(ctx, min(3*time.Second, r.size.length/2))
		probed = r.answersAsked()
	}
	_ = pause(ctx, r.size.length-time.Since(began))
	stop()
	working.Wait()
	if o.refused {
		left := time.Since(began)
		if n, most := r.answersAsked()-probed, len(r.nodes)*(1+int(left/breakerLeaves)); n > most {
			r.violated("%s: it was asked for %d answers in %s after it had failed, at most %d may try", o.name, n, left.Round(time.Second), most)
		}
	}
	for _, wrong := range asked.wrong(o.name) {
		r.violated("%s", wrong)
	}
	before := 0
	if o.link != nil {
		before = o.link.connections()
	}
	if err := o.end(ctx); err != nil {
		return err
	}
	back := time.Now()
	crowd := make(chan int, 1)
	go func() {
		_ = pause(ctx, 2*time.Second)
		if o.link == nil {
			crowd <- 0
			return
		}
		crowd <- o.link.connections() - before
	}()
	took, err := r.worksAgain(ctx, o, crew, back)
	if err != nil {
		return err
	}
	n := <-crowd
	if o.crowd > 0 && n > o.crowd {
		r.violated("%s: %d connections were opened within 2 s of the return, at most %d may be", o.name, n, o.crowd)
	}
	r.note("%s: %s; back after %s; %d connections at the return", o.name, asked.figures(), took.Round(100*time.Millisecond), n)
	return nil
}

// answersAsked is for how many answers the model was asked so far.
func (r *round) answersAsked() (n int) { return len(r.gemini.RequestsOf(gemini.KindAnswer)) }

// worksAgain waits until everything is answered as it was before, at every server.
func (r *round) worksAgain(ctx context.Context, o outage, crew []*asker, back time.Time) (time.Duration, error) {
	within := worksWithin + answeredWithin
	if o.away == "mails" {
		within += mailTakes
	}
	var took time.Duration
	var mu sync.Mutex
	var waiting sync.WaitGroup
	for i, n := range r.nodes {
		a := crew[i%len(crew)]
		waiting.Go(func() {
			last := ""
			err := await(ctx, within-time.Since(back), func() bool {
				if last = a.well(ctx, n, o.away); last != "" {
					_ = pause(ctx, 200*time.Millisecond)
				}
				return last == ""
			})
			mu.Lock()
			defer mu.Unlock()
			if now := time.Since(back); err == nil {
				took = max(took, now)
			}
			if err != nil {
				r.violated("%s: %s after the return %s does not work again: %s", o.name, time.Since(back).Round(time.Second), n.name, last)
			}
		})
	}
	waiting.Wait()
	return took, ctx.Err()
}

// watchReadiness asks a node how it is while something is away.
func (r *round) watchReadiness(ctx context.Context, n *node, o outage, began time.Time) {
	told := false
	for ctx.Err() == nil {
		if code, err := n.ask(ctx, "/healthz", answeredWithin); ctx.Err() == nil && (err != nil || code != http.StatusOK) {
			r.violated("%s: /healthz of %s is %d, %v", o.name, n.name, code, err)
		}
		code, err := n.ask(ctx, "/readyz", answeredWithin)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			r.violated("%s: /readyz of %s does not answer: %v", o.name, n.name, err)
		case o.away == "postgres" && code == http.StatusOK && (told || time.Since(began) > readyTellsIn):
			r.violated("%s: /readyz of %s says 200 after %s", o.name, n.name, time.Since(began).Round(100*time.Millisecond))
		case o.away != "postgres" && code != http.StatusOK:
			r.count("times that a busy server was not ready for half a second", 1)
		}
		told = told || code == http.StatusServiceUnavailable
		_ = pause(ctx, 100*time.Millisecond)
	}
}
