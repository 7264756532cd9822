package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kyrochat/client"
	"kyrochat/kyro"
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
		p, err := r.newPerson(ctx, fmt.Sprintf("reader-%d", i))
		if err != nil {
			return err
		}
		bot, err := p.newBot(ctx)
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

// follower brings a tab to the end of its answer.
type follower struct {
	*theatre
	*tab
	p      *person
	dice   *dice
	events bool // over event streams, not websockets
}

func (f *follower) run(ctx context.Context) error {
	if err := f.toTheEnd(ctx, goodCursor); err != nil {
		return err
	}
	// Once more from the end, from the middle, and from nowhere.
	for _, cursor := range []string{goodCursor, pastCursor, noCursor} {
		if err := f.toTheEnd(ctx, cursor); err != nil {
			return err
		}
	}
	return nil
}

// toTheEnd follows until the answer's end is shown. The first cursor is chosen so; then as it comes.
func (f *follower) toTheEnd(ctx context.Context, cursor string) error {
	until := time.Now().Add(workPatience)
	f.finished = nil
	for tries := 0; ; tries++ {
		if tries > 0 {
			cursor = f.choose()
		}
		done, err := f.listen(ctx, cursor)
		switch {
		case done:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case time.Now().After(until):
			return fmt.Errorf("a tab did not come to the end of %s within %s, at last: %w", f.answer, workPatience, err)
		case f.faulting.Load() > 0 || err != nil && !errors.Is(err, errEnough) && !errors.Is(err, errBroken):
			if err := pause(ctx, f.dice.between(0, 2*followedPause)); err != nil {
				return err
			}
		}
	}
}

// choose gives one cursor in five that is not the last one.
func (f *follower) choose() string {
	if f.cursor == "" {
		return noCursor
	}
	odd := []string{noCursor, pastCursor, pastCursor, firstCursor, futureCursor, otherAttempt, foreignCursor, garbageCursor}
	if at := f.dice.n(5 * len(odd)); at < len(odd) {
		return odd[at]
	}
	return goodCursor
}

// after gives the cursor that was chosen, and has the tab show what it showed there.
func (f *follower) after(chosen string) any {
	to := f.place
	switch chosen {
	case noCursor:
		return nil
	case pastCursor, firstCursor:
		if len(f.past) > 0 {
			at := 0
			if chosen == pastCursor {
				at = f.dice.n(len(f.past))
			}
			f.goBack(f.past[at])
		}
	case futureCursor:
		to.Seq += 1_000 + int64(f.dice.n(1_000_000))
		return to.String()
	case otherAttempt:
		if to.Attempt += 1 + int64(f.dice.n(3)); f.dice.n(2) == 0 {
			to.Attempt = max(0, f.place.Attempt-1)
			to.Seq = max(1, to.Seq)
		}
		return to.String()
	case foreignCursor:
		if other := f.last.Load(); other != nil && *other != f.cursor {
			return *other
		}
		to.Stream = kyro.MessageID(to.Stream.Key + 1)
		return to.String()
	case garbageCursor:
		return []string{"x", "s1|msg_1|1|1", f.cursor + "A", f.cursor[:len(f.cursor)/2], strings.Repeat("czF8", 600), "🙂"}[f.dice.n(6)]
	}
	if f.cursor == "" {
		return nil
	}
	return f.cursor
}

// listen opens one connection and reads until it breaks. done: the answer's end came, and the stream was completed.
func (f *follower) listen(ctx context.Context, chosen string) (done bool, err error) {
	returns := f.cursor != ""
	after := f.after(chosen)
	if after == nil {
		chosen = noCursor
	}
	n := f.dice.n(len(f.nodes))
	o := route{base: f.nodes[n].url(), how: breakage(f.dice.n(len(breakages) + 1)), after: 1 + f.dice.n(12_000), frozen: f.dice.between(50*time.Millisecond, 2*time.Second)}
	if f.dice.n(3) == 0 {
		o.base = "http://" + f.streets[n].address
	}
	if f.dice.n(40) == 0 {
		o.frozen = 8 * time.Second // longer than a server waits for its clients
	}
	l, left := &listening{tab: f.tab, asked: chosen}, 1+f.dice.n(60)
	see := func(e told) error {
		var event struct{ MessageStream streamEvent }
		if err := decode(e.data, &event); err != nil {
			return err
		}
		if f.events && e.id != event.MessageStream.Cursor {
			f.violated("%s: an event with the cursor %s has the id %s", f.answer, event.MessageStream.Cursor, e.id)
		}
		l.handle(event.MessageStream)
		if left--; left == 0 && o.how == leaves {
			return errEnough
		}
		return nil
	}
	variables := map[string]any{"m": f.answer, "a": after}
	if f.events {
		lastID, _ := after.(string)
		if lastID != "" {
			delete(variables, "a")
			if f.dice.n(2) == 0 && f.cursor != "" {
				variables["a"] = f.past[0].cursor // which it began with; the id goes before it
			}
		}
		err = f.p.overEvents(ctx, o, followAnswer, variables, lastID, see)
	} else {
		err = f.p.overSocket(ctx, o, followAnswer, variables, see)
	}
	code := ""
	if problems, ok := errors.AsType[client.Errors](err); ok {
		code = client.Code(problems)
	}
	refused := chosen == foreignCursor || chosen == garbageCursor && after != ""
	switch {
	case err == nil && !l.ended:
		f.violated("%s: a stream was completed without an end, with %s", f.answer, chosen)
	case l.events > 0 && refused:
		f.violated("%s: %s was taken", f.answer, chosen)
	case code != "" && code != "BAD_USER_INPUT" && !passing(err), code == "BAD_USER_INPUT" && !refused && chosen != garbageCursor:
		f.violated("%s: with %s, %v", f.answer, chosen, err)
	}
	if returns && (l.events > 0 || code == "BAD_USER_INPUT") {
		f.resumed.Add(1)
		f.count("resumes with "+chosen, 1)
		if f.events {
			f.count("of them by Last-Event-ID", 1)
		}
	}
	if err != nil && breakages[o.how] != "" && l.events > 0 {
		f.count(breakages[o.how], 1)
	}
	return err == nil && l.ended, err
}
