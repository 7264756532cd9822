package store_test

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"kyrochat/kyro"
	"kyrochat/migrations"
)

// schemas are the files of the migrations from a version on, in the order in which they run.
func schemas(t testing.TB, from, direction string) []string {
	t.Helper()
	files, err := fs.Glob(migrations.Files, "*.tx."+direction+".sql")
	check(t, err)
	files = slices.DeleteFunc(files, func(name string) bool { return name < from })
	slices.Sort(files)
	if direction == "down" {
		slices.Reverse(files)
	}
	return files
}

func (k *knowledge) migrateAll(t *testing.T, from, direction string) {
	t.Helper()
	for _, name := range schemas(t, from, direction) {
		k.migrate(t, name)
	}
}

// TestMigrationsGoBackAndForth takes a database with something in every table back to nothing, and forth again.
func TestMigrationsGoBackAndForth(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		k.inhabit(t, "planted")
		k.migrateAll(t, "", "down")
		left := slices.DeleteFunc(k.tables(t), func(name string) bool { return strings.HasPrefix(name, "bun_") || name == "sqlite_sequence" })
		expect(t, "left", len(left), 0)
		if len(left) > 0 {
			t.Log(left)
		}
		k.exec(t, "DELETE FROM bun_migrations")
		check(t, k.pools.Migrate(t.Context(), nil))
		again := newKnowledge(t, k.pools)
		again.ready(t, "one", "harbour")
		texts, _ := again.search(t, "harbour")
		expect(t, "hits", texts, []string{"harbour"})
	})
}

// TestFormerDocumentsGoOn goes back to the schema before documents stood in line, with documents in every state of that
// time, and forth again: what was worked on has its jobs and is worked on, and what was over is as it was.
func TestFormerDocumentsGoOn(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		limits := kyro.DefaultLimits()
		limits.IngestWindow = 100 // there was none
		k.store.Within(limits)
		var all []kyro.Document
		step := func(d kyro.Document, status kyro.DocumentStatus) {
			t.Helper()
			_, err := k.store.Step(ctx, d.ID, d.Run, kyro.DocumentStep{Status: status, Reason: "why", Now: k.tick()})
			check(t, err)
			all = append(all, k.document(t, d.ID))
		}
		all = append(all, k.document(t, k.ready(t, "ready", "harbour").ID))
		for _, status := range []kyro.DocumentStatus{kyro.DocumentFailed, kyro.DocumentNeedsOCR, kyro.DocumentCanceled, kyro.DocumentExtracting, kyro.DocumentChunking} {
			step(k.add(t, string(status)), status)
		}
		for _, status := range []kyro.DocumentStatus{kyro.DocumentEmbedding, kyro.DocumentWaitingQuota} {
			step(k.prepare(t, k.add(t, string(status)), string(status)), status)
		}
		for range kyro.DefaultLimits().IngestWindow {
			all = append(all, k.document(t, k.add(t, "queued").ID))
		}

		k.migrateAll(t, "20261127", "down")
		k.jobs.take() // they stay in the queue
		k.migrateAll(t, "20261127", "up")
		k.store.Within(kyro.DefaultLimits())
		for _, was := range all {
			now := k.document(t, was.ID)
			was.LastRun, now.LastRun = kyro.DocumentRun{}, kyro.DocumentRun{} // of what was done before nobody knows
			expect(t, was.Title, now, was)
		}
		fed, err := k.store.Feed(ctx)
		check(t, err)
		expect(t, "missed", fed, 0)

		late := k.add(t, "late")
		expect(t, "more than a window is worked on", len(k.ingests(t)), 0)
		for _, d := range all {
			switch {
			case d.Status.Final():
			case d.ChunkCount > 0:
				k.activate(t, d)
			default:
				k.activate(t, k.prepare(t, d, d.Title))
			}
		}
		expect(t, "the next", k.ingests(t), []int64{late.ID.Key})
		texts, _ := k.search(t, "harbour")
		expect(t, "hits", texts, []string{"harbour"})
		expect(t, "unfinished", k.count(t, "documents", "status NOT IN ('READY', 'FAILED', 'NEEDS_OCR', 'CANCELED')"), 1)
		for _, d := range all[:2] {
			again, err := k.store.BeginRun(ctx, k.owner, d.ID, kyro.NewRun{Cause: kyro.RunReprocessed, Now: k.tick()})
			check(t, err)
			expect(t, "status of the next run", again.Status, kyro.DocumentQueued)
			k.activate(t, k.prepare(t, again, "tide"))
		}
		texts, _ = k.search(t, "harbour")
		expect(t, "hits of the former version", len(texts), 0)
	})
}
