package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kyrochat/ingest"
	"kyrochat/ingest/files"
	"kyrochat/internal/testdb"
	"kyrochat/jobs"
	"kyrochat/kyro"
	"kyrochat/live"
	"kyrochat/store"
)

// flaky is a store of which one call of a worker fails, before or after its effect.
type flaky struct {
	ingest.Store
	calls, failAt int
	failed        string
}

func (f *flaky) fault(call string) error {
	if f.calls++; f.calls != f.failAt {
		return nil
	}
	f.failed = call
	return errBoom
}

func (f *flaky) around(call string, effect func() error) error {
	if err := f.fault("before " + call); err != nil {
		return err
	}
	if err := effect(); err != nil {
		return err
	}
	return f.fault("after " + call)
}

func (f *flaky) Step(ctx context.Context, id kyro.ID, run int64, step kyro.DocumentStep) (d kyro.Document, err error) {
	err = f.around("Step", func() error { d, err = f.Store.Step(ctx, id, run, step); return err })
	return d, err
}

func (f *flaky) SavePrepared(ctx context.Context, id kyro.ID, run int64, p kyro.Prepared, step kyro.DocumentStep) (d kyro.Document, err error) {
	err = f.around("SavePrepared", func() error { d, err = f.Store.SavePrepared(ctx, id, run, p, step); return err })
	return d, err
}

func (f *flaky) SaveEmbeddings(ctx context.Context, model string, dims int, vectors map[string][]float32, used ...kyro.EmbeddingUsage) error {
	return f.around("SaveEmbeddings", func() error { return f.Store.SaveEmbeddings(ctx, model, dims, vectors, used...) })
}

func (f *flaky) Activate(ctx context.Context, id kyro.ID, run int64, final kyro.DocumentStatus, with string, now time.Time) (d kyro.Document, err error) {
	err = f.around("Activate", func() error { d, err = f.Store.Activate(ctx, id, run, final, with, now); return err })
	return d, err
}

// onDisk extracts what the file holds.
type onDisk struct{}

func (onDisk) Extract(_ context.Context, original kyro.Original, progress func(done, total int)) (kyro.Extraction, error) {
	body, err := os.ReadFile(original.Path)
	progress(1, 1)
	return kyro.Extraction{MimeType: original.MimeType, Text: string(body)}, err
}

// wired is a service on a real database, with its queue and files.
type wired struct {
	*ingest.Service
	store *store.Store
	queue *jobs.Queue
	files *files.Files
	dir   string // of the files
	owner kyro.Viewer
	bot   kyro.ID
}

