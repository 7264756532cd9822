package inspect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"time"

	"kyrochat/kyro"
	"kyrochat/store"
)

// orphanAge is how old files without a document are at least, and vectors of nothing that is there: younger ones may be on their way.
const orphanAge = time.Hour

// originals reads what documents were made from.
func (v *inspector) originals(ctx context.Context) error {
	var missing, wrong []string
	n := 0
	for last := (kyro.ID{}); ; {
		list, err := v.o.Store.Filed(ctx, last, store.FiledBatch)
		if err != nil {
			return err
		}
		for _, d := range list {
			last = d.DocumentID
			n++
			v.o.Doing(fmt.Sprintf("originals: %d documents", n))
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
		if len(list) < store.FiledBatch {
			break
		}
	}
	if len(missing) > 0 {
		err := v.found(kyro.Finding{
			Check: "originals", Damage: true, Count: len(missing), Examples: kyro.Examples(missing),
			Found: "The files are missing that documents were made from.", Mend: "The documents still answer; upload them again, or take the files from a backup.",
		}, nil)
		if err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		return v.found(kyro.Finding{
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
		now, err := v.o.Store.Filed(ctx, kyro.DocumentID(d.DocumentID.Key-1), 1)
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
	if v.o.Folder != nil {
		if versions, err = v.o.Folder.Versions(d.DocumentID); err != nil {
			return false, false, err
		}
	}
	needed := len(d.Kept) > 0 || len(d.Objects) > 0 || len(versions) > 0 || d.Kind != kyro.DocumentURL // a page that could not be fetched yet has none
	var body io.ReadCloser
	switch {
	case len(d.Objects) > 0 && v.o.Bucket == nil:
		return false, false, errors.New("there are files in a bucket, and none is set: give the settings of the server (KYRO_S3_ENDPOINT and the others)")
	case len(d.Objects) > 0:
		latest := 0
		for version := range d.Objects {
			latest = max(latest, version)
		}
		body, err = v.o.Bucket.Open(ctx, d.Objects[latest])
	case len(d.Kept) > 0 && d.Size == 0:
		return true, true, nil // a text, which the database has read already
	case len(d.Kept) > 0:
		var r io.Reader
		if r, err = v.o.Store.Original(ctx, d.DocumentID, d.Version); err == nil {
			body = io.NopCloser(r)
		}
	case len(versions) > 0:
		body, err = os.Open(v.o.Folder.Path(d.DocumentID, slices.Max(versions)))
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
	before := v.o.Now().Add(-orphanAge)
	v.o.Doing("files without a document")
	var gone []kyro.ID
	if v.o.Folder != nil {
		ids, err := v.o.Folder.Documents(before)
		if err != nil {
			return err
		}
		if gone, err = v.o.Store.DeletedBefore(ctx, ids, before); err != nil {
			return err
		}
	}
	count := len(gone)
	var examples []string
	for _, id := range kyro.Examples(gone) {
		examples = append(examples, id.String())
	}
	if v.o.Bucket != nil {
		err := v.o.Bucket.Walk(ctx, before, func(keys []string) error {
			unknown, err := v.o.Store.UnknownObjects(ctx, keys)
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
	return v.found(kyro.Finding{
		Check: "originals", Damage: true, Count: count, Examples: examples, Found: "There are files that belong to no document.",
		Mend: "A server removes them, at once or when it starts.", Repairs: true,
	}, func(ctx context.Context) error { return v.o.Store.EnqueueNow(ctx, kyro.Job{Kind: kyro.JobSweepFiles}) })
}
