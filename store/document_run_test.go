package store_test

import (
	"strings"
	"testing"

	"kyrochat/kyro"
)

// embedded keeps a vector of one dimension for each text.
func (k *knowledge) embedded(t testing.TB, texts ...string) {
	t.Helper()
	vectors := map[string][]float32{}
	for _, text := range texts {
		vectors[sha(text)] = []float32{1}
	}
	check(t, k.store.SaveEmbeddings(t.Context(), "m", 1, vectors))
}

// remake prepares the version of a run, counting what is embedded.
func (k *knowledge) remake(t testing.TB, d kyro.Document, chunks ...string) kyro.Document {
	t.Helper()
	p := prepared(chunks...)
	p.Model, p.Dims = "m", 1
	d, err := k.store.SavePrepared(t.Context(), d.ID, d.Run, p, kyro.DocumentStep{Status: kyro.DocumentEmbedding, MimeType: "text/markdown", Now: k.tick()})
	check(t, err)
	return d
}

func (k *knowledge) begin(t testing.TB, d kyro.Document, cause kyro.RunCause) kyro.Document {
	t.Helper()
	begun, err := k.store.BeginRun(t.Context(), k.owner, d.ID, kyro.NewRun{Cause: cause, Now: k.tick()})
	check(t, err)
	return begun
}

func TestARunMakesTheNextVersion(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		d := k.ready(t, "one", "alpha", "beta", "gamma", "beta")
		expect(t, "the first run", [5]any{d.LastRun.Cause, d.LastRun.Outcome, d.LastRun.ChunksReused, d.LastRun.ChunksEmbedded, d.LastRun.ChunksRemoved},
			[5]any{kyro.RunAdded, kyro.RunDone, 0, 4, 0})
		k.embedded(t, "alpha", "beta", "gamma")
		page, err := k.store.ChunkPage(ctx, k.owner, d.ID, kyro.PageRequest{Limit: 9})
		check(t, err)
		for _, c := range page.Nodes {
			if c.Text == "alpha" {
				off, err := k.store.SetChunkEnabled(ctx, k.owner, c.ID, false)
				check(t, err)
				expect(t, "switched off", off.Enabled, false)
			}
		}
		k.jobs.take()

		size := 128
		begun, err := k.store.BeginRun(ctx, k.owner, d.ID, kyro.NewRun{Cause: kyro.RunReprocessed, ChunkTokens: kyro.Some(size), Now: k.tick()})
		check(t, err)
		expect(t, "begun", [5]any{begun.Version, begun.ActiveVersion, begun.Run, begun.Status, begun.Progress().Percent()},
			[5]any{2, 1, d.Run + 1, kyro.DocumentQueued, 0.0})
		expect(t, "as it is in use", [2]any{begun.ChunkCount, begun.ChunkTokens}, [2]any{4, (*int)(nil)})
		expect(t, "its run", begun.LastRun, kyro.DocumentRun{Cause: kyro.RunReprocessed, StartedAt: k.now})
		expect(t, "jobs", k.jobs.take(), []kyro.Job{{Kind: kyro.JobIngest, Key: d.ID.Key, Run: begun.Run}})
		_, err = k.store.BeginRun(ctx, k.owner, d.ID, kyro.NewRun{Cause: kyro.RunReprocessed, Now: k.tick()})
		expectCode(t, err, kyro.CodeConflict)
		worked, err := k.store.DocumentForWork(ctx, d.ID, begun.Run)
		check(t, err)
		expect(t, "what the worker cuts it into", worked.ChunkSize(), size)

		worked = k.remake(t, begun, "alpha", "delta")
		expect(t, "the worker's count", worked.ChunkCount, 2)
		expect(t, "the owner's", k.document(t, d.ID).ChunkCount, 4)
		expect(t, "types", [2]string{worked.MimeType, k.document(t, d.ID).MimeType}, [2]string{"text/markdown", d.MimeType})
		found, _ := k.search(t, "gamma")
		expect(t, "the old version answers", found, []string{"gamma"})
		found, _ = k.search(t, "delta")
		expect(t, "and the new one does not", found, []string{})

		done := k.activate(t, begun)
		expect(t, "active", [4]any{done.Version, done.ActiveVersion, done.ChunkCount, *done.ChunkTokens}, [4]any{2, 2, 2, size})
		expect(t, "run", done.LastRun, kyro.DocumentRun{
			Cause: kyro.RunReprocessed, Outcome: kyro.RunDone, StartedAt: begun.LastRun.StartedAt, FinishedAt: &k.now,
			ChunksReused: 1, ChunksEmbedded: 1, ChunksRemoved: 3, Counted: true,
		})
		expect(t, "stored", k.document(t, d.ID), done)
		expect(t, "jobs", k.jobs.take(), []kyro.Job{{Kind: kyro.JobPurge, Key: d.ID.Key, Run: begun.Run}})
		found, _ = k.search(t, "alpha")
		expect(t, "what was switched off stays so", found, []string{})
		found, _ = k.search(t, "gamma", "delta")
		expect(t, "the new version answers alone", found, []string{"delta"})
	})
}

