package inspect_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/inspect"
	"kyrochat/kyro"
	"kyrochat/store"
)

// kept is an installation in memory: a store, a folder, a bucket and an index at once.
type kept struct {
	dir     string
	filed   []store.Filed
	files   map[int64][]int   // versions in the folder, by document
	objects map[string][]byte // in the bucket
	known   []string          // objects that rows refer to
	gone    []kyro.ID         // documents that were deleted long ago
	places  []kyro.VectorPlace
	lacks   []kyro.ID
	jobs    []kyro.JobKind
	asked   store.Inspection
	before  time.Time // when files are old
}

func (k *kept) Inspect(_ context.Context, o store.Inspection) error { k.asked = o; return nil }

func (k *kept) Filed(_ context.Context, after kyro.ID, limit int) ([]store.Filed, error) {
	var list []store.Filed
	for _, d := range k.filed {
		if d.DocumentID.Key > after.Key && len(list) < limit {
			list = append(list, d)
		}
	}
	return list, nil
}

func (k *kept) Original(context.Context, kyro.ID, int) (io.ReadSeeker, error) {
	return strings.NewReader("in a row"), nil
}

func (k *kept) DeletedBefore(_ context.Context, ids []kyro.ID, _ time.Time) ([]kyro.ID, error) {
	return slices.DeleteFunc(slices.Clone(ids), func(id kyro.ID) bool { return !slices.Contains(k.gone, id) }), nil
}

func (k *kept) SettledBefore(ctx context.Context, ids []kyro.ID, at time.Time) ([]kyro.ID, error) {
	return k.DeletedBefore(ctx, ids, at)
}

func (k *kept) UnknownObjects(_ context.Context, keys []string) ([]string, error) {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return slices.Contains(k.known, key) }), nil
}

func (k *kept) EnqueueNow(_ context.Context, jobs ...kyro.Job) error {
	for _, job := range jobs {
		k.jobs = append(k.jobs, job.Kind)
	}
	return nil
}

func (k *kept) Versions(document kyro.ID) ([]int, error) { return k.files[document.Key], nil }

func (k *kept) Path(kyro.ID, int) string { return filepath.Join(k.dir, "file") }

func (k *kept) Documents(before time.Time) (ids []kyro.ID, err error) {
	k.before = before
	for key := range k.files {
		ids = append(ids, kyro.DocumentID(key))
	}
	return ids, nil
}

func (k *kept) Open(_ context.Context, key string) (io.ReadSeekCloser, error) {
	object, there := k.objects[key]
	if !there {
		return nil, kyro.Errorf(kyro.CodeNotFound, "There is no object.")
	}
	return struct {
		io.ReadSeeker
		io.Closer
	}{bytes.NewReader(object), io.NopCloser(nil)}, nil
}

func (k *kept) Walk(_ context.Context, _ time.Time, visit func(keys []string) error) error {
	for key := range k.objects {
		if err := visit([]string{key}); err != nil {
			return err
		}
	}
	return nil
}

func (k *kept) Compare(context.Context) (dead []kyro.VectorPlace, missing []kyro.ID, err error) {
	return k.places, k.lacks, nil
}

// document is one whose file has the content.
func document(key int64, content string) store.Filed {
	sum := sha256.Sum256([]byte(content))
	return store.Filed{DocumentID: kyro.DocumentID(key), Kind: kyro.DocumentFile, Version: 1, Hash: hex.EncodeToString(sum[:]), Size: int64(len(content))}
}

