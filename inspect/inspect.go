// Package inspect looks at everything that an installation keeps: in the database, in files and in the index of vectors. It changes
// nothing, and gives with what it finds what repairs that.
package inspect

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"kyrochat/kyro"
	"kyrochat/store"
	"kyrochat/text"
)

// Store is the database.
type Store interface {
	// Inspect looks at the database alone.
	Inspect(ctx context.Context, o store.Inspection) error
	// Filed gives the live documents after one, in the order of their keys; less than limit are the last ones.
	Filed(ctx context.Context, after kyro.ID, limit int) ([]store.Filed, error)
	// Original opens one that is in the database.
	Original(ctx context.Context, document kyro.ID, version int) (io.ReadSeeker, error)
	// DeletedBefore gives those of the documents that were deleted before a moment, or that are not there at all.
	DeletedBefore(ctx context.Context, ids []kyro.ID, at time.Time) ([]kyro.ID, error)
	// SettledBefore gives those besides whose version in use was ready before.
	SettledBefore(ctx context.Context, ids []kyro.ID, at time.Time) ([]kyro.ID, error)
	// UnknownObjects gives those of the bucket that nothing refers to.
	UnknownObjects(ctx context.Context, keys []string) ([]string, error)
	// EnqueueNow has the jobs done that mend something.
	EnqueueNow(ctx context.Context, jobs ...kyro.Job) error
}

// Folder is where originals are files.
type Folder interface {
	// Versions gives those of a document that have files.
	Versions(document kyro.ID) ([]int, error)
	// Path is where one is.
	Path(document kyro.ID, version int) string
	// Documents gives those that have had files since before a moment.
	Documents(before time.Time) ([]kyro.ID, error)
}

// Bucket is where originals are objects.
type Bucket interface {
	// Open reads an object; NOT_FOUND where there is none, also with the first Read.
	Open(ctx context.Context, key string) (io.ReadSeekCloser, error)
	// Walk visits all objects from before a moment, some at a time.
	Walk(ctx context.Context, before time.Time, visit func(keys []string) error) error
}

// Index has the vectors that are not in the database.
type Index interface {
	// Compare gives the vectors of nothing that is there, and the documents that lack some of theirs.
	Compare(ctx context.Context) (dead []kyro.VectorPlace, missing []kyro.ID, err error)
}

// Options say what is looked at, and what it should be.
type Options struct {
	Store  Store
	Folder Folder // nil where no original is in one
	Bucket Bucket // nil where there is none
	Index  Index  // nil where there is none outside of the database

	Model string // of the embeddings that are in use; "" looks at no vectors
	Dims  int
	With  string            // what the vectors of documents should be made with and where; "" does not look at it
	As    time.Time         // when the database is looked at as it was; zero: now
	Now   func() time.Time  // nil: time.Now
	Doing func(what string) // when set, is told what is looked at next
}

// inspector looks at one installation.
type inspector struct {
	o     Options
	found func(kyro.Finding, func(context.Context) error) error
}

// Run tells what is not as it should be, each with what repairs it; nil where nothing does. A repair looks again at what it repairs, and
// may be done once Run has returned. It runs beside servers, reads all there is, and may take as long as ctx lasts. An error says
// that not everything could be looked at, or is that of found, which ends it.
func Run(ctx context.Context, o Options, found func(kyro.Finding, func(context.Context) error) error) error {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.As.IsZero() {
		o.As = o.Now()
	}
	if o.Doing == nil {
		o.Doing = func(string) {}
	}
	v := &inspector{o, found}
	err := v.o.Store.Inspect(ctx, store.Inspection{Model: v.o.Model, Dims: v.o.Dims, With: v.o.With, Now: v.o.As, Doing: v.o.Doing, Found: found})
	if err != nil {
		return err
	}
	if err := v.originals(ctx); err != nil {
		return err
	}
	if err := v.orphans(ctx); err != nil {
		return err
	}
	if v.o.Index == nil {
		return nil
	}
	return v.compare(ctx)
}

// compare compares the index with the rows.
func (v *inspector) compare(ctx context.Context) error {
	v.o.Doing("the index of vectors")
	places, missing, err := v.o.Index.Compare(ctx)
	if err != nil {
		return fmt.Errorf("compare the index of vectors: %w", err)
	}
	dead, err := v.late(ctx, places)
	if err != nil {
		return err
	}
	reconcile := func(ctx context.Context) error { return v.o.Store.EnqueueNow(ctx, kyro.Job{Kind: kyro.JobReconcile}) }
	if dead > 0 {
		err := v.found(kyro.Finding{
			Check: "vector-index", Damage: true, Count: dead, Found: "The index has vectors of nothing that is there. No answer sees them.",
			Mend: "A server removes them, at once or when it starts.", Repairs: true,
		}, reconcile)
		if err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.SortFunc(missing, func(a, b kyro.ID) int { return int(a.Key - b.Key) })
	var examples []string
	for _, id := range kyro.Examples(missing) {
		examples = append(examples, id.String())
	}
	return v.found(kyro.Finding{
		Check: "vector-index", Damage: true, Count: len(missing), Examples: examples, Found: "Documents lack some of their vectors in the index.",
		Mend: "A server puts them in again, at once or when it starts.", Repairs: true,
	}, reconcile)
}

// late counts the vectors of nothing that is there, but for those of documents that were only just replaced or deleted: a job
// removes them.
func (v *inspector) late(ctx context.Context, places []kyro.VectorPlace) (n int, err error) {
	of := map[kyro.ID]int{}
	for _, p := range places {
		of[p.DocumentID]++
	}
	settled, err := v.o.Store.SettledBefore(ctx, slices.Collect(maps.Keys(of)), v.o.Now().Add(-orphanAge))
	for _, id := range settled {
		n += of[id]
	}
	return n, err
}

// Text is a finding as a person reads it, on one line.
func Text(f kyro.Finding) string {
	severity := "note"
	if f.Damage {
		severity = "DAMAGE"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s (%d", severity, f.Check, f.Found, f.Count)
	if len(f.Examples) > 0 {
		fmt.Fprintf(&b, ": %s", strings.Join(f.Examples, ", "))
		if f.Count > len(f.Examples) && len(f.Examples) == kyro.MaxFindingExamples {
			b.WriteString(" …")
		}
	}
	fmt.Fprintf(&b, ") %s", f.Mend)
	return text.Printable(b.String())
}
