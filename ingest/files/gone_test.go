package files_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kyrochat/ingest"
	"kyrochat/ingest/files"
	"kyrochat/kyro"
)

// TestFolderThatIsGone: a disk that was taken away is told by everything that wants something of it, in words that say what
// was wanted; what only clears away has nothing to do.
func TestFolderThatIsGone(t *testing.T) {
	t.Parallel()
	f, dir := open(t)
	r, err := f.Receive(t.Context(), strings.NewReader("x"), 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	document, slot := kyro.DocumentID(7), kyro.UploadID(3)
	for _, c := range []struct {
		wanted string
		do     func() error
	}{
		{"open a file for an upload", func() error { _, err := f.Receive(t.Context(), strings.NewReader("x"), 10); return err }},
		{"open an upload", func() error { _, err := f.Open(r); return err }},
		{"list the files of documents", func() error { _, err := f.Documents(time.Now()); return err }},
		{"open the file of upload_3", func() error { return f.AppendPart(slot, 0, []byte("x")) }},
		{" the file of upload_3", func() error { _, err := f.OpenParts(slot, 1); return err }},
		{"list the files of uploads", func() error { _, err := f.SlotsWithParts(time.Now()); return err }},
		{"remove the files of \"bot_1\"", func() error { return f.Remove(kyro.BotID(1)) }},
		{"place the file of doc_7", func() error { return f.Place(r, document, 1) }},
		{"the folder of uploads", func() error { return openedUnder(f.Path(document, 1), dir) }},
	} {
		if err := c.do(); err == nil || !strings.Contains(err.Error(), c.wanted) {
			t.Errorf("%s: %v", c.wanted, err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	f.Discard(r)
	if err := f.Remove(document); err != nil {
		t.Errorf("remove: %v", err)
	}
	if err := f.DropParts(slot); err != nil {
		t.Errorf("drop: %v", err)
	}
	if err := f.Prune(document, 1, 2); err != nil {
		t.Errorf("prune: %v", err)
	}
	if _, found := f.Latest(document, 1); found {
		t.Error("a version is found")
	}
}

// openedUnder opens a folder of uploads below what is a file.
func openedUnder(file, dir string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	_, err := files.Open(file, true)
	return err
}

// TestPartsGoOnWhereTheyWere: what was written behind the bytes that the database knows of is written anew, and a file that has
// fewer than it knows of is not filled up with zeros.
func TestPartsGoOnWhereTheyWere(t *testing.T) {
	t.Parallel()
	f, dir := open(t)
	slot := kyro.UploadID(3)
	for _, part := range []struct {
		at   int64
		body string
	}{{0, "Kyro"}, {4, "cut off here"}, {4, "Chat"}} {
		if err := f.AppendPart(slot, part.at, []byte(part.body)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(dir, "parts", "3")); err != nil || string(got) != "KyroChat" {
		t.Errorf("the file is %q, %v", got, err)
	}
	if err := f.AppendPart(slot, 9, []byte("!")); err == nil || !strings.Contains(err.Error(), "has 8 bytes, less than the 9 that were stored") {
		t.Errorf("a gap: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "parts", "notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if slots, err := f.SlotsWithParts(time.Now().Add(time.Hour)); err != nil || len(slots) != 1 || slots[0] != slot {
		t.Errorf("slots %v, %v", slots, err)
	}
	if slots, err := f.SlotsWithParts(time.Now().Add(-time.Hour)); err != nil || len(slots) != 0 {
		t.Errorf("old slots %v, %v", slots, err)
	}
}

// TestVersionsAreNumbers: what else lies in the folder of a document is no version, and stays.
func TestVersionsAreNumbers(t *testing.T) {
	t.Parallel()
	f, dir := open(t)
	document := kyro.DocumentID(7)
	for version := range 3 {
		r, err := f.Receive(t.Context(), strings.NewReader("x"), 10)
		if err == nil {
			err = f.Place(r, document, version+1)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "7", "notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if path, found := f.Latest(document, 2); !found || path != f.Path(document, 2) {
		t.Errorf("the latest up to 2 is %s, %v", path, found)
	}
	if err := f.Prune(document, 1, 3); err != nil {
		t.Fatal(err)
	}
	for version, kept := range map[int]bool{1: true, 2: false, 3: true} {
		if _, err := os.Stat(f.Path(document, version)); (err == nil) != kept {
			t.Errorf("version %d: %v", version, err)
		}
	}
}

var _ ingest.PartFiles = (*files.Files)(nil)

// TestFileInTheWay: where something else has the name of a document's folder, or of what arrives in parts, that is told, and
// it stays as it is.
func TestFileInTheWay(t *testing.T) {
	t.Parallel()
	f, dir := open(t)
	r, err := f.Receive(t.Context(), strings.NewReader("x"), 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "7"), []byte("notes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(os.DevNull, filepath.Join(dir, "parts", "3")); err != nil {
		t.Fatal(err)
	}
	document := kyro.DocumentID(7)
	for wanted, err := range map[string]error{
		"make the folder of doc_7": f.Place(r, document, 1),
		"prune the files of doc_7": f.Prune(document, 1, 2),
		"cut the file of upload_3": f.AppendPart(kyro.UploadID(3), 0, []byte("x")),
	} {
		if err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%s: %v", wanted, err)
		}
	}
	if _, found := f.Latest(document, 1); found {
		t.Error("a version is found")
	}
	if got, err := os.ReadFile(filepath.Join(dir, "7")); err != nil || string(got) != "notes" {
		t.Errorf("what was there is %q, %v", got, err)
	}
}

// TestLimitsInWords: a file that is too large is refused with the limit as people write it; a sender that went away is not told
// that the file is incomplete.
func TestLimitsInWords(t *testing.T) {
	t.Parallel()
	f, _ := open(t)
	for limit, words := range map[int64]string{3: "3 bytes", 2 << 10: "2 KiB", 1 << 20: "1 MiB", 1<<20 + 1<<19: "1.5 MiB"} {
		if _, err := f.Receive(t.Context(), io.LimitReader(zeros{}, limit+1), limit); kyro.ErrorCode(err) != kyro.CodeFileTooLarge || !strings.Contains(err.Error(), "larger than "+words+",") {
			t.Errorf("%d: %v", limit, err)
		}
	}
	ctx, leave := context.WithCancel(t.Context())
	if _, err := f.Receive(ctx, io.MultiReader(strings.NewReader("x"), leaving{leave}), 10); !errors.Is(err, context.Canceled) {
		t.Errorf("a sender that left: %v", err)
	}
}

// zeros never end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// leaving ends the sender's request while it is read.
type leaving struct{ leave func() }

func (l leaving) Read([]byte) (int, error) { l.leave(); return 0, errors.New("connection reset") }