// TestRun looks at originals in all places they may be in, at what belongs to nothing, and at the index, by the clock it is given.
func TestRun(t *testing.T) {
	t.Parallel()
	k := &kept{
		dir: t.TempDir(), known: []string{"whole", "cut"}, gone: []kyro.ID{kyro.DocumentID(90), kyro.DocumentID(91)},
		objects: map[string][]byte{"whole": []byte("in a bucket"), "cut": []byte("in a buck"), "nobody's": nil},
		files:   map[int64][]int{1: {1}, 90: {1}},
		places:  []kyro.VectorPlace{{DocumentID: kyro.DocumentID(91)}, {DocumentID: kyro.DocumentID(91)}, {DocumentID: kyro.DocumentID(1)}},
		lacks:   []kyro.ID{kyro.DocumentID(3), kyro.DocumentID(2)},
	}
	if err := os.WriteFile(k.Path(kyro.ID{}, 1), []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for key, content := range map[int64]string{1: "a file", 2: "in a row", 3: "in a bucket", 4: "in a bucket", 5: "in a bucket", 6: "nowhere"} {
		k.filed = append(k.filed, document(key, content))
	}
	slices.SortFunc(k.filed, func(a, b store.Filed) int { return int(a.DocumentID.Key - b.DocumentID.Key) })
	k.filed[1].Kept = []int{1}
	for i, object := range map[int]string{2: "whole", 3: "cut", 4: "removed"} {
		k.filed[i].Objects = map[int]string{1: object}
	}
	k.filed = append(k.filed, store.Filed{DocumentID: kyro.DocumentID(7), Kind: kyro.DocumentURL}) // which was not fetched yet
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	var told []string
	var repairs []func(context.Context) error
	o := inspect.Options{Store: k, Folder: k, Bucket: k, Index: k, Model: "m", Dims: 3, With: "w", Now: func() time.Time { return now }}
	err := inspect.Run(t.Context(), o, func(f kyro.Finding, repair func(context.Context) error) error {
		told = append(told, inspect.Text(f))
		if f.Repairs != (repair != nil) {
			t.Errorf("%s: can be repaired: %v", f.Check, f.Repairs)
		}
		repairs = append(repairs, repair)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, begins := range []string{
		"DAMAGE originals: The files are missing that documents were made from. (2: doc_5, doc_6) The documents still answer",
		"DAMAGE originals: Files are not what was uploaded. (1: doc_4) ",
		"DAMAGE originals: There are files that belong to no document. (2: doc_90, nobody's) ",
		"DAMAGE vector-index: The index has vectors of nothing that is there. No answer sees them. (2) ",
		"DAMAGE vector-index: Documents lack some of their vectors in the index. (2: doc_2, doc_3) ",
	} {
		if i >= len(told) || !strings.HasPrefix(told[i], begins) {
			t.Fatalf("told is\n%s\nnot %q", strings.Join(told, "\n"), begins)
		}
	}
	if len(told) != 5 || k.asked.Model != "m" || k.asked.Dims != 3 || k.asked.With != "w" || !k.asked.Now.Equal(now) || !k.before.Equal(now.Add(-time.Hour)) {
		t.Errorf("told is %q; the database is asked %+v, files are old before %s", told, k.asked, k.before)
	}
	for _, repair := range repairs[2:] {
		if err := repair(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if want := []kyro.JobKind{kyro.JobSweepFiles, kyro.JobReconcile, kyro.JobReconcile}; !slices.Equal(k.jobs, want) {
		t.Errorf("repairing stores %v", k.jobs)
	}
}

// TestRunEnds where nobody wants to hear more, and where there are originals in a bucket that nobody can look at.
func TestRunEnds(t *testing.T) {
	t.Parallel()
	k := &kept{dir: t.TempDir(), filed: []store.Filed{document(1, "nowhere")}}
	enough := errors.New("enough")
	if err := inspect.Run(t.Context(), inspect.Options{Store: k}, func(kyro.Finding, func(context.Context) error) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("it ends with %v", err)
	}
	k.filed[0].Objects = map[int]string{1: "whole"}
	if err := inspect.Run(t.Context(), inspect.Options{Store: k}, nil); err == nil || !strings.Contains(err.Error(), "KYRO_S3_ENDPOINT") {
		t.Errorf("without a bucket it ends with %v", err)
	}
}

// TestText: examples are some of more where there are as many as are named, and nothing of them reaches a terminal but as text.
func TestText(t *testing.T) {
	t.Parallel()
	f := kyro.Finding{Check: "orphans", Count: 12, Found: "Rows.", Mend: "Nothing.", Examples: slices.Repeat([]string{"x\x1b"}, kyro.MaxFindingExamples)}
	if got := inspect.Text(f); !strings.HasPrefix(got, "note orphans: Rows. (12: x,") || !strings.HasSuffix(got, " …) Nothing.") || strings.Contains(got, "\x1b") {
		t.Errorf("%q", got)
	}
}
