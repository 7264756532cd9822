package plan

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"sync"

	"github.com/99designs/gqlgen/graphql"
)

// Events are those of a subscription under way. They are asked for and written by one goroutine.
type Events struct {
	draw  func(ctx context.Context) (more bool, err error) // waits for the next
	value func() any                                       // the one that was drawn
	write func() bool
	stop  func()

	mu    sync.Mutex
	ahead bool // one was drawn before it was asked for
	over  bool

	// The end, where it was found by looking ahead.
	err   error
	panic any
}

// Peek waits for the next event and gives it, but leaves it to Next. nil where there is none, of which Next tells more.
func (e *Events) Peek(ctx context.Context) any {
	e.mu.Lock()
	defer e.mu.Unlock()
	defer func() {
		if p := recover(); p != nil {
			e.panic = fmt.Sprintf("%v\n%s", p, debug.Stack()) // for Next, which has nothing of this stack
		}
	}()
	if !e.ahead && !e.over {
		e.over = true // unless there is one: a panic is the end too
		more, err := e.draw(ctx)
		if more && err == nil {
			e.over, e.ahead = false, true
		} else if e.err = err; err == nil {
			e.stop()
		}
	}
	if !e.ahead {
		return nil
	}
	return e.value()
}

// Next waits for the next event and reports whether there is one. An error is the end.
func (e *Events) Next(ctx context.Context) (more bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.panic != nil:
		p := e.panic
		e.panic = nil
		e.stop()
		panic(p)
	case e.err != nil:
		err, e.err = e.err, nil
		e.stop()
		return false, err
	case e.over:
		return false, nil
	case e.ahead:
		e.ahead = false
		return true, nil
	}
	e.over = true // unless there is one: a panic is the end too
	if more, err = e.draw(ctx); more && err == nil {
		e.over = false
		return true, nil
	}
	e.stop()
	return false, err
}

// Close ends what the events come from, once whoever waits for the next has left. It may be called at any time.
func (e *Events) Close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	e.stop()
}

// Event writes the event that Next has found, as the data of a response. It reports false where it must not be null and
// is.
func (r *Run) Event(p *Plan, e *Events) bool {
	f := &p.Root.Fields[0]
	r.Open()
	r.Key(f)
	r.Enter(f)
	if !e.write() {
		return false
	}
	r.Leave()
	r.Close()
	return true
}

// Reset makes the run ready for another response, which is written where the one before was.
func (r *Run) Reset(ctx context.Context) {
	r.Buf, r.path, r.ctx, r.slots = r.Buf[:0], r.path[:0], ctx, nil
	r.undid++
}

// offer is where a resolver leaves its sequence.
type offer struct{ events any }

type offerKey struct{}

// Give has the run that ctx was made for draw the events of a subscription from a sequence instead of a channel, without
// a goroutine and without a copy: an event must stay as it is until the next one is asked for. A sequence has to end soon
// after ctx. Give reports false where something else resolves the field.
func Give[T any](ctx context.Context, events iter.Seq2[T, error]) bool {
	place, found := ctx.Value(offerKey{}).(*offer)
	if found {
		place.events = events
	}
	return found
}

// Subscribe calls the resolver of a subscription's field, whose events put writes. Where it gives a sequence the first
// event is waited for, so that an error in its place is the answer to the subscription itself. nil where it failed,
// which is noted.
func Subscribe[T any](
	r *Run, f *Field, arguments Arguments,
	resolver func(context.Context, *graphql.FieldContext) (<-chan T, error), put func(*Field, T) bool,
) *Events {
	place := &offer{}
	r.ctx = context.WithValue(r.ctx, offerKey{}, place)
	r.Enter(f)
	defer r.Leave()
	var value T
	e := &Events{write: func() bool { return put(f, value) }, value: func() any { return value }, stop: func() {}}
	if _, ok := Resolve(r, f, arguments, func(ctx context.Context, fc *graphql.FieldContext) (none struct{}, err error) {
		r.from = fc
		channel, err := resolver(ctx, fc)
		if err != nil {
			return none, err
		}
		if sequence, given := place.events.(iter.Seq2[T, error]); given {
			next, stop := iter.Pull2(sequence)
			e.stop = stop
			e.draw = func(context.Context) (more bool, err error) {
				value, err, more = next()
				return more, err
			}
			e.ahead, err = e.Next(ctx)
			return none, err
		}
		e.draw = func(ctx context.Context) (more bool, err error) {
			select {
			case value, more = <-channel:
			case <-ctx.Done():
			}
			return more, nil
		}
		return none, nil
	}); !ok {
		e.Close()
		return nil
	}
	return e
}
