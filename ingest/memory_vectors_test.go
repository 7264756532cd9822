package ingest_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"kyrochat/kyro"
)

// vectorKey is where the embedding of a content by a model is; by the model of most tests, the content's hash alone.
func vectorKey(model, hash string) string {
	if model == "test" {
		return hash
	}
	return model + ":" + hash
}

func (m *memory) unembedded(v kyro.IndexedVersion, model string) (chunks []kyro.Chunk) {
	for _, c := range m.rows[v.DocumentID.Key-1].versions[v.Version] {
		if m.vectors[vectorKey(model, c.ContentHash)] == nil {
			chunks = append(chunks, c)
		}
	}
	return chunks
}

func (m *memory) Unembedded(_ context.Context, v kyro.IndexedVersion, model string, _, after, limit int) (chunks []kyro.Chunk, err error) {
	err = m.call("Unembedded", func() error {
		for _, c := range m.unembedded(v, model) {
			if c.Index > after && len(chunks) < limit {
				chunks = append(chunks, c)
			}
		}
		return nil
	})
	return chunks, err
}

func (m *memory) CountUnembedded(_ context.Context, v kyro.IndexedVersion, model string, _ int) (n int, err error) {
	err = m.call("CountUnembedded", func() error {
		n = len(m.unembedded(v, model))
		return nil
	})
	return n, err
}

func (m *memory) SaveEmbeddings(_ context.Context, model string, _ int, vectors map[string][]float32, used ...kyro.EmbeddingUsage) error {
	return m.call("SaveEmbeddings", func() error {
		m.used = append(m.used, used...)
		for hash, v := range vectors {
			m.vectors[vectorKey(model, hash)] = v
		}
		return nil
	})
}

func (m *memory) VersionVectors(
	_ context.Context, v kyro.IndexedVersion, model string, _, from, limit int,
) (vectors []kyro.IndexedVector, err error) {
	err = m.call("VersionVectors", func() error {
		r := m.rows[v.DocumentID.Key-1]
		for _, c := range r.versions[v.Version] {
			vector := m.vectors[vectorKey(model, c.ContentHash)]
			if !r.deleted && c.Index >= from && vector != nil && len(vectors) < limit {
				place := kyro.VectorPlace{BotID: r.BotID, DocumentID: r.ID, Version: v.Version, Index: c.Index}
				vectors = append(vectors, kyro.IndexedVector{VectorPlace: place, Vector: vector})
			}
		}
		return nil
	})
	return vectors, err
}

func indexingKey(document kyro.ID, version int, with string) string {
	return fmt.Sprintf("%d/%d/%s", document.Key, version, with)
}

func (m *memory) Indexing(_ context.Context, v kyro.IndexedVersion, with string) (at kyro.Indexing, err error) {
	err = m.call("Indexing", func() error {
		at = m.indexings[indexingKey(v.DocumentID, v.Version, with)]
		return nil
	})
	return at, err
}

func (m *memory) SaveIndexing(_ context.Context, v kyro.IndexedVersion, with string, at kyro.Indexing) error {
	return m.call("SaveIndexing", func() error {
		m.indexings[indexingKey(v.DocumentID, v.Version, with)] = at
		return nil
	})
}

func (m *memory) Activate(_ context.Context, id kyro.ID, run int64, final kyro.DocumentStatus, with string, now time.Time) (kyro.Document, error) {
	return m.work("Activate", id, run, func(r *row) {
		r.move(kyro.DocumentStep{Status: final, Now: now})
		if r.ActiveVersion != 0 && r.ActiveVersion != r.Version {
			m.queue = append(m.queue, kyro.Job{Kind: kyro.JobPurge, Key: id.Key})
		}
		r.ActiveVersion, r.ReadyAt = r.Version, &now
		r.embeddedWith, r.refreshingWith = with, ""
		delete(m.indexings, indexingKey(id, r.Version, with))
		m.knowledge++
	})
}

func (r *row) vectorState() kyro.VectorState {
	return kyro.VectorState{
		BotID: r.BotID, DocumentID: r.ID, Title: r.Title, Version: r.Version, ActiveVersion: r.ActiveVersion,
		Chunks: len(r.versions[r.ActiveVersion]), EmbeddedWith: r.embeddedWith,
	}
}

