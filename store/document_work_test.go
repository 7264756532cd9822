package store_test

import (
	"fmt"
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestStepsOfAWorker(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		d := k.add(t, "one")
		total, retry := 7, k.now.Add(time.Minute)
		step := kyro.DocumentStep{
			Status: kyro.DocumentWaitingQuota, Reason: "wait", StageDone: 3, StageTotal: &total, RetryAt: &retry,
			MimeType: "text/markdown", Now: k.tick(),
		}
		got, err := k.store.Step(ctx, d.ID, d.Run, step)
		check(t, err)
		want := d
		want.Status, want.StatusReason, want.StageDone, want.StageTotal, want.RetryAt = kyro.DocumentWaitingQuota, "wait", 3, &total, &retry
		want.MimeType, want.UpdatedAt = "text/markdown", k.now
		expect(t, "step", got, want)
		if got.StageTotal == &total {
			t.Error("the caller's total is the document's")
		}
		expect(t, "stored", k.document(t, d.ID), want)

		got, err = k.store.Step(ctx, d.ID, d.Run, kyro.DocumentStep{StageDone: 4, Now: k.now})
		check(t, err)
		want.StatusReason, want.StageDone, want.StageTotal, want.RetryAt = "", 4, nil, nil
		expect(t, "what stays and what does not", got, want)

		if _, err = k.store.Step(ctx, d.ID, d.Run, kyro.DocumentStep{Status: kyro.DocumentReady, Now: k.now}); err == nil {
			t.Error("a step made the document ready")
		}
		expect(t, "original", k.original(t, d, 1), "one")
	})
}

// state is all that a worker could have changed about a document, deleted or not.
func (k *knowledge) state(t *testing.T, id kyro.ID) []string {
	t.Helper()
	of := fmt.Sprintf("document_id = %d", id.Key)
	queries := []string{
		fmt.Sprintf("SELECT status || '/' || run || '/' || active_version || '/' || chunk_count || '/' || CAST(updated_at AS TEXT) FROM documents WHERE id = %d", id.Key),
		"SELECT count(*) || ':' || min(text) FROM chunks WHERE " + of,
		"SELECT count(*) || ':' || min(term) || max(term) FROM postings WHERE " + of,
		"SELECT count(*) || ':' || min(body) FROM document_texts WHERE " + of,
	}
	state := make([]string, len(queries))
	for i, query := range queries {
		var err error
		if k.pools.Postgres() {
			err = k.pools.Pgx.QueryRow(t.Context(), query).Scan(&state[i])
		} else {
			err = k.pools.SQLite.QueryRowContext(t.Context(), query).Scan(&state[i])
		}
		check(t, err)
	}
	return state
}

// Whatever ends a run, its worker writes nothing more.
func TestAnOlderRunWritesNothing(t *testing.T) {
	t.Parallel()
	ends := map[string]func(t *testing.T, k *knowledge, d kyro.Document){
		"canceled": func(t *testing.T, k *knowledge, d kyro.Document) {
			_, err := k.store.CancelDocument(t.Context(), k.owner, d.ID, k.tick())
			check(t, err)
		},
		"restarted": func(t *testing.T, k *knowledge, d kyro.Document) {
			_, err := k.store.CancelDocument(t.Context(), k.owner, d.ID, k.tick())
			check(t, err)
			_, err = k.store.RestartDocument(t.Context(), k.owner, d.ID, k.tick())
			check(t, err)
		},
		"deleted": func(t *testing.T, k *knowledge, d kyro.Document) {
			_, err := k.store.DeleteDocument(t.Context(), k.owner, d.ID, k.tick())
			check(t, err)
		},
		"deleted with its bot": func(t *testing.T, k *knowledge, d kyro.Document) {
			check(t, k.store.DeleteBot(t.Context(), k.owner, d.BotID, k.tick()))
		},
		"failed": func(t *testing.T, k *knowledge, d kyro.Document) {
			_, err := k.store.Step(t.Context(), d.ID, d.Run, kyro.DocumentStep{Status: kyro.DocumentFailed, Now: k.tick()})
			check(t, err)
		},
		"ready": func(t *testing.T, k *knowledge, d kyro.Document) { k.activate(t, d) },
	}
	eachKnowledge(t, func(t *testing.T, base *knowledge) {
		for name, end := range ends {
			k, ctx := base.other(t), t.Context()
			d := k.add(t, name)
			k.prepare(t, d, name+": kept text")
			end(t, k, d)
			k.jobs.take()
			before := k.state(t, d.ID)
			_, err := k.store.DocumentForWork(ctx, d.ID, d.Run)
			expectCode(t, err, kyro.CodeConflict)
			_, err = k.store.Step(ctx, d.ID, d.Run, kyro.DocumentStep{Status: kyro.DocumentExtracting, Now: k.tick()})
			expectCode(t, err, kyro.CodeConflict)
			_, err = k.store.SavePrepared(ctx, d.ID, d.Run, prepared("late", "words"), kyro.DocumentStep{Status: kyro.DocumentEmbedding, Now: k.tick()})
			expectCode(t, err, kyro.CodeConflict)
			_, err = k.store.HasPrepared(ctx, d.ID, d.Run)
			expectCode(t, err, kyro.CodeConflict)
			_, err = k.store.Activate(ctx, d.ID, d.Run, kyro.DocumentReady, "m@1", k.tick())
			expectCode(t, err, kyro.CodeConflict)
			after := k.state(t, d.ID)
			expect(t, name+": what is stored", after, before)
			expect(t, name+": jobs", len(k.jobs.take()), 0)
		}
	})
}