// queueOn is a queue on a real database that waits for nothing longer than it must.
func queueOn(t *testing.T, p *store.Pools) *jobs.Queue {
	t.Helper()
	var queue *jobs.Queue
	var err error
	c := jobs.Config{FetchCooldown: time.Millisecond, PollInterval: 20 * time.Millisecond, Backoff: func(int) time.Duration { return time.Millisecond }}
	if p.Postgres() {
		queue, err = jobs.NewPostgres(p.Pgx, c)
	} else {
		queue, err = jobs.NewSQLite(p.SQLite, c)
	}
	if err == nil {
		err = queue.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return queue
}

func newWired(t *testing.T, p *store.Pools, wrap func(ingest.Store) ingest.Store, adjust ...func(*ingest.Config)) *wired {
	t.Helper()
	queue := queueOn(t, p)
	s := store.New(p, queue)
	now := time.Now().UTC()
	user, _, err := s.CreateUser(t.Context(), kyro.NewUser{Email: "alice@example.org", Name: "Alice", PasswordHash: "x", CreatedAt: now},
		kyro.Session{CreatedAt: now, RotatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	owned := kyro.NewBot(user.ID, now)
	owned.Name = "Bot"
	stored, err := s.CreateBot(t.Context(), *owned)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	kept, err := files.Open(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	c := ingest.Config{
		Store: wrap(s), Bots: s, Heads: heads(t), Files: kept, Extractor: onDisk{}, Embedder: &embedder{}, Progress: live.NewProgress(live.ProgressConfig{}),
		Sniff: func(io.ReaderAt, int64, string) (string, error) { return "text/plain", nil }, Split: splitLines, Batch: 2,
		Shared: p.Postgres(), Jobs: queue,
	}
	for _, f := range adjust {
		f(&c)
	}
	return &wired{ingest.New(c), s, queue, kept, dir, kyro.Viewer{UserID: user.ID}, stored.ID}
}

// neighbour is the same service with another owner and their bot.
func (h *wired) neighbour(t *testing.T) *wired {
	t.Helper()
	now := time.Now().UTC()
	user, _, err := h.store.CreateUser(t.Context(), kyro.NewUser{Email: "bob@example.org", Name: "Bob", PasswordHash: "x", CreatedAt: now},
		kyro.Session{CreatedAt: now, RotatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	owned := kyro.NewBot(user.ID, now)
	owned.Name = "Bot"
	stored, err := h.store.CreateBot(t.Context(), *owned)
	if err != nil {
		t.Fatal(err)
	}
	n := *h
	n.owner, n.bot = kyro.Viewer{UserID: user.ID}, stored.ID
	return &n
}

func TestRealStoreGoesOnAfterAnyFault(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		var f *flaky
		h := newWired(t, p, func(s ingest.Store) ingest.Store { f = &flaky{Store: s}; return f })
		for n := 1; ; n++ {
			text := fmt.Sprintf("one %d\ntwo %d\nthree %d\nfour %d\nfive %d", n, n, n, n, n)
			added, err := h.AddText(t.Context(), h.owner, h.bot, "Fruit", text)
			if err != nil {
				t.Fatal(err)
			}
			d := added.Document
			f.calls, f.failAt, f.failed = 0, n, ""
			if err := h.Work(t.Context(), jobOf(d)); f.failed != "" && f.failed != "after Activate" && !errors.Is(err, errBoom) {
				t.Fatalf("%s: the turn ended with %v", f.failed, err)
			}
			if f.failed == "" {
				return
			}
			if err := h.Work(t.Context(), jobOf(d)); err != nil {
				t.Fatalf("%s: the next turn ended with %v", f.failed, err)
			}
			d, err = h.Document(t.Context(), h.owner, d.ID)
			if err != nil || d.Status != kyro.DocumentReady || d.ChunkCount != 5 {
				t.Errorf("%s: the document is %+v, %v", f.failed, d, err)
			}
			pages, err := h.ChunkList(t.Context(), h.owner, []kyro.ID{d.ID}, kyro.PageRequest{Order: kyro.ChunksOrder, Limit: 100, Total: true})
			page := pages[d.ID]
			if err != nil || page.Total != 5 || page.Nodes[4].Text != fmt.Sprintf("five %d", n) {
				t.Errorf("%s: %d chunks, %v", f.failed, page.Total, err)
			}
			if got, err := h.Texts(t.Context(), h.owner, []kyro.ID{d.ID}, 0, 1000); err != nil || got[d.ID] != text {
				t.Errorf("%s: the text is %v, %v", f.failed, got, err)
			}
		}
	})
}

// TestRealRunGoesOnAfterAnyFault makes a second version, and whatever call of the store fails, the first one is there until the
// second is, and nothing is embedded twice.
func TestRealRunGoesOnAfterAnyFault(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		var f *flaky
		e := &embedder{}
		h := newWired(t, p, func(s ingest.Store) ingest.Store { f = &flaky{Store: s}; return f }, func(c *ingest.Config) { c.Embedder = e })
		for n := 1; ; n++ {
			added, err := h.AddText(t.Context(), h.owner, h.bot, "Fruit", fmt.Sprintf("one %d\ntwo %d\nthree %d", n, n, n))
			if err != nil {
				t.Fatal(err)
			}
			f.calls, f.failAt = 0, 0
			if err := h.Work(t.Context(), jobOf(added.Document)); err != nil {
				t.Fatal(err)
			}
			d, err := h.Reprocess(t.Context(), h.owner, added.Document.ID, ingest.Cut{})
			if err != nil {
				t.Fatal(err)
			}
			f.calls, f.failAt, f.failed = 0, n, ""
			err = h.Work(t.Context(), jobOf(d))
			before, readErr := h.Document(t.Context(), h.owner, d.ID)
			if readErr != nil || before.ChunkCount != 3 || before.ActiveVersion == 0 {
				t.Errorf("%s: in between the document is %+v, %v", f.failed, before, readErr)
			}
			if f.failed == "" {
				return
			}
			if f.failed != "after Activate" && !errors.Is(err, errBoom) {
				t.Fatalf("%s: the turn ended with %v", f.failed, err)
			}
			if err := h.Work(t.Context(), jobOf(d)); err != nil {
				t.Fatalf("%s: the next turn ended with %v", f.failed, err)
			}
			d, err = h.Document(t.Context(), h.owner, d.ID)
			if err != nil || d.Status != kyro.DocumentReady || d.ActiveVersion != 2 || d.LastRun.ChunksReused != 3 || d.LastRun.ChunksRemoved != 0 {
				t.Errorf("%s: the document is %+v, %v", f.failed, d, err)
			}
			if e.paid() != 3*n {
				t.Errorf("%s: %d passages were embedded, want %d", f.failed, e.paid(), 3*n)
			}
		}
	})
}

func TestRealQueueCarriesADocumentFromUploadToPurge(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		h := newWired(t, p, func(s ingest.Store) ingest.Store { return s })
		h.queue.Handle(kyro.JobIngest, h.Work)
		h.queue.OnExhausted(kyro.JobIngest, h.GiveUp)
		purged := make(chan error, 1)
		h.queue.Handle(kyro.JobPurge, func(ctx context.Context, job kyro.Job) error {
			err := h.Purge(ctx, job)
			purged <- err
			return err
		})
		if err := h.queue.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := h.queue.Stop(context.Background()); err != nil {
				t.Error(err)
			}
		})
		added, err := h.Upload(t.Context(), h.owner, h.bot, nil, "fruit.txt", strings.NewReader(five))
		if err != nil {
			t.Fatal(err)
		}
		id := added.Document.ID
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		var last kyro.DocumentProgress
		for progress, err := range h.Watch(ctx, h.owner, id) {
			if err != nil {
				t.Fatal(err)
			}
			last = progress
		}
		if last.Status != kyro.DocumentReady {
			t.Fatalf("the watch ended with %+v", last)
		}
		_, inFolder := os.Stat(h.files.Path(id, 1))
		_, inStore := h.store.Original(t.Context(), id, 1)
		if p.Postgres() != errors.Is(inFolder, os.ErrNotExist) || p.Postgres() != (inStore == nil) {
			t.Errorf("in the folder: %v, in the store: %v", inFolder, inStore)
		}
		if left, err := os.ReadDir(filepath.Join(h.dir, "tmp")); err != nil || len(left) != 0 {
			t.Errorf("left of the work: %v, %v", left, err)
		}
		if err := h.Delete(t.Context(), h.owner, id); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Document(t.Context(), h.owner, id); kyro.ErrorCode(err) != kyro.CodeNotFound {
			t.Errorf("after the delete: %v", err)
		}
		select {
		case err := <-purged:
			if err != nil {
				t.Errorf("the purge ended with %v", err)
			}
		case <-ctx.Done():
			t.Fatal("nothing was purged")
		}
		if _, err := os.Stat(h.files.Path(id, 1)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the file is still there: %v", err)
		}
		if n := parts(t, p); n != 0 {
			t.Errorf("%d parts of the original are still there", n)
		}
	})
}

// parts counts what the database holds of originals.
func parts(t *testing.T, p *store.Pools) (n int) {
	t.Helper()
	const count = "SELECT count(*) FROM document_files"
	var err error
	if p.Postgres() {
		err = p.Pgx.QueryRow(t.Context(), count).Scan(&n)
	} else {
		err = p.SQLite.QueryRowContext(t.Context(), count).Scan(&n)
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRealUploadThatIsRefusedLeavesNothing(t *testing.T) {
	t.Parallel()
	testdb.Each(t, func(t *testing.T, p *store.Pools) {
		h := newWired(t, p, func(s ingest.Store) ingest.Store { return s })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := h.Upload(ctx, h.owner, h.bot, nil, "a.txt", strings.NewReader("x")); err == nil {
			t.Fatal("an upload by a client that has gone is stored")
		}
		pages, err := h.List(t.Context(), h.owner, []kyro.ID{h.bot}, kyro.DocumentFilter{}, kyro.PageRequest{Order: kyro.DocumentsOrder, Limit: 10})
		page := pages[h.bot]
		if err != nil || len(page.Nodes) != 0 {
			t.Errorf("documents: %+v, %v", page, err)
		}
	})
}
