package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"text/template"

	"kyrochat/internal/testdb"
	"kyrochat/kyro"
	"kyrochat/migrations"
)

// original reads the whole original of a version.
func (k *knowledge) original(t *testing.T, d kyro.Document, version int) string {
	t.Helper()
	r, err := k.store.Original(t.Context(), d.ID, version)
	check(t, err)
	body, err := io.ReadAll(r)
	check(t, err)
	return string(body)
}

// addFile adds a document whose file the store keeps.
func (k *knowledge) addFile(t *testing.T, name string, file io.Reader) (kyro.Document, error) {
	t.Helper()
	d, _, err := k.store.AddDocument(t.Context(), kyro.NewDocument{
		BotID: k.bot, OwnerID: k.owner, Kind: kyro.DocumentFile, Title: name, FileName: name, Now: k.tick(),
	}, file, nil)
	return d, err
}

// noise is content in which a part that is lost, doubled or out of place shows.
func noise(size int) []byte {
	content := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(content)
	return content
}

func TestOriginalsAreKeptInParts(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		const part = 512 << 10
		for size, parts := range map[int]int{1: 1, part - 1: 1, part: 1, part + 1: 2, 3*part + 7: 4} {
			content := noise(size)
			d, err := k.addFile(t, fmt.Sprint(size), iotest.HalfReader(bytes.NewReader(content)))
			check(t, err)
			if got := k.original(t, d, 1); got != string(content) {
				t.Errorf("of %d bytes %d others came back", size, len(got))
			}
			expect(t, fmt.Sprintf("parts of %d bytes", size), k.count(t, "document_files", fmt.Sprintf("document_id = %d", d.ID.Key)), parts)
			// A later version without an original of its own is made from the same.
			if got := k.original(t, d, 3); len(got) != size {
				t.Errorf("version 3 is made from %d bytes, want %d", len(got), size)
			}
			_, err = k.store.Original(t.Context(), d.ID, 0)
			expectCode(t, err, kyro.CodeNotFound)
		}
	})
}

func TestOriginalThatBreaksOffLeavesNothing(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		broken := errors.New("the disk is broken")
		_, err := k.addFile(t, "a.pdf", io.MultiReader(bytes.NewReader(noise(600<<10)), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) {
			t.Errorf("got %v, want the reader's error", err)
		}
		expect(t, "documents", k.count(t, "documents", "1 = 1"), 0)
		expect(t, "parts", k.count(t, "document_files", "1 = 1"), 0)
		expect(t, "jobs", len(k.jobs.take()), 0)
	})
}

func TestOriginalThatIsPurgedWhileItIsRead(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		d, err := k.addFile(t, "a.pdf", bytes.NewReader(noise(600<<10)))
		check(t, err)
		r, err := k.store.Original(t.Context(), d.ID, 1)
		check(t, err)
		_, err = io.ReadFull(r, make([]byte, 512<<10))
		check(t, err)
		_, err = k.store.DeleteDocument(t.Context(), k.owner, d.ID, k.tick())
		check(t, err)
		k.purge(t, d.ID)
		expect(t, "parts", k.count(t, "document_files", "1 = 1"), 0)
		// Half a file must not pass for a whole one.
		_, err = r.Read(make([]byte, 10))
		expectCode(t, err, kyro.CodeNotFound)
	})
}

// TestLargeOriginalIsNotHeldInMemory measures the memory of the process, so it runs alone.
func TestLargeOriginalIsNotHeldInMemory(t *testing.T) {
	k := newKnowledge(t, testdb.Postgres(t))
	const size, bound = 32 << 20, 8 << 20
	held := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before, most := held(), int64(0)
	watched := &watcher{every: size / 5, look: func() { most = max(most, held()-before) }}
	d, err := k.addFile(t, "large.pdf", io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{1}), size), watched))
	check(t, err)
	r, err := k.store.Original(t.Context(), d.ID, 1)
	check(t, err)
	if n, err := io.Copy(watched, r); err != nil || n != size {
		t.Errorf("%d bytes came back, %v", n, err)
	}
	if watched.looked < 8 || most > bound {
		t.Errorf("%d bytes were held for a file of %d, at %d looks", most, size, watched.looked)
	}
}

// watcher looks once in a while at what passes.
type watcher struct {
	every, passed, looked int
	look                  func()
}

func (w *watcher) Write(p []byte) (int, error) {
	w.passed += len(p)
	if w.passed/w.every > w.looked {
		w.looked++
		w.look()
	}
	return len(p), nil
}

// TestTextsMoveToTheFiles goes back to the schema before and forth again: texts stay.
func TestTextsMoveToTheFiles(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		d := k.add(t, "Größe 😀")
		file, err := k.addFile(t, "a.pdf", bytes.NewReader(noise(10)))
		check(t, err)
		k.migrate(t, "20261126000011_originals.tx.down.sql")
		expect(t, "texts", k.count(t, "document_originals", "1 = 1"), 1)
		k.migrate(t, "20261126000011_originals.tx.up.sql")
		expect(t, "the text", k.original(t, d, 1), "Größe 😀")
		_, err = k.store.Original(t.Context(), file.ID, 1)
		expectCode(t, err, kyro.CodeNotFound)
	})
}

// migrate runs one file of the migrations.
func (k *knowledge) migrate(t *testing.T, name string) {
	t.Helper()
	file, err := template.ParseFS(migrations.Files, name)
	check(t, err)
	words := migrations.SQLite
	if k.pools.Postgres() {
		words = migrations.Postgres
	}
	var sql strings.Builder
	check(t, file.Execute(&sql, words))
	if k.pools.Postgres() {
		_, err = k.pools.Pgx.Exec(t.Context(), sql.String())
	} else {
		_, err = k.pools.SQLite.ExecContext(t.Context(), sql.String())
	}
	check(t, err)
}