// A run that ends without a new version leaves the document as it was, and nothing of what it made.
func TestARunThatFailsLeavesTheDocument(t *testing.T) {
	t.Parallel()
	ends := map[kyro.RunOutcome]func(t *testing.T, k *knowledge, d kyro.Document) (kyro.Document, error){
		kyro.RunFailed: func(t *testing.T, k *knowledge, d kyro.Document) (kyro.Document, error) {
			return k.store.Step(t.Context(), d.ID, d.Run, kyro.DocumentStep{Status: kyro.DocumentFailed, Reason: "why", Now: k.tick()})
		},
		kyro.RunNeedsOCR: func(t *testing.T, k *knowledge, d kyro.Document) (kyro.Document, error) {
			return k.store.Step(t.Context(), d.ID, d.Run, kyro.DocumentStep{
				Status: kyro.DocumentNeedsOCR, Reason: "why", Pages: &kyro.ReadPages{Count: 1, Chars: []int{0}}, Now: k.tick(),
			})
		},
		kyro.RunCanceled: func(t *testing.T, k *knowledge, d kyro.Document) (kyro.Document, error) {
			return k.store.CancelDocument(t.Context(), k.owner, d.ID, k.tick())
		},
	}
	eachKnowledge(t, func(t *testing.T, base *knowledge) {
		for outcome, end := range ends {
			k := base.other(t)
			before := k.ready(t, "one", "alpha", "beta")
			begun := k.begin(t, before, kyro.RunResynced)
			k.remake(t, begun, "other")
			k.jobs.take()
			got, err := end(t, k, begun)
			check(t, err)
			want := before
			want.Version, want.Run, want.UpdatedAt = 2, got.Run, k.now
			want.LastRun = kyro.DocumentRun{Cause: kyro.RunResynced, Outcome: outcome, StartedAt: begun.LastRun.StartedAt, FinishedAt: &k.now, Counted: true}
			if outcome != kyro.RunCanceled {
				want.LastRun.Reason = "why"
			}
			expect(t, string(outcome), got, want)
			expect(t, string(outcome)+": stored", k.document(t, before.ID), want)
			expect(t, "it ends", got.Progress().Percent(), 100.0)
			expect(t, "jobs", k.jobs.take(), []kyro.Job{{Kind: kyro.JobPurge, Key: before.ID.Key, Run: got.Run}})
			states, err := k.store.VectorStates(t.Context(), []kyro.ID{before.ID})
			check(t, err)
			place := kyro.VectorPlace{BotID: k.bot, DocumentID: before.ID, Version: 2}
			expect(t, "the index holds the abandoned version", states[0].Holds(place), false)
			for done := false; !done; {
				done, err = k.store.Purge(t.Context(), before.ID)
				check(t, err)
			}
			of := "document_id = " + before.ID.String()[len("doc_"):]
			expect(t, "chunks left", k.count(t, "chunks", of), 2)
			found, _ := k.search(t, "alpha", "other")
			expect(t, "found", found, []string{"alpha"})
			if _, err := k.store.RestartDocument(t.Context(), k.owner, before.ID, k.tick()); kyro.ErrorCode(err) != kyro.CodeConflict {
				t.Errorf("a ready document was retried: %v", err)
			}
			again := k.begin(t, got, kyro.RunScheduled)
			expect(t, "the next version", again.Version, 3)
			check(t, k.store.DeleteBot(t.Context(), k.owner, k.bot, k.tick()))
		}
	})
}

