package files_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"kyrochat/ingest"
	"kyrochat/ingest/files"
	"kyrochat/kyro"
)

var _ ingest.Files = (*files.Files)(nil)

func open(t *testing.T) (*files.Files, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "files")
	f, err := files.Open(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	return f, dir
}

func TestReceivedFileIsPlacedAndRemoved(t *testing.T) {
	t.Parallel()
	f, dir := open(t)
	content := bytes.Repeat([]byte("KyroChat "), 20_000)
	r, err := f.Receive(t.Context(), iotest.OneByteReader(bytes.NewReader(content)), int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	if r.Size != int64(len(content)) || r.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("received %d bytes with hash %s", r.Size, r.SHA256)
	}
	opened, err := f.Open(r)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(opened); err != nil || !bytes.Equal(got, content) || opened.Close() != nil {
		t.Errorf("opened %d bytes, %v", len(got), err)
	}
	id := kyro.DocumentID(7)
	if err := f.Place(r, id, 2); err != nil {
		t.Fatal(err)
	}
	f.Discard(r)
	if want := filepath.Join(dir, "7", "2"); f.Path(id, 2) != want {
		t.Errorf("the path is %s, want %s", f.Path(id, 2), want)
	}
	if got, err := os.ReadFile(f.Path(id, 2)); err != nil || !bytes.Equal(got, content) {
		t.Errorf("placed %d bytes, %v", len(got), err)
	}
	for path, want := range map[string]os.FileMode{f.Path(id, 2): 0o600, filepath.Join(dir, "7"): 0o700, dir: 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v (%v)", path, info.Mode().Perm(), want, err)
		}
	}
	for range 2 {
		if err := f.Remove(id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "7")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the removal: %v", err)
	}
}

func TestReceiveRefuses(t *testing.T) {
	t.Parallel()
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	long := strings.Repeat("x", 101)
	for name, test := range map[string]struct {
		ctx  context.Context
		r    io.Reader
		want kyro.Code
	}{
		"nothing":           {r: strings.NewReader(""), want: kyro.CodeFileEmpty},
		"a byte too much":   {r: strings.NewReader(long), want: kyro.CodeFileTooLarge},
		"a request too big": {r: http.MaxBytesReader(httptest.NewRecorder(), io.NopCloser(strings.NewReader(long)), 50), want: kyro.CodeFileTooLarge},
		"a broken line":     {r: io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF)), want: kyro.CodeBadUserInput},
		"a known error":     {r: iotest.ErrReader(kyro.Errorf(kyro.CodeTimeout, "too slow")), want: kyro.CodeTimeout},
		"a client gone":     {ctx: canceled, r: strings.NewReader("x"), want: kyro.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, dir := open(t)
			ctx := test.ctx
			if ctx == nil {
				ctx = t.Context()
			}
			if _, err := f.Receive(ctx, test.r, 100); kyro.ErrorCode(err) != test.want {
				t.Errorf("Receive = %v, want %s", err, test.want)
			}
			if left, err := os.ReadDir(filepath.Join(dir, "tmp")); err != nil || len(left) != 0 {
				t.Errorf("left behind: %v, %v", left, err)
			}
		})
	}
}

func TestReceiveTakesTheLimitItself(t *testing.T) {
	t.Parallel()
	f, _ := open(t)
	r, err := f.Receive(t.Context(), strings.NewReader(strings.Repeat("x", 100)), 100)
	if err != nil || r.Size != 100 {
		t.Fatalf("Receive = %+v, %v", r, err)
	}
}

func TestOpenClearsUploadsThatWereCutOff(t *testing.T) {
	t.Parallel()
	f, dir := open(t)
	receive := func() string {
		r, err := f.Receive(t.Context(), strings.NewReader("x"), 10)
		if err != nil {
			t.Fatal(err)
		}
		return r.Path
	}
	old, young := receive(), receive()
	if err := os.Chtimes(old, time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	left := func(alone bool) (names []string) {
		if _, err := files.Open(dir, alone); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(filepath.Join(dir, "tmp"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	if got := left(false); !slices.Equal(got, []string{filepath.Base(young)}) {
		t.Errorf("beside another process %v are left, want the young one", got)
	}
	if got := left(true); len(got) != 0 {
		t.Errorf("alone, %v are left", got)
	}
}

func TestDocumentsByAge(t *testing.T) {
	t.Parallel()
	f, dir := open(t)
	for _, key := range []int64{3, 12} {
		r, err := f.Receive(t.Context(), strings.NewReader("x"), 10)
		if err == nil {
			err = f.Place(r, kyro.DocumentID(key), 1)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(filepath.Join(dir, "12"), time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	got, err := f.Documents(time.Now().Add(-time.Hour))
	if err != nil || !slices.Equal(got, []kyro.ID{kyro.DocumentID(12)}) {
		t.Errorf("Documents = %v, %v", got, err)
	}
}

func TestRemoveTakesDocumentsOnly(t *testing.T) {
	t.Parallel()
	f, dir := open(t)
	for _, id := range []kyro.ID{{}, kyro.BotID(1), kyro.DocumentID(-1)} {
		if err := f.Remove(id); err == nil {
			t.Errorf("Remove(%v) succeeded", id)
		}
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
}
