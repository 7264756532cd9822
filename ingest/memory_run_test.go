package ingest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"kyrochat/kyro"
)

func (m *memory) BeginRun(_ context.Context, owner, id kyro.ID, r kyro.NewRun) (kyro.Document, error) {
	return m.change(owner, id, func(d *row) error {
		if !d.Status.Final() {
			return kyro.Errorf(kyro.CodeConflict, "not final")
		}
		d.move(kyro.DocumentStep{Status: kyro.DocumentQueued, Now: r.Now})
		d.Version++
		d.LastRun = kyro.DocumentRun{Cause: r.Cause, StartedAt: r.Now}
		r.ChunkTokens.Into(&d.ChunkTokens)
		r.OverlapTokens.Into(&d.OverlapTokens)
		m.queue = append(m.queue, kyro.Job{Kind: kyro.JobIngest, Key: id.Key, Run: d.Run + 1})
		return nil
	})
}

func (m *memory) RestartDocuments(
	ctx context.Context, owner kyro.ID, ids []kyro.ID, now time.Time,
) (changed []kyro.Document, errs map[kyro.ID]error, err error) {
	errs = map[kyro.ID]error{}
	for _, id := range ids {
		d, err := m.RestartDocument(ctx, owner, id, now)
		if errs[id] = err; err == nil {
			changed = append(changed, d)
		}
	}
	return changed, errs, nil
}

func (m *memory) DeleteDocuments(
	ctx context.Context, owner kyro.ID, ids []kyro.ID, now time.Time, deeds ...kyro.AuditEntry,
) (changed []kyro.Document, errs map[kyro.ID]error, err error) {
	errs = map[kyro.ID]error{}
	for _, id := range ids {
		d, err := m.DeleteDocument(ctx, owner, id, now, deeds...)
		if errs[id] = err; err == nil {
			changed = append(changed, d)
		}
	}
	return changed, errs, nil
}

func (m *memory) SetChunkEnabled(context.Context, kyro.ID, kyro.ID, bool) (kyro.Chunk, error) {
	return kyro.Chunk{}, kyro.NotFound(kyro.KindChunk)
}

func (m *memory) VersionChunks(_ context.Context, v kyro.IndexedVersion, indexes []int) (chunks []kyro.Chunk, err error) {
	err = m.call("VersionChunks", func() error {
		for i, c := range m.rows[v.DocumentID.Key-1].versions[v.Version] {
			if slices.Contains(indexes, i) {
				c.Index = i
				chunks = append(chunks, c)
			}
		}
		return nil
	})
	return chunks, err
}

func (m *memory) Finds(_ context.Context, v kyro.IndexedVersion, terms []string, index int) (found bool, err error) {
	err = m.call("Finds", func() error {
		r := m.rows[v.DocumentID.Key-1]
		if index >= len(r.terms) {
			return fmt.Errorf("no chunk %d", index)
		}
		own := strings.Fields(r.terms[index])
		found = !slices.ContainsFunc(terms, func(term string) bool { return !slices.Contains(own, term) })
		return nil
	})
	return found, err
}

func (m *memory) CountReused(_ context.Context, id kyro.ID, run int64, _ string, _ int) (kyro.Document, error) {
	return m.work("CountReused", id, run, func(r *row) { r.LastRun.Counted = true })
}

func (m *memory) Unprepare(_ context.Context, id kyro.ID, run int64) error {
	_, err := m.work("Unprepare", id, run, func(r *row) { r.prepared = 0 })
	return err
}

func (m *memory) Feed(context.Context) (int, error) { return 0, nil }

func (m *memory) Overdue(context.Context, time.Time, kyro.ID, int) ([]kyro.Job, error) {
	return nil, nil
}

func (m *memory) EnqueueAgain(context.Context, kyro.Job) (bool, error) { return false, nil }

func (m *memory) Latest(document kyro.ID, version int) (path string, found bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for ; version > 0; version-- {
		if _, found := m.placed[m.Path(document, version)]; found {
			return m.Path(document, version), true
		}
	}
	return "", false
}

func (m *memory) Prune(document kyro.ID, inUse, before int) error {
	last, found := m.Latest(document, inUse)
	m.mu.Lock()
	defer m.mu.Unlock()
	for version := 1; version < before; version++ {
		if path := m.Path(document, version); !found || path != last {
			delete(m.placed, path)
		}
	}
	return nil
}
