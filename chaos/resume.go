package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// resume has two tabs follow each answer over connections that break in every way and at any place, and come back with
// the cursor of the last event they handled, or with one that is of no use. What they show in the end must be what is
// stored, byte by byte. At first only their connections break; then servers and services do as well.
var resume = scenario{
	name:    "resume",
	promise: "resumed streams give every event once, one end, and the stored text byte by byte",
	setups:  []setup{onSQLite, onOne, onNodes},
	short:   size{count: 150, kills: 1, people: 4, length: 3 * time.Second},
	long:    size{count: 10_000, kills: 5, people: 20, length: 8 * time.Second},
	settings: map[string]string{
		"KYRO_ANSWER_RESTART": "true", // so that cursors of another attempt come about
		"KYRO_ANSWER_LEASE":   "10s", "KYRO_ANSWER_HEARTBEAT": "3s", "KYRO_ANSWER_SWEEP": "2s",
		"KYRO_ACCESS_TOKEN_TTL": "4h", // these people do not refresh theirs
	},
	play: playResume,
}

// How a tab chooses its cursor. Most are good ones.
const (
	noCursor      = "no cursor"
	goodCursor    = "the last cursor"
	pastCursor    = "a cursor of the past"
	firstCursor   = "the first cursor"
	futureCursor  = "a cursor of the future"
	otherAttempt  = "a cursor of another attempt"
	foreignCursor = "a cursor of another answer"
	garbageCursor = "a cursor that is none"
)

const (
	piecePace     = 20 * time.Millisecond
	wordsOfPiece  = 2
	followedPause = 100 * time.Millisecond // before a tab whose server is away comes back
)

// theatre is what a resume scenario shares between its tabs.
type theatre struct {
	*round
	streets  []*link // one to each server, on the clients' side; about a third of the connections go through them
	resumed  atomic.Int64
	broken   atomic.Int64 // faults that have begun, other than of tabs' own connections
	faulting atomic.Int64 // and have not ended
	last     atomic.Pointer[string]
	longest  atomic.Int64 // seqs that were taken back at once
}

func playResume(ctx context.Context, r *round) error {
	r.counting(piecePace)
	s := &theatre{round: r}
	for _, n := range r.nodes {
		street, err := newLink(n.address)
		if err != nil {
			return err
		}
		defer street.close()
		s.streets = append(s.streets, street)
	}
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var people, breaking sync.WaitGroup
	enough, calm := make(chan struct{}), make(chan struct{})
	breaking.Go(func() { s.breakStreets(working, enough) })
	breaking.Go(func() {
		defer close(enough)
		select {
		case <-calm:
		case <-working.Done():
			return
		}
		if err := r.faults(working, s.faults(), r.size.kills, time.Second, 3*time.Second); err != nil {
			stop(err)
		}
	})
	var told sync.Once
	for i := range r.size.people {
		p, bot, err := r.newOwner(ctx, fmt.Sprintf("reader-%d", i))
		if err != nil {
			return err
		}
		people.Go(func() {
			for n := 0; working.Err() == nil; n++ {
				done := int(s.resumed.Load())
				if i == 0 {
					r.say("%d resumes", done)
				}
				if done >= r.size.count*3/4 {
					told.Do(func() { close(calm) })
				}
				select {
				case <-enough:
					if done >= r.size.count {
						return
					}
				default:
				}
				if err := s.readAnswer(working, p, bot, fmt.Sprintf("r%dx%d", i, n)); err != nil {
					stop(err)
				}
			}
		})
	}
	people.Wait()
	breaking.Wait()
	if err := context.Cause(working); err != nil {
		return err
	}
	r.note("at most %d events of an answer were taken back from a tab, by a server that was lost", s.longest.Load())
	return nil
}

// faults are those of the servers and services, noted while they last.
func (s *theatre) faults() (list []fault) {
	noted := func(name string, do func(ctx context.Context) error) {
		list = append(list, fault{name, func(ctx context.Context) error {
			s.broken.Add(1)
			s.faulting.Add(1)
			defer s.faulting.Add(-1)
			return do(ctx)
		}})
	}
	for _, f := range s.killers() {
		if f.name != killOfPostgres { // what a stream does without its database is messages' and storm's to find out
			noted(f.name, f.do)
		}
	}
	for _, n := range s.nodes {
		noted("freeze of "+n.name, func(ctx context.Context) error {
			return s.frozen(ctx, n.freeze, n.thaw)
		})
	}
	if s.redis != nil {
		noted("freeze of Redis", func(ctx context.Context) error { return s.frozen(ctx, s.redis.Freeze, s.redis.Thaw) })
	}
	return list
}

