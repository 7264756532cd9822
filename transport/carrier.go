package transport

import (
	"context"
	"sync"

	"kyrochat/kyro"
)

// Carrier is what subscriptions know of the transport that carries them. Events go their own way, through the executor;
// what belongs to them but is not selected goes beside it, so that it does not depend on how they are executed.
type Carrier struct{}

// beside is what one subscription and its event stream tell each other beside the events.
type beside struct {
	lastEvent string // as the client came with it

	mu     sync.Mutex
	places []string // of events that were passed on and not written yet: two at most
}

type besideKey struct{}

func besideOf(ctx context.Context) *beside {
	b, _ := ctx.Value(besideKey{}).(*beside)
	return b
}

// LastEvent is the place of the last event that the client has had, in its own word, where it comes back to a stream; ""
// where it does not, or where the transport has no such word.
func (Carrier) LastEvent(ctx context.Context) string {
	if b := besideOf(ctx); b != nil {
		return b.lastEvent
	}
	return ""
}

// Passing gives what must be told the place of every event, in their order and before each is passed on; nil where the
// transport has no use for it. A subscription tells the places of all its events, or of none.
func (Carrier) Passing(ctx context.Context) func(kyro.StreamCursor) {
	b := besideOf(ctx)
	if b == nil {
		return nil
	}
	return func(place kyro.StreamCursor) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.places = append(b.places, place.String())
	}
}

// place is that of the next event; "" where it has none.
func (b *beside) place() (place string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.places) > 0 {
		place = b.places[0]
		b.places = append(b.places[:0], b.places[1:]...)
	}
	return place
}