func (m *memory) VectorStates(_ context.Context, documents []kyro.ID) (states []kyro.VectorState, err error) {
	err = m.call("VectorStates", func() error {
		for _, r := range m.rows {
			if !r.deleted && slices.Contains(documents, r.ID) {
				states = append(states, r.vectorState())
			}
		}
		return nil
	})
	return states, err
}

func (m *memory) Embedded(_ context.Context, with string, after kyro.ID, limit int) (states []kyro.VectorState, err error) {
	err = m.call("Embedded", func() error {
		for _, r := range m.rows {
			if !r.deleted && r.ActiveVersion > 0 && r.embeddedWith == with && r.ID.Key > after.Key && len(states) < limit {
				states = append(states, r.vectorState())
			}
		}
		return nil
	})
	return states, err
}

func (m *memory) BeginRefresh(_ context.Context, with string, limit, most int) (begun int, more bool, err error) {
	err = m.call("BeginRefresh", func() error {
		for _, r := range m.rows {
			if r.refreshingWith == with {
				most--
			}
		}
		for _, r := range m.rows {
			if r.deleted || r.ActiveVersion == 0 || r.embeddedWith == with || r.refreshingWith == with {
				continue
			}
			if more = begun >= min(limit, most); !more {
				r.refreshingWith = with
				m.queue = append(m.queue, kyro.Job{Kind: kyro.JobEmbed, Key: r.ID.Key})
				begun++
			}
		}
		return nil
	})
	return begun, more, err
}

func (m *memory) FinishRefresh(_ context.Context, v kyro.IndexedVersion, with string) error {
	return m.call("FinishRefresh", func() error {
		r := m.rows[v.DocumentID.Key-1]
		if r.deleted || r.ActiveVersion != v.Version {
			return kyro.Errorf(kyro.CodeConflict, "not active")
		}
		r.embeddedWith, r.refreshingWith = with, ""
		delete(m.indexings, indexingKey(r.ID, v.Version, with))
		m.knowledge++
		return nil
	})
}

func (m *memory) EndRefresh(_ context.Context, document kyro.ID) error {
	return m.call("EndRefresh", func() error {
		m.rows[document.Key-1].refreshingWith = ""
		return nil
	})
}

func (m *memory) Doubt(_ context.Context, with string, versions []kyro.IndexedVersion) error {
	return m.call("Doubt", func() error {
		for _, v := range versions {
			if r := m.rows[v.DocumentID.Key-1]; r.embeddedWith == with && r.ActiveVersion == v.Version {
				r.embeddedWith, r.refreshingWith = "", ""
			}
		}
		return nil
	})
}

func (m *memory) Dead(_ context.Context, document kyro.ID) (dead []kyro.IndexedVersion, err error) {
	err = m.call("Dead", func() error {
		r := m.rows[document.Key-1]
		for version, chunks := range r.versions {
			if r.deleted || version < r.Version && version != r.ActiveVersion {
				dead = append(dead, kyro.IndexedVersion{BotID: r.BotID, DocumentID: r.ID, Version: version, Chunks: len(chunks)})
			}
		}
		return nil
	})
	return dead, err
}

// renew begins the next version of a document, which has a new content.
func (m *memory) renew(id kyro.ID, content string) kyro.Document {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.rows[id.Key-1]
	r.Version++
	r.Run++
	r.FetchedRun = r.Run
	r.move(kyro.DocumentStep{Status: kyro.DocumentQueued, Now: m.now})
	m.placed[m.Path(id, r.Version)] = []byte(content)
	return r.Document
}

// copy adds a document that is like another one.
func (m *memory) copy(id kyro.ID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := *m.rows[id.Key-1]
	r.ID = kyro.DocumentID(int64(len(m.rows) + 1))
	m.rows = append(m.rows, &r)
}

// pass lets time go by.
func (m *memory) pass(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
}

// jobs takes the jobs of a kind that were enqueued.
func (m *memory) jobs(kind kyro.JobKind) (taken []kyro.Job) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = slices.DeleteFunc(m.queue, func(j kyro.Job) bool {
		if j.Kind == kind {
			taken = append(taken, j)
		}
		return j.Kind == kind
	})
	return taken
}