func TestSavePreparedReplacesAnEarlierTry(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		d := k.add(t, "one")
		ready, err := k.store.HasPrepared(ctx, d.ID, d.Run)
		check(t, err)
		expect(t, "prepared at first", ready, false)
		if _, err := k.store.Activate(ctx, d.ID, d.Run, kyro.DocumentReady, "m@1", k.now); err == nil {
			t.Error("a document without text became ready")
		}
		k.prepare(t, d, "first try", "of two")

		p := prepared("second try")
		page := 3
		p.Pages, p.Warnings = 9, []kyro.DocumentWarning{{Code: "X", Message: "It's odd.", Page: &page}}
		p.Chunks[0].PageStart, p.Chunks[0].PageEnd = &page, &page
		got, err := k.store.SavePrepared(ctx, d.ID, d.Run, p, kyro.DocumentStep{Status: kyro.DocumentEmbedding, StageDone: 1, Now: k.tick()})
		check(t, err)
		pages, chars := 9, len("second try")
		want := d
		want.Status, want.StageDone, want.UpdatedAt, want.MimeType = kyro.DocumentEmbedding, 1, k.now, "text/plain"
		want.PageCount, want.ChunkCount, want.CharCount, want.Language, want.Warnings = &pages, 1, &chars, "en", p.Warnings
		want.LastRun.Counted = true
		expect(t, "document", got, want)
		expect(t, "chunks", k.count(t, "chunks", "1 = 1"), 1)
		expect(t, "terms", k.count(t, "postings", "1 = 1"), 2)
		expect(t, "texts", k.count(t, "document_texts", "1 = 1"), 1)
		ready, err = k.store.HasPrepared(ctx, d.ID, d.Run)
		check(t, err)
		expect(t, "prepared", ready, true)

		active := k.activate(t, d)
		want.Status, want.StageDone, want.ActiveVersion, want.UpdatedAt, want.ReadyAt = kyro.DocumentReady, 0, 1, k.now, &k.now
		want.LastRun.Outcome, want.LastRun.FinishedAt, want.LastRun.ChunksEmbedded = kyro.RunDone, &k.now, 1
		expect(t, "active", active, want)
		chunks, err := k.store.ChunkPage(ctx, k.owner, d.ID, kyro.PageRequest{Limit: 9})
		check(t, err)
		expect(t, "page of the chunk", *chunks.Nodes[0].PageEnd, 3)
		expect(t, "jobs", k.jobs.take(), []kyro.Job{{Kind: kyro.JobIngest, Key: d.ID.Key, Run: 1}})

		if _, err := k.store.SavePrepared(ctx, d.ID, d.Run, kyro.Prepared{Terms: []string{"x"}}, kyro.DocumentStep{}); err == nil {
			t.Error("terms without their chunks were stored")
		}
	})
}

// The largest document there may be is stored as one fact, and every chunk of it can be found.
func TestSavePreparedOfTheLargestDocument(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("stores 20,000 chunks")
	}
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		const n = 20_000
		chunks := make([]string, n)
		for i := range chunks {
			chunks[i] = fmt.Sprintf("all u%d", i)
		}
		d := k.ready(t, "large", chunks...)
		expect(t, "chunks", d.ChunkCount, n)
		for _, i := range []int{0, 1, n / 2, n - 1} {
			texts, result := k.search(t, fmt.Sprintf("u%d", i), "all")
			expect(t, "best", texts[0], chunks[i])
			expect(t, "frequent", result.Frequent["all"], n)
		}
	})
}
