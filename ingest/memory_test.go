package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"
	"time"

	"kyrochat/ingest"
	"kyrochat/kyro"
)

// memory is a store, a bot list and files in memory, with the rules of their ports. Fault, when set, is asked at
// every call of a worker, before and after its effect.
type memory struct {
	ingest.PageStore  // which it has not
	ingest.CrawlStore // likewise

	mu        sync.Mutex
	now       time.Time
	rows      []*row
	vectors   map[string][]float32
	used      []kyro.EmbeddingUsage
	indexings map[string]kyro.Indexing
	knowledge int // counts the changes of what answers use
	queue     []kyro.Job
	purged    []kyro.ID
	removed   []kyro.ID
	received  int // files not placed and not discarded
	placed    map[string][]byte
	purgeLeft int
	fault     func(call string, after bool) error
	saved     int // SavePrepared calls that took effect
	lines     []kyro.AuditEntry
}

type row struct {
	kyro.Document
	deleted  bool
	original []byte
	prepared int
	chunks   []kyro.Chunk         // of the version made last
	versions map[int][]kyro.Chunk // of all whose rows are there
	terms    []string
	text     string

	embeddedWith, refreshingWith string
}

func newMemory() *memory {
	return &memory{
		now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC), vectors: map[string][]float32{}, placed: map[string][]byte{},
		indexings: map[string]kyro.Indexing{},
	}
}

// tick is the next moment: no two are the same.
func (m *memory) tick() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(time.Millisecond)
	return m.now
}

func (m *memory) call(name string, effect func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fault != nil {
		if err := m.fault(name, false); err != nil {
			return err
		}
	}
	if err := effect(); err != nil {
		return err
	}
	if m.fault != nil {
		return m.fault(name, true)
	}
	return nil
}

func (m *memory) Bots(_ context.Context, owner kyro.ID, ids []kyro.ID) ([]kyro.Bot, error) {
	if owner == alice.UserID && slices.Contains(ids, bot) {
		return []kyro.Bot{{ID: bot, OwnerID: owner}}, nil
	}
	return nil, nil
}

// AnswerGap knows one gap, which is of no bot in particular.
func (m *memory) AnswerGap(
	ctx context.Context, gap kyro.ID, d kyro.NewDocument, original io.Reader, deeds ...kyro.AuditEntry,
) (kyro.Document, bool, error) {
	if gap != kyro.GapID(1) {
		return kyro.Document{}, false, kyro.NotFound(kyro.KindGap)
	}
	document, _, err := m.AddDocument(ctx, d, original, nil, deeds...)
	return document, err == nil, err
}

func (m *memory) AddDocument(
	_ context.Context, d kyro.NewDocument, original io.Reader, place func(kyro.Document) error, deeds ...kyro.AuditEntry,
) (kyro.Document, kyro.ID, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var duplicate kyro.ID
	for _, r := range slices.Backward(m.rows) {
		if r.ContentHash == d.ContentHash && !r.deleted {
			duplicate = r.ID
		}
	}
	var kept []byte
	if original != nil {
		var err error
		if kept, err = io.ReadAll(original); err != nil {
			return kyro.Document{}, kyro.ID{}, err
		}
	}
	r := &row{original: kept, Document: kyro.Document{
		ID: kyro.DocumentID(int64(len(m.rows) + 1)), BotID: d.BotID, OwnerID: d.OwnerID, Kind: d.Kind, Title: d.Title,
		FileName: d.FileName, MimeType: d.MimeType, SizeBytes: d.SizeBytes, ContentHash: d.ContentHash,
		Version: 1, Run: 1, Status: kyro.DocumentQueued, CreatedAt: d.Now, UpdatedAt: d.Now,
	}}
	if place != nil {
		if err := place(r.Document); err != nil {
			return kyro.Document{}, kyro.ID{}, err
		}
	}
	r.LastRun = kyro.DocumentRun{Cause: kyro.RunAdded, StartedAt: d.Now}
	m.rows = append(m.rows, r)
	m.queue = append(m.queue, kyro.Job{Kind: kyro.JobIngest, Key: r.ID.Key, Run: 1})
	for _, e := range deeds {
		e.Target = r.ID
		m.lines = append(m.lines, e)
	}
	return r.Document, duplicate, nil
}

func (m *memory) find(owner, id kyro.ID) *row {
	for _, r := range m.rows {
		if r.ID == id && r.OwnerID == owner && !r.deleted {
			return r
		}
	}
	return nil
}

func (m *memory) Documents(_ context.Context, owner kyro.ID, ids []kyro.ID) (found []kyro.Document, err error) {
	err = m.call("Documents", func() error {
		for _, id := range ids {
			if r := m.find(owner, id); r != nil {
				found = append(found, r.Document)
			}
		}
		return nil
	})
	return found, err
}