// What was found on the pages of a document is told also where that is nothing.
func TestPagesWithoutTextAreTold(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		d := k.add(t, "a scan")
		page := 2
		told := []kyro.DocumentWarning{{Code: "PAGE_WITHOUT_TEXT", Message: "Page 2 is a picture.", Page: &page}}
		got, err := k.store.Step(t.Context(), d.ID, d.Run, kyro.DocumentStep{
			Status: kyro.DocumentNeedsOCR, Reason: "why", Pages: &kyro.ReadPages{Count: 2, Chars: []int{17, 0}, Warnings: told}, Now: k.tick(),
		})
		check(t, err)
		expect(t, "pages", *got.PageCount, 2)
		expect(t, "characters", got.PageChars, []int{17, 0})
		expect(t, "warnings", got.Warnings, told)
		expect(t, "stored", k.document(t, d.ID), got)
	})
}

// A document that never was ready is made anew by any of the two.
func TestARunOfADocumentThatFailed(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		d := k.add(t, "one")
		k.remake(t, d, "alpha", "beta")
		k.embedded(t, "alpha")
		_, err := k.store.Step(ctx, d.ID, d.Run, kyro.DocumentStep{Status: kyro.DocumentFailed, Reason: "why", Now: k.tick()})
		check(t, err)
		failed := k.document(t, d.ID)
		expect(t, "failed", [3]any{failed.Status, failed.LastRun.Outcome, failed.LastRun.Reason}, [3]any{kyro.DocumentFailed, kyro.RunFailed, "why"})

		retried, err := k.store.RestartDocument(ctx, k.owner, d.ID, k.tick())
		check(t, err)
		expect(t, "retried", [3]any{retried.Version, retried.LastRun.Cause, retried.LastRun.Counted}, [3]any{1, kyro.RunRetried, false})
		counted, err := k.store.CountReused(ctx, d.ID, retried.Run, "m", 1)
		check(t, err)
		expect(t, "what the run before embedded", [2]any{counted.LastRun.ChunksReused, counted.LastRun.Counted}, [2]any{1, true})
		_, err = k.store.CancelDocument(ctx, k.owner, d.ID, k.tick())
		check(t, err)

		size, none := 64, 0
		begun, err := k.store.BeginRun(ctx, kyro.ID{}, d.ID, kyro.NewRun{
			Cause: kyro.RunReprocessed, ChunkTokens: kyro.Some(size), OverlapTokens: kyro.Some(none), Now: k.tick(),
		})
		check(t, err)
		expect(t, "begun", [3]any{begun.Version, begun.ChunkSize(), begun.ChunkOverlap()}, [3]any{2, 64, 0})
		ready, err := k.store.HasPrepared(ctx, d.ID, begun.Run)
		check(t, err)
		expect(t, "prepared", ready, false)
		k.remake(t, begun, "gamma")
		k.jobs.take()
		done := k.activate(t, begun)
		expect(t, "done", [3]any{done.ActiveVersion, done.ChunkCount, done.LastRun.ChunksRemoved}, [3]any{2, 1, 0})
		expect(t, "what the first version left goes", k.jobs.take(), []kyro.Job{{Kind: kyro.JobPurge, Key: d.ID.Key, Run: done.Run}})
	})
}

