package program

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"kyrochat/ingest"
	"kyrochat/ingest/files"
	"kyrochat/kyro"
	"kyrochat/store"
	"kyrochat/text"
)

// inspector looks at everything that an installation keeps: in the database, in files and in the index.
type inspector struct {
	store  *store.Store
	folder *files.Files     // nil where no original is in one
	bucket ingest.Originals // nil where there is none
	index  *ingest.Service  // nil where there is no index outside of the database
	o      store.Inspection // what vectors should be
	doing  func(what string)
}

// orphanAge is how old files without a document are at least: younger ones may be on their way.
const orphanAge = time.Hour

// run tells what is not as it should be, each with what repairs it; nil where nothing does.
func (v *inspector) run(ctx context.Context, found func(kyro.Finding, func(context.Context) error) error) error {
	if v.o.Now.IsZero() {
		v.o.Now = time.Now()
	}
	v.o.Doing, v.o.Found = v.doing, found
	if err := v.store.Inspect(ctx, v.o); err != nil {
		return err
	}
	if err := v.originals(ctx); err != nil {
		return err
	}
	if err := v.orphans(ctx); err != nil {
		return err
	}
	if v.index == nil {
		return nil
	}
	return v.compare(ctx)
}

// originals reads what documents were made from.
func (v *inspector) originals(ctx context.Context) error {
	var missing, wrong []string
	n := 0
	for last := (kyro.ID{}); ; {
		list, err := v.store.Filed(ctx, last, filedBatch)
		if err != nil {
			return err
		}
		for _, d := range list {
			last = d.DocumentID
			n++
			v.doing(fmt.Sprintf("originals: %d documents", n))
			there, right, err := v.settled(ctx, d)
			if err != nil {
				return err
			}
			if there && right {
				continue
			}
			if there {
				wrong = append(wrong, d.DocumentID.String())
			} else {
				missing = append(missing, d.DocumentID.String())
			}
		}
		if len(list) < filedBatch {
			break
		}
	}
	if len(missing) > 0 {
		err := v.o.Found(kyro.Finding{
			Check: "originals", Damage: true, Count: len(missing), Examples: kyro.Examples(missing),
			Found: "The files are missing that documents were made from.", Mend: "The documents still answer; upload them again, or take the files from a backup.",
		}, nil)
		if err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		return v.o.Found(kyro.Finding{
			Check: "originals", Damage: true, Count: len(wrong), Examples: kyro.Examples(wrong),
			Found: "Files are not what was uploaded.", Mend: "The documents still answer; upload them again, or take the files from a backup.",
		}, nil)
	}
	return nil
}

// settled is original, of a document that may be replaced or deleted while others are read: then it is looked at as it is now.
func (v *inspector) settled(ctx context.Context, d store.Filed) (there, right bool, err error) {
	for {
		if there, right, err = v.original(ctx, d); err != nil || there && right {
			return there, right, err
		}
		now, err := v.store.Filed(ctx, kyro.DocumentID(d.DocumentID.Key-1), 1)
		switch {
		case err != nil:
			return false, false, err
		case len(now) == 0 || now[0].DocumentID != d.DocumentID: // it was deleted
			return true, true, nil
		case reflect.DeepEqual(now[0], d):
			return there, right, nil
		}
		d = now[0]
	}
}