func (m *memory) DocumentPages(context.Context, kyro.ID, []kyro.ID, kyro.DocumentFilter, kyro.PageRequest) (p map[kyro.ID]kyro.Page[kyro.Document], err error) {
	return p, nil
}

func (m *memory) ChunkPages(context.Context, kyro.ID, []kyro.ID, kyro.PageRequest) (p map[kyro.ID]kyro.Page[kyro.Chunk], err error) {
	return p, nil
}

func (m *memory) Chunks(context.Context, kyro.ID, []kyro.ID) ([]kyro.Chunk, error) { return nil, nil }

func (m *memory) Unfinished(_ context.Context, owner, bot kyro.ID, after kyro.Document, limit int) (found []kyro.Document, err error) {
	err = m.call("Unfinished", func() error {
		for _, r := range m.rows {
			if r.OwnerID == owner && r.BotID == bot && !r.deleted && !r.Status.Final() && r.ID.Key > after.ID.Key && len(found) < limit {
				found = append(found, r.Document)
			}
		}
		return nil
	})
	return found, err
}

func (m *memory) change(owner, id kyro.ID, change func(*row) error) (kyro.Document, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.find(owner, id)
	if r == nil {
		return kyro.Document{}, kyro.NotFound(kyro.KindDocument)
	}
	if err := change(r); err != nil {
		return kyro.Document{}, err
	}
	r.Run++
	return r.Document, nil
}

func (r *row) move(step kyro.DocumentStep) {
	if step.Status.Retryable() {
		r.Reached = r.Progress().Percent()
	}
	r.Status, r.StatusReason, r.UpdatedAt = step.Status, step.Reason, step.Now
	r.StageDone, r.StageTotal, r.RetryAt = step.StageDone, step.StageTotal, step.RetryAt
	if step.MimeType != "" {
		r.MimeType = step.MimeType
	}
}

func (m *memory) RestartDocument(_ context.Context, owner, id kyro.ID, now time.Time) (kyro.Document, error) {
	return m.change(owner, id, func(r *row) error {
		if !r.Status.Retryable() {
			return kyro.Errorf(kyro.CodeConflict, "not retryable")
		}
		r.move(kyro.DocumentStep{Status: kyro.DocumentQueued, Now: now})
		m.queue = append(m.queue, kyro.Job{Kind: kyro.JobIngest, Key: id.Key, Run: r.Run + 1})
		return nil
	})
}

func (m *memory) CancelDocument(_ context.Context, owner, id kyro.ID, now time.Time) (kyro.Document, error) {
	return m.change(owner, id, func(r *row) error {
		if r.Status.Final() {
			return kyro.Errorf(kyro.CodeConflict, "final")
		}
		r.move(kyro.DocumentStep{Status: kyro.DocumentCanceled, Now: now})
		return nil
	})
}

func (m *memory) DeleteDocument(_ context.Context, owner, id kyro.ID, now time.Time, deeds ...kyro.AuditEntry) (kyro.Document, error) {
	return m.change(owner, id, func(r *row) error {
		r.deleted, r.UpdatedAt = true, now
		m.queue = append(m.queue, kyro.Job{Kind: kyro.JobPurge, Key: id.Key})
		m.lines = append(m.lines, deeds...)
		return nil
	})
}

func (m *memory) DocumentTexts(_ context.Context, owner kyro.ID, ids []kyro.ID, start, length int) (map[kyro.ID]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	texts := map[kyro.ID]string{}
	for _, id := range ids {
		if r := m.find(owner, id); r != nil && r.ActiveVersion > 0 {
			texts[id] = r.text[min(start, len(r.text)):min(start+length, len(r.text))]
		}
	}
	return texts, nil
}

// inRun is what a worker of the run may change, or CONFLICT.
func (m *memory) inRun(id kyro.ID, run int64) (*row, error) {
	for _, r := range m.rows {
		if r.ID == id && r.Run == run && !r.deleted && !r.Status.Final() {
			return r, nil
		}
	}
	return nil, kyro.Errorf(kyro.CodeConflict, "the run is over")
}

func (m *memory) work(call string, id kyro.ID, run int64, effect func(*row)) (d kyro.Document, err error) {
	err = m.call(call, func() error {
		r, err := m.inRun(id, run)
		if err == nil {
			effect(r)
			d = r.Document
		}
		return err
	})
	return d, err
}

func (m *memory) DocumentForWork(_ context.Context, id kyro.ID, run int64) (kyro.Document, error) {
	return m.work("DocumentForWork", id, run, func(*row) {})
}

func (m *memory) HasPrepared(_ context.Context, id kyro.ID, run int64) (prepared bool, err error) {
	_, err = m.work("HasPrepared", id, run, func(r *row) { prepared = r.prepared == r.Version })
	return prepared, err
}

