package ingest_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"

	"kyrochat/ingest"
	"kyrochat/kyro"
)

// index is one in memory. It can fail, and show late what it took.
type index struct {
	mu      sync.Mutex
	name    string
	vectors map[kyro.VectorPlace]float32 // the first number of each
	hidden  int                          // looks that see nothing yet
	looks   int
	upserts []int // how many vectors each had
	bots    []kyro.ID
	fail    func(call string) error // asked before the effect
	took    func(call string)       // called after the effect, outside of the lock
	onPage  func()                  // called when a walk has read what it gives
	endless bool                    // a walk does not come to its end
	breaks  error                   // what every walk ends with
}

func newIndex(name string) *index {
	return &index{name: name, vectors: map[kyro.VectorPlace]float32{}}
}

func (x *index) Name() string { return x.name }

func (x *index) call(ctx context.Context, name string, effect func()) error {
	x.mu.Lock()
	if x.fail != nil {
		if err := x.fail(name); err != nil {
			x.mu.Unlock()
			return err
		}
	}
	effect()
	x.mu.Unlock()
	if x.took != nil {
		x.took(name)
	}
	return ctx.Err()
}

func (x *index) Upsert(ctx context.Context, vectors []kyro.IndexedVector) error {
	return x.call(ctx, "Upsert", func() {
		x.upserts = append(x.upserts, len(vectors))
		for _, v := range vectors {
			x.vectors[v.VectorPlace] = v.Vector[0]
		}
	})
}

func (x *index) Visible(ctx context.Context, v kyro.IndexedVersion) (seen bool, err error) {
	err = x.call(ctx, "Visible", func() {
		x.looks++
		if x.hidden > 0 {
			x.hidden--
			return
		}
		seen = true
		for _, at := range []int{0, v.Chunks / 2, v.Chunks - 1} {
			_, there := x.vectors[kyro.VectorPlace{BotID: v.BotID, DocumentID: v.DocumentID, Version: v.Version, Index: at}]
			seen = seen && there
		}
	})
	return seen, err
}

func (x *index) Remove(ctx context.Context, v kyro.IndexedVersion) error {
	return x.call(ctx, "Remove", func() {
		for at := range v.Chunks {
			delete(x.vectors, kyro.VectorPlace{BotID: v.BotID, DocumentID: v.DocumentID, Version: v.Version, Index: at})
		}
	})
}

func (x *index) RemoveBot(ctx context.Context, bot kyro.ID) error {
	return x.call(ctx, "RemoveBot", func() { x.bots = append(x.bots, bot) })
}

func (x *index) Walk(ctx context.Context, visit func([]kyro.VectorPlace) error) error {
	var places []kyro.VectorPlace
	if err := x.call(ctx, "Walk", func() { places = slices.Collect(maps.Keys(x.vectors)) }); err != nil {
		return err
	}
	if x.onPage != nil {
		x.onPage()
	}
	for page := range slices.Chunk(places, 3) {
		if err := visit(page); err != nil {
			return err
		}
	}
	if x.endless {
		<-ctx.Done()
	}
	if x.breaks != nil {
		return x.breaks
	}
	return ctx.Err()
}

func (x *index) RemovePlaces(ctx context.Context, places []kyro.VectorPlace) error {
	return x.call(ctx, "RemovePlaces", func() {
		for _, p := range places {
			delete(x.vectors, p)
		}
	})
}

// of gives how many vectors of a version of a document are there.
func (x *index) of(document kyro.ID, version int) (n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for p := range x.vectors {
		if p.DocumentID == document && p.Version == version {
			n++
		}
	}
	return n
}

// indexed is a house whose vectors go into an index.
type indexed struct {
	*house
	index *index
}

func newIndexed(t *testing.T, adjust ...func(*ingest.Config)) *indexed {
	t.Helper()
	x := newIndex("one")
	return &indexed{newHouse(t, append([]func(*ingest.Config){func(c *ingest.Config) { c.Index = x }}, adjust...)...), x}
}

// with is another configuration of the same house.
func (h *house) with(t *testing.T, model string, x *index) *indexed {
	t.Helper()
	e := &embedder{name: model}
	other := newHouse(t, func(c *ingest.Config) {
		c.Store, c.Bots, c.Files, c.Now = h.memory, h.memory, disk{h.memory}, h.tick
		c.Embedder = e
		if x != nil {
			c.Index = x
		}
	})
	other.memory, other.reader.m, other.embedder = h.memory, h.memory, e
	return &indexed{other, x}
}

// ready is a document of alice that answers use.
func (h *house) ready(t *testing.T, name, content string) kyro.Document {
	t.Helper()
	d := h.upload(t, name, content)
	h.work(t, d)
	return h.row(d.ID).Document
}

// work does the job of a document, which must be done in one turn.
func (h *house) work(t *testing.T, d kyro.Document) {
	t.Helper()
	if err := h.Work(t.Context(), jobOf(d)); err != nil {
		t.Fatal(err)
	}
	if s := h.row(d.ID).Status; s != kyro.DocumentReady {
		t.Fatalf("the document is %s: %s", s, h.row(d.ID).StatusReason)
	}
}

// away is an upstream's error.
func away(code kyro.Code) *kyro.Error { return kyro.Errorf(code, "secret of the upstream") }