// frozen freezes something for a while, at times for longer than the lease of an answer.
func (s *theatre) frozen(ctx context.Context, freeze, thaw func() error) error {
	if err := freeze(); err != nil {
		return err
	}
	err := pause(ctx, s.dice.between(200*time.Millisecond, 8*time.Second))
	return errors.Join(err, thaw())
}

// breakStreets cuts and freezes what lies between clients and servers, again and again.
func (s *theatre) breakStreets(ctx context.Context, enough <-chan struct{}) {
	for {
		select {
		case <-enough:
			return
		case <-ctx.Done():
			return
		case <-time.After(s.dice.between(time.Second, 3*time.Second)):
		}
		street := s.streets[s.dice.n(len(s.streets))]
		if s.dice.n(2) == 0 {
			street.cut()
			s.count("cuts of a whole street", 1)
			continue
		}
		street.freeze()
		_ = pause(ctx, s.dice.between(100*time.Millisecond, 3*time.Second))
		street.cut()
		street.thaw()
		s.count("freezes of a whole street", 1)
	}
}

// readAnswer asks for an answer, has two tabs follow it, and compares what they show with what is stored.
func (s *theatre) readAnswer(ctx context.Context, p *person, bot, name string) error {
	words := wordsOfPiece * int(s.size.length/piecePace)
	before := s.broken.Load()
	undisturbed := s.faulting.Load() == 0
	sent, err := p.send(ctx, bot, "", name, countTo(name, words))
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	answers := []string{sent.Answer}
	for i := 0; i < len(answers); i++ {
		disturbed := func() bool { return !undisturbed || s.broken.Load() != before }
		tabs := [2]*tab{}
		var reading sync.WaitGroup
		errs := [2]error{}
		for side := range tabs {
			t := &tab{answer: answers[i], violated: s.violated, disturbed: disturbed}
			tabs[side] = t
			f := &follower{theatre: s, tab: t, p: p, dice: p.dice.fork(), events: p.dice.n(4) == 0}
			reading.Go(func() { errs[side] = f.run(ctx) })
		}
		reading.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := s.compare(ctx, answers[i], tabs, counted(name, words), disturbed()); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s.last.Store(&tabs[0].cursor)
		if i == 0 && p.dice.n(5) == 0 {
			again, err := p.regenerate(ctx, answers[i], name+"again")
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			answers = append(answers, again)
		}
	}
	return nil
}

// compare holds what two tabs show against what is stored, and that against what the model said.
func (s *theatre) compare(ctx context.Context, answer string, tabs [2]*tab, said string, disturbed bool) error {
	status, text, err := s.storedAnswer(ctx, answer)
	if err != nil {
		return err
	}
	s.count("answers "+status, 1)
	for _, t := range tabs {
		if t.text != text {
			s.violated("%s: a tab shows %s, which is stored", answer, difference(t.text, text))
		}
		if t.finished.Message.Status != status {
			s.violated("%s: the end said %s, and stored is %s", answer, t.finished.Message.Status, status)
		}
		s.count("snapshots in place of events", t.snapshots)
		s.count("tabs that saw an answer begin anew", t.restarts)
		for most := s.longest.Load(); int64(t.setBack) > most && !s.longest.CompareAndSwap(most, int64(t.setBack)); most = s.longest.Load() {
		}
	}
	if !strings.HasPrefix(said, text) {
		s.violated("%s: stored is %s, and that the model did not say", answer, difference(text, said))
	}
	switch {
	case status == "COMPLETED" && text != said:
		s.violated("%s: stored is %s, which the model said", answer, difference(text, said))
	case status != "COMPLETED" && !disturbed: // of a machine so busy that a lease was over, which is not what is looked for here
		s.count("answers that their server lost by itself", 1)
	}
	return nil
}