func TestSelfCheck(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		d := k.prepare(t, k.add(t, "one"), "alpha beta", "gamma delta")
		v := versionOf(d)
		chunks, err := k.store.VersionChunks(ctx, v, []int{1, 7})
		check(t, err)
		expect(t, "chunks", [2]any{len(chunks), chunks[0].Text}, [2]any{1, "gamma delta"})
		for _, c := range []struct {
			terms []string
			index int
			want  bool
		}{{[]string{"gamma", "delta"}, 1, true}, {[]string{"gamma", "delta"}, 0, false}, {[]string{"gamma", "epsilon"}, 1, false}, {nil, 0, true}} {
			got, err := k.store.Finds(ctx, v, c.terms, c.index)
			check(t, err)
			expect(t, "found", got, c.want)
		}
		k.exec(t, "DELETE FROM postings WHERE term = 'delta'")
		got, err := k.store.Finds(ctx, v, []string{"gamma", "delta"}, 1)
		check(t, err)
		expect(t, "found though a word is lost", got, false)
		check(t, k.store.Unprepare(ctx, d.ID, d.Run))
		ready, err := k.store.HasPrepared(ctx, d.ID, d.Run)
		check(t, err)
		expect(t, "prepared", ready, false)
	})
}

// What was switched off stays off where the same text is cut in another way, and nothing else goes with it.
func TestWhatIsOffStaysOffHoweverItIsCut(t *testing.T) {
	t.Parallel()
	const a, b, c, d = "alpha one two three four", "bravo one two three four", "charlie one two three four", "delta one two three four"
	cuts := map[string]struct {
		chunks []string
		off    string // words of the chunks that are off
	}{
		"the same":                  {[]string{a, b, c, d}, b},
		"larger":                    {[]string{a + "\n" + b, c + "\n" + d}, a + "\n" + b},
		"all of it":                 {[]string{a + "\n" + b + "\n" + c + "\n" + d}, a + "\n" + b + "\n" + c + "\n" + d},
		"a little of it beside":     {[]string{a + "\nbr", "avo one two three four", c + "\n" + d}, "avo one two three four"},
		"in two":                    {[]string{a, "bravo one two", "three four", c, d}, "bravo one two|three four"},
		"its end with what follows": {[]string{a, "bravo one two ", "three four\n" + c, d}, "bravo one two |three four\n" + c},
	}
	eachKnowledge(t, func(t *testing.T, base *knowledge) {
		for name, cut := range cuts {
			k := base.other(t)
			text := strings.Join([]string{a, b, c, d}, "\n")
			prepare := func(d kyro.Document, chunks []string) kyro.Document {
				t.Helper()
				p := prepared(chunks...)
				p.Text, p.CharCount = text, kyro.CharCount(text)
				for i := range p.Chunks {
					p.Chunks[i].CharStart = strings.Index(text, chunks[i])
					if i > 0 {
						p.Chunks[i].CharStart = p.Chunks[i-1].CharEnd + strings.Index(text[p.Chunks[i-1].CharEnd:], chunks[i])
					}
					p.Chunks[i].CharEnd = p.Chunks[i].CharStart + len(chunks[i])
					p.Chunks[i].ByteStart, p.Chunks[i].ByteEnd = p.Chunks[i].CharStart, p.Chunks[i].CharEnd
				}
				d, err := k.store.SavePrepared(t.Context(), d.ID, d.Run, p, kyro.DocumentStep{Status: kyro.DocumentEmbedding, Now: k.tick()})
				check(t, err)
				return k.activate(t, d)
			}
			document := prepare(k.add(t, name), []string{a, b, c, d})
			before, err := k.store.ChunkPage(t.Context(), k.owner, document.ID, kyro.PageRequest{Order: kyro.ChunksOrder, Limit: 100})
			check(t, err)
			_, err = k.store.SetChunkEnabled(t.Context(), k.owner, before.Nodes[1].ID, false)
			check(t, err)
			document = prepare(k.begin(t, document, kyro.RunReprocessed), cut.chunks)
			page, err := k.store.ChunkPage(t.Context(), k.owner, document.ID, kyro.PageRequest{Order: kyro.ChunksOrder, Limit: 100})
			check(t, err)
			var off []string
			for _, chunk := range page.Nodes {
				if !chunk.Enabled {
					off = append(off, chunk.Text)
				}
			}
			expect(t, name+": off", strings.Join(off, "|"), cut.off)
		}
	})
}