func (m *memory) Step(_ context.Context, id kyro.ID, run int64, step kyro.DocumentStep) (kyro.Document, error) {
	return m.work("Step "+string(step.Status), id, run, func(r *row) {
		r.move(step)
		if p := step.Pages; p != nil {
			r.PageCount, r.PageChars, r.Warnings = &p.Count, p.Chars, p.Warnings
		}
	})
}

func (m *memory) Original(_ context.Context, id kyro.ID, _ int) (body io.ReadSeeker, err error) {
	err = m.call("Original", func() error {
		original := m.rows[id.Key-1].original
		if original == nil {
			return kyro.NotFound(kyro.KindDocument)
		}
		body = bytes.NewReader(original)
		return nil
	})
	return body, err
}

func (m *memory) SavePrepared(_ context.Context, id kyro.ID, run int64, p kyro.Prepared, step kyro.DocumentStep) (kyro.Document, error) {
	return m.work("SavePrepared", id, run, func(r *row) {
		r.move(step)
		r.prepared, r.text, r.chunks, r.terms = r.Version, p.Text, p.Chunks, p.Terms
		if r.versions == nil {
			r.versions = map[int][]kyro.Chunk{}
		}
		r.versions[r.Version] = p.Chunks
		r.LastRun.Counted = true
		if p.NewTitle != "" {
			r.Title = p.NewTitle
		}
		r.ChunkCount, r.CharCount, r.Language, r.Warnings = len(p.Chunks), &p.CharCount, p.Language, p.Warnings
		m.saved++
	})
}

func (m *memory) Purge(_ context.Context, id kyro.ID) (done bool, err error) {
	err = m.call("Purge", func() error {
		if done = m.purgeLeft == 0; done {
			m.purged = append(m.purged, id)
			if id.Key <= int64(len(m.rows)) {
				r := m.rows[id.Key-1]
				for version := range r.versions {
					if r.deleted || version < r.Version && version != r.ActiveVersion {
						delete(r.versions, version)
					}
				}
			}
		} else {
			m.purgeLeft--
		}
		return nil
	})
	return done, err
}

func (m *memory) Deleted(_ context.Context, ids []kyro.ID) (deleted []kyro.ID, err error) {
	err = m.call("Deleted", func() error {
		for _, id := range ids {
			if id.Key > int64(len(m.rows)) || m.rows[id.Key-1].deleted {
				deleted = append(deleted, id)
			}
		}
		return nil
	})
	return deleted, err
}

func (m *memory) SweepCrawls(context.Context, time.Time) (bool, error) { return true, nil }

func (m *memory) AnyPage(context.Context, kyro.ID, kyro.CrawlPageStatus) (bool, error) {
	return false, nil
}

func (m *memory) PurgeCrawls(context.Context, kyro.ID) (bool, error) { return true, nil }

func (m *memory) Receive(_ context.Context, r io.Reader, limit int64) (ingest.Received, error) {
	body, err := io.ReadAll(r)
	if err != nil {
		return ingest.Received{}, err
	}
	if int64(len(body)) > limit {
		return ingest.Received{}, kyro.Errorf(kyro.CodeFileTooLarge, "too large")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.received++
	path := fmt.Sprintf("tmp/%d", m.received)
	m.placed[path] = body
	return ingest.Received{Path: path, Size: int64(len(body)), SHA256: fmt.Sprintf("hash of %q", body)}, nil
}

func (m *memory) Open(r ingest.Received) (ingest.File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	body, there := m.placed[r.Path]
	if !there {
		return nil, fs.ErrNotExist
	}
	return openFile{bytes.NewReader(body)}, nil
}

// openFile needs no closing.
type openFile struct{ *bytes.Reader }

func (openFile) Close() error { return nil }

// Place is called within AddDocument, which holds the lock.
func (m *memory) Place(r ingest.Received, document kyro.ID, version int) error {
	m.placed[m.Path(document, version)] = m.placed[r.Path]
	delete(m.placed, r.Path)
	return nil
}

func (m *memory) Discard(r ingest.Received) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.placed, r.Path)
}

func (m *memory) Path(document kyro.ID, version int) string {
	return fmt.Sprintf("%d/%d", document.Key, version)
}

func (m *memory) Remove(document kyro.ID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.removed = append(m.removed, document)
	return nil
}

func (m *memory) Documents2() []kyro.ID { return []kyro.ID{kyro.DocumentID(1), kyro.DocumentID(99)} }

// disk is the memory as files; both ports have a method Documents.
type disk struct{ *memory }

func (d disk) Documents(time.Time) ([]kyro.ID, error) { return d.Documents2(), nil }

// left are the files that are there, temporary ones included.
func (m *memory) left() (paths []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for path := range m.placed {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}
