package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kyrochat/client"
	"kyrochat/kyro"
)

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
