package ingest_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/ingest"
	"kyrochat/ingest/chunk"
	"kyrochat/kyro"
	"kyrochat/live"
)

var (
	alice = kyro.Viewer{UserID: kyro.UserID(1)}
	bob   = kyro.Viewer{UserID: kyro.UserID(2)}
	bot   = kyro.BotID(10) // of alice
)

var errBoom = errors.New("boom")

// reader extracts by a script of the file's words: its text, or what a test sets.
type reader struct {
	m       *memory
	extract func(ctx context.Context, body []byte, mimeType string, progress func(done, total int)) (kyro.Extraction, error)
}

func (r *reader) Extract(ctx context.Context, original kyro.Original, progress func(done, total int)) (kyro.Extraction, error) {
	r.m.mu.Lock()
	body := bytes.Clone(r.m.placed[original.Path])
	r.m.mu.Unlock()
	if r.extract != nil {
		return r.extract(ctx, body, original.MimeType, progress)
	}
	progress(1, 2)
	progress(2, 2)
	return kyro.Extraction{MimeType: original.MimeType, Text: string(body)}, nil
}

// embedder gives vectors of three dimensions.
type embedder struct {
	name  string // default "test"
	mu    sync.Mutex
	texts []string
	fail  func(call int) error
	wait  func(call int) // before the answer, with nothing held
	calls int
}

func (e *embedder) Model() (string, int) { return cmp.Or(e.name, "test"), 3 }

func (e *embedder) EmbedPassages(ctx context.Context, texts []string) ([][]float32, error) {
	e.mu.Lock()
	e.calls++
	call := e.calls
	e.mu.Unlock()
	if e.wait != nil {
		e.wait(call)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		if err := e.fail(call); err != nil {
			return nil, err
		}
	}
	e.texts = append(e.texts, texts...)
	vectors := make([][]float32, len(texts))
	for i := range vectors {
		vectors[i] = []float32{1, 0, 0}
	}
	return vectors, ctx.Err()
}

// paid counts the texts that were embedded.
func (e *embedder) paid() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.texts)
}

// board is progress in memory. It can fail, drop what is published, and claim that changes were lost.
type board struct {
	mu      sync.Mutex
	changes []kyro.DocumentProgress
	bots    []kyro.ID
	grown   chan struct{}
	drop    bool
	lost    bool
	err     error
}

func newBoard() *board { return &board{grown: make(chan struct{})} }

func (b *board) Publish(_ context.Context, bot kyro.ID, p kyro.DocumentProgress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.drop {
		return
	}
	b.changes, b.bots = append(b.changes, p), append(b.bots, bot)
	close(b.grown)
	b.grown = make(chan struct{})
}

func (b *board) Read(ctx context.Context, topic kyro.ID, after int64) ([]kyro.DocumentProgress, int64, bool, error) {
	for {
		b.mu.Lock()
		grown, end, err, lost := b.grown, int64(len(b.changes)), b.err, b.lost
		var found []kyro.DocumentProgress
		if after >= 0 {
			for i, c := range b.changes[after:] {
				if c.DocumentID == topic || b.bots[int(after)+i] == topic {
					found = append(found, c)
				}
			}
		}
		b.lost = b.lost && after < 0
		b.mu.Unlock()
		switch {
		case err != nil:
			return nil, 0, false, err
		case after < 0 || lost:
			return nil, end, after >= 0, nil
		case len(found) > 0:
			return found, end, false, nil
		}
		after = end
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, 0, false, ctx.Err()
		}
	}
}

func (b *board) of(id kyro.ID) (changes []kyro.DocumentProgress) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range b.changes {
		if c.DocumentID == id {
			changes = append(changes, c)
		}
	}
	return changes
}

// house is a service on parts in memory.
type house struct {
	*ingest.Service
	*memory
	reader   *reader
	embedder *embedder
	board    *board
}

func newHouse(t *testing.T, adjust ...func(*ingest.Config)) *house {
	t.Helper()
	m := newMemory()
	h := &house{memory: m, reader: &reader{m: m}, embedder: &embedder{}, board: newBoard()}
	c := ingest.Config{
		Store: m, Bots: m, Heads: heads(t), Files: disk{m}, Extractor: h.reader, Embedder: h.embedder, Progress: h.board,
		Sniff: func(_ io.ReaderAt, _ int64, fileName string) (string, error) {
			switch {
			case strings.HasSuffix(fileName, ".pdf"):
				return "application/pdf", nil
			case strings.HasSuffix(fileName, ".exe"):
				return "", kyro.Errorf(kyro.CodeUnsupportedType, "no")
			}
			return "text/plain", nil
		},
		Split: splitLines, Batch: 2, Now: m.tick, Recheck: time.Hour, Random: func() float64 { return 0 },
	}
	for _, f := range adjust {
		f(&c)
	}
	h.Service = ingest.New(c)
	return h
}

// heads remembers documents that are ready as long as a test runs.
func heads(t *testing.T) ingest.Heads {
	cache := live.NewCache(live.CacheConfig[kyro.Document]{
		TTL: time.Hour, ID: (*kyro.Document).NodeID, Clone: (*kyro.Document).Clone,
		Keep: func(d *kyro.Document) bool { return d.Status.Ready() },
	})
	t.Cleanup(cache.Close)
	return cache
}

// splitLines makes a chunk of each line.
func splitLines(ex kyro.Extraction, title string, _ chunk.Options) (chunks []kyro.Chunk) {
	at := 0
	for line := range strings.SplitSeq(ex.Text, "\n") {
		end := at + len(line)
		c := kyro.Chunk{
			Index: len(chunks), Text: line, CharStart: at, CharEnd: end, ByteStart: at, ByteEnd: end, TokenCount: 2,
		}
		c.ContentHash = fmt.Sprintf("%x", sha256.Sum256([]byte(chunk.EmbeddedText(title, c))))
		chunks, at = append(chunks, c), end+1
	}
	return chunks
}

// upload adds a file of alice with the content.
func (h *house) upload(t *testing.T, name, content string) kyro.Document {
	t.Helper()
	added, err := h.Upload(t.Context(), alice, bot, nil, name, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return added.Document
}

// row is the document as it is stored.
func (h *house) row(id kyro.ID) row {
	h.memory.mu.Lock()
	defer h.memory.mu.Unlock()
	return *h.rows[id.Key-1]
}

func jobOf(d kyro.Document) kyro.Job {
	return kyro.Job{Kind: kyro.JobIngest, Key: d.ID.Key, Run: d.Run}
}