// original reports whether the original of a document is there, and is what was uploaded.
func (v *inspector) original(ctx context.Context, d store.Filed) (there, right bool, err error) {
	var versions []int
	if v.folder != nil {
		if versions, err = v.folder.Versions(d.DocumentID); err != nil {
			return false, false, err
		}
	}
	needed := len(d.Kept) > 0 || len(d.Objects) > 0 || len(versions) > 0 || d.Kind != kyro.DocumentURL // a page that could not be fetched yet has none
	var body io.ReadCloser
	switch {
	case len(d.Objects) > 0 && v.bucket == nil:
		return false, false, errors.New("there are files in a bucket, and none is set: give the settings of the server (KYRO_S3_ENDPOINT and the others)")
	case len(d.Objects) > 0:
		latest := 0
		for version := range d.Objects {
			latest = max(latest, version)
		}
		body, err = v.bucket.Open(ctx, d.Objects[latest])
	case len(d.Kept) > 0 && d.Size == 0:
		return true, true, nil // a text, which the database has read already
	case len(d.Kept) > 0:
		var r io.Reader
		if r, err = v.store.Original(ctx, d.DocumentID, d.Version); err == nil {
			body = io.NopCloser(r)
		}
	case len(versions) > 0:
		body, err = os.Open(v.folder.Path(d.DocumentID, slices.Max(versions)))
	default:
		return !needed, !needed, nil
	}
	if err == nil {
		defer func() { _ = body.Close() }()
		right, err = matches(body, d)
	}
	if errors.Is(err, fs.ErrNotExist) || kyro.ErrorCode(err) == kyro.CodeNotFound {
		return false, false, nil
	}
	return err == nil, right, err
}

// matches reports whether a file is the one that was uploaded, as far as that is known.
func matches(body io.Reader, d store.Filed) (bool, error) {
	sum := sha256.New()
	n, err := io.Copy(sum, body)
	return d.Hash == "" || n == d.Size && hex.EncodeToString(sum.Sum(nil)) == d.Hash, err
}

// orphans looks for files that no document has.
func (v *inspector) orphans(ctx context.Context) error {
	before := time.Now().Add(-orphanAge)
	v.doing("files without a document")
	var gone []kyro.ID
	if v.folder != nil {
		ids, err := v.folder.Documents(before)
		if err != nil {
			return err
		}
		if gone, err = v.store.DeletedBefore(ctx, ids, before); err != nil {
			return err
		}
	}
	count := len(gone)
	var examples []string
	for _, id := range kyro.Examples(gone) {
		examples = append(examples, id.String())
	}
	if v.bucket != nil {
		err := v.bucket.Walk(ctx, before, func(keys []string) error {
			unknown, err := v.store.UnknownObjects(ctx, keys)
			count += len(unknown)
			examples = append(examples, unknown...)
			examples = kyro.Examples(examples)
			return err
		})
		if err != nil {
			return err
		}
	}
	if count == 0 {
		return nil
	}
	return v.o.Found(kyro.Finding{
		Check: "originals", Damage: true, Count: count, Examples: examples, Found: "There are files that belong to no document.",
		Mend: "A server removes them, at once or when it starts.", Repairs: true,
	}, func(ctx context.Context) error { return v.store.EnqueueNow(ctx, kyro.Job{Kind: kyro.JobSweepFiles}) })
}

// compare compares the index with the rows.
func (v *inspector) compare(ctx context.Context) error {
	v.doing("the index of vectors")
	places, missing, err := v.index.Compare(ctx)
	if err != nil {
		return fmt.Errorf("compare the index of vectors: %w", err)
	}
	dead, err := v.late(ctx, places)
	if err != nil {
		return err
	}
	reconcile := func(ctx context.Context) error { return v.store.EnqueueNow(ctx, kyro.Job{Kind: kyro.JobReconcile}) }
	if dead > 0 {
		err := v.o.Found(kyro.Finding{
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
	return v.o.Found(kyro.Finding{
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
	settled, err := v.store.SettledBefore(ctx, slices.Collect(maps.Keys(of)), time.Now().Add(-orphanAge))
	for _, id := range settled {
		n += of[id]
	}
	return n, err
}

// findingText is a finding as a person reads it.
func findingText(f kyro.Finding) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s (%d", pick(f.Damage, "DAMAGE", "note  "), f.Check, f.Found, f.Count)
	if len(f.Examples) > 0 {
		fmt.Fprintf(&b, ": %s", strings.Join(f.Examples, ", "))
		if f.Count > len(f.Examples) && len(f.Examples) == kyro.MaxFindingExamples {
			b.WriteString(" …")
		}
	}
	fmt.Fprintf(&b, ")\n       %s", f.Mend)
	return text.Printable(b.String())
}
