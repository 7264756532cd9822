package pinecone

import (
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
)

// record is a vector as reads see it. It never changes; a newer one takes its place.
type record struct {
	id       string
	values   []float32
	metadata *structpb.Struct
}

// namespace is a part of an index, made by the first write to it.
type namespace struct {
	records map[string]*record
	gone    bool // deleted; it is there until reads miss its records
}

// write is one that reads do not see yet.
type write struct {
	namespace, id string
	record        *record // nil: deleted
	due           time.Time
	reads         int // that are still to be made
}

// write makes a write that reads see after the lag.
func (x *index) write(ns, id string, r *record, lag Lag) {
	x.pending = append(x.pending, write{ns, id, r, time.Now().Add(time.Duration(lag.MS) * time.Millisecond), lag.Reads})
}

// read lets a read see what is due, and counts it.
func (x *index) read() {
	x.settle()
	for i := range x.pending {
		x.pending[i].reads--
	}
}

// settle lets reads see what is due. A write takes the place of all earlier ones of its record.
func (x *index) settle() {
	if len(x.pending) == 0 {
		return
	}
	now, decided := time.Now(), make(map[[2]string]bool)
	var later []write
	for _, w := range slices.Backward(x.pending) {
		place := [2]string{w.namespace, w.id}
		switch {
		case decided[place]:
		case w.reads > 0 || now.Before(w.due):
			later = append(later, w)
		default:
			decided[place] = true
			x.see(w)
		}
	}
	slices.Reverse(later)
	x.pending = later
	for name, ns := range x.namespaces {
		if ns.gone && len(ns.records) == 0 {
			delete(x.namespaces, name)
		}
	}
}

func (x *index) see(w write) {
	ns := x.namespaces[w.namespace]
	switch {
	case ns == nil:
	case w.record == nil:
		delete(ns.records, w.id)
	default:
		ns.records[w.id] = w.record
	}
}

// there is the namespace, made where it is not.
func (x *index) there(name string) *namespace {
	ns := x.namespaces[name]
	if ns == nil {
		ns = &namespace{records: make(map[string]*record)}
		x.namespaces[name] = ns
	}
	ns.gone = false
	return ns
}

// known gives a namespace that was not deleted.
func (x *index) known(name string) (*namespace, bool) {
	ns := x.namespaces[name]
	return ns, ns != nil && !ns.gone
}

// latest is a record as the last write to it left it, whether or not reads see that.
func (x *index) latest(ns, id string) *record {
	for _, w := range slices.Backward(x.pending) {
		if w.namespace == ns && w.id == id {
			return w.record
		}
	}
	if there := x.namespaces[ns]; there != nil {
		return there.records[id]
	}
	return nil
}

// ids are all that a namespace holds or is about to hold, in order.
func (x *index) ids(name string) []string {
	all := make(map[string]bool)
	if ns := x.namespaces[name]; ns != nil {
		for id := range ns.records {
			all[id] = true
		}
	}
	for _, w := range x.pending {
		if w.namespace == name {
			all[w.id] = w.record != nil
		}
	}
	maps.DeleteFunc(all, func(_ string, there bool) bool { return !there })
	return slices.Sorted(maps.Keys(all))
}

// Record is a vector that a test puts into an index or looks at, past all limits and scripts.
type Record struct {
	Namespace, ID string
	Values        []float32
	Metadata      map[string]any
}

// Put puts records into the index that the emulator began with.
func (e *Emulator) Put(records ...Record) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.indexes[e.Index]
	for _, r := range records {
		var metadata *structpb.Struct
		if r.Metadata != nil {
			var err error
			if metadata, err = structpb.NewStruct(r.Metadata); err != nil {
				return err
			}
		}
		x.there(r.Namespace)
		x.write(r.Namespace, r.ID, &record{r.ID, r.Values, metadata}, Lag{})
	}
	x.settle()
	return nil
}

// Records gives what reads of the index that the emulator began with see, by namespace and id.
func (e *Emulator) Records() []Record {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.indexes[e.Index]
	x.settle()
	var all []Record
	for _, name := range slices.Sorted(maps.Keys(x.namespaces)) {
		ns := x.namespaces[name]
		for _, id := range slices.Sorted(maps.Keys(ns.records)) {
			r := ns.records[id]
			all = append(all, Record{name, id, r.values, r.metadata.AsMap()})
		}
	}
	return all
}
