package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"kyrochat/kyro"
)

func TestAddDocument(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		size := int64(12)
		given := kyro.NewDocument{
			BotID: k.bot, OwnerID: k.owner, Kind: kyro.DocumentFile, Title: "Größe", FileName: "a.PDF", MimeType: "application/pdf",
			SizeBytes: &size, ContentHash: sha("x"), Now: k.now,
		}
		var placed kyro.Document
		first, twin, err := k.store.AddDocument(t.Context(), given, nil, func(d kyro.Document) error { placed = d; return nil })
		check(t, err)
		want := kyro.Document{
			ID: first.ID, BotID: k.bot, OwnerID: k.owner, Kind: kyro.DocumentFile, Title: "Größe", FileName: "a.PDF",
			MimeType: "application/pdf", SizeBytes: &size, Version: 1, Run: 1, Status: kyro.DocumentQueued,
			ContentHash: sha("x"), Warnings: []kyro.DocumentWarning{}, CreatedAt: k.now, UpdatedAt: k.now,
			LastRun: kyro.DocumentRun{Cause: kyro.RunAdded, StartedAt: k.now},
		}
		expect(t, "document", first, want)
		expect(t, "placed", placed, want)
		expect(t, "stored", k.document(t, first.ID), want)
		expect(t, "duplicate", twin, kyro.ID{})
		expect(t, "jobs", k.jobs.take(), []kyro.Job{{Kind: kyro.JobIngest, Key: first.ID.Key, Run: 1}})

		_, twin, err = k.store.AddDocument(t.Context(), given, nil, nil)
		check(t, err)
		expect(t, "duplicate of the second", twin, first.ID)
		elsewhere := given
		elsewhere.BotID = k.newBot(t)
		_, twin, err = k.store.AddDocument(t.Context(), elsewhere, nil, nil)
		check(t, err)
		expect(t, "duplicate in another bot", twin, kyro.ID{})
	})
}

func TestAddDocumentIsOneFact(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		given := kyro.NewDocument{BotID: k.bot, OwnerID: k.owner, Kind: kyro.DocumentText, Title: "T", Now: k.now}
		full := errors.New("the disk is full")
		_, _, err := k.store.AddDocument(t.Context(), given, strings.NewReader("text"), func(kyro.Document) error { return full })
		if !errors.Is(err, full) {
			t.Errorf("got %v, want the error of placing", err)
		}
		expect(t, "documents", k.count(t, "documents", "1 = 1"), 0)
		expect(t, "originals", k.count(t, "document_files", "1 = 1"), 0)
		expect(t, "jobs", len(k.jobs.take()), 0)

		for _, wrong := range []kyro.NewDocument{
			{BotID: kyro.BotID(1 << 40), OwnerID: k.owner, Now: k.now},
			{BotID: k.bot, OwnerID: kyro.UserID(1 << 40), Now: k.now},
		} {
			_, _, err = k.store.AddDocument(t.Context(), wrong, nil, nil)
			expect(t, "error", err.Error(), kyro.NotFound(kyro.KindBot).Error())
		}
		check(t, k.store.DeleteBot(t.Context(), k.owner, k.bot, k.now))
		_, _, err = k.store.AddDocument(t.Context(), given, nil, nil)
		expectCode(t, err, kyro.CodeNotFound)
	})
}

func TestDocumentsAreTheOwnersOnly(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		d := k.ready(t, "mine", "text")
		stranger := kyro.UserID(k.owner.Key + 1)
		ctx := t.Context()
		got, err := k.store.Documents(ctx, stranger, []kyro.ID{d.ID})
		check(t, err)
		expect(t, "documents", len(got), 0)
		page, err := k.store.DocumentPage(ctx, stranger, k.bot, kyro.DocumentFilter{}, kyro.PageRequest{Limit: 5, Total: true})
		check(t, err)
		expect(t, "page", page.Total+len(page.Nodes), 0)
		chunks, err := k.store.ChunkPage(ctx, stranger, d.ID, kyro.PageRequest{Limit: 5, Total: true})
		check(t, err)
		expect(t, "chunks", chunks.Total+len(chunks.Nodes), 0)
		mine, err := k.store.ChunkPage(ctx, k.owner, d.ID, kyro.PageRequest{Limit: 5})
		check(t, err)
		byID, err := k.store.Chunks(ctx, stranger, []kyro.ID{mine.Nodes[0].ID})
		check(t, err)
		expect(t, "chunks by id", len(byID), 0)
		unfinished, err := k.store.Unfinished(ctx, stranger, k.bot, kyro.Document{}, 10)
		check(t, err)
		expect(t, "unfinished", len(unfinished), 0)

		missing := kyro.NotFound(kyro.KindDocument).Error()
		_, found, err := k.store.DocumentText(ctx, stranger, d.ID, 0, 1)
		check(t, err)
		expect(t, "text", found, false)
		_, err = k.store.RestartDocument(ctx, stranger, d.ID, k.now)
		expect(t, "restart", err.Error(), missing)
		_, err = k.store.CancelDocument(ctx, stranger, d.ID, k.now)
		expect(t, "cancel", err.Error(), missing)
		_, err = k.store.DeleteDocument(ctx, stranger, d.ID, k.now)
		expect(t, "delete", err.Error(), missing)
		_, err = k.store.DeleteDocument(ctx, k.owner, kyro.DocumentID(1<<40), k.now)
		expect(t, "delete of none", err.Error(), missing)
	})
}

func TestDocumentPageFilters(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		titles := []string{"ÄPFEL 100%", "apples 1000", "under_score", "underscore", `back\slash`}
		for i, title := range titles {
			d := k.add(t, title)
			if i == 1 {
				k.activate(t, k.prepare(t, d, "text"))
			}
		}
		cases := []struct {
			name   string
			filter kyro.DocumentFilter
			want   []string
		}{
			{"all, newest first", kyro.DocumentFilter{}, []string{titles[4], titles[3], titles[2], titles[1], titles[0]}},
			{"without regard to case", kyro.DocumentFilter{Search: "äpfel"}, titles[:1]},
			{"a percent sign is a sign", kyro.DocumentFilter{Search: "100%"}, titles[:1]},
			{"an underscore too", kyro.DocumentFilter{Search: "r_s"}, titles[2:3]},
			{"and a backslash", kyro.DocumentFilter{Search: `k\s`}, titles[4:]},
			{"status", kyro.DocumentFilter{Status: []kyro.DocumentStatus{kyro.DocumentReady, kyro.DocumentFailed}}, titles[1:2]},
			{"kind", kyro.DocumentFilter{Kind: []kyro.DocumentKind{kyro.DocumentFile}}, []string{}},
			{"both", kyro.DocumentFilter{Kind: []kyro.DocumentKind{kyro.DocumentText}, Search: "apples"}, titles[1:2]},
		}
		for _, c := range cases {
			page, err := k.store.DocumentPage(t.Context(), k.owner, k.bot, c.filter, kyro.PageRequest{Order: kyro.DocumentsOrder, Limit: 100, Total: true})
			check(t, err)
			got := []string{}
			for _, d := range page.Nodes {
				got = append(got, d.Title)
			}
			expect(t, c.name, got, c.want)
			expect(t, c.name+": total", page.Total, len(c.want))
		}
		unfinished, err := k.store.Unfinished(t.Context(), k.owner, k.bot, kyro.Document{}, 10)
		check(t, err)
		expect(t, "unfinished, oldest first", []string{unfinished[0].Title, unfinished[3].Title}, []string{titles[0], titles[4]})
		expect(t, "unfinished", len(unfinished), 4)
		rest, err := k.store.Unfinished(t.Context(), k.owner, k.bot, unfinished[0], 2)
		check(t, err)
		expect(t, "unfinished, behind the first", rest, unfinished[1:3])
	})
}

func TestRestartAndCancel(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		d := k.add(t, "one")
		k.jobs.take()
		_, err := k.store.RestartDocument(ctx, k.owner, d.ID, k.tick())
		expectCode(t, err, kyro.CodeConflict)

		canceled, err := k.store.CancelDocument(ctx, k.owner, d.ID, k.tick())
		check(t, err)
		expect(t, "canceled", [2]any{canceled.Status, canceled.Run}, [2]any{kyro.DocumentCanceled, int64(2)})
		expect(t, "stored", k.document(t, d.ID), canceled)
		expect(t, "canceled before it was begun", canceled.Progress().Percent(), 0.0)
		_, err = k.store.CancelDocument(ctx, k.owner, d.ID, k.tick())
		expectCode(t, err, kyro.CodeConflict)

		again, err := k.store.RestartDocument(ctx, k.owner, d.ID, k.tick())
		check(t, err)
		expect(t, "restarted", [2]any{again.Status, again.Run}, [2]any{kyro.DocumentQueued, int64(3)})
		expect(t, "jobs", k.jobs.take(), []kyro.Job{{Kind: kyro.JobIngest, Key: d.ID.Key, Run: 3}})

		total := 5
		_, err = k.store.Step(ctx, d.ID, 3, kyro.DocumentStep{Status: kyro.DocumentEmbedding, StageDone: 4, StageTotal: &total, Now: k.tick()})
		check(t, err)
		far := k.document(t, d.ID)
		failed, err := k.store.Step(ctx, d.ID, 3, kyro.DocumentStep{Status: kyro.DocumentFailed, Reason: "why", StageDone: 2, StageTotal: &total, Now: k.tick()})
		check(t, err)
		expect(t, "reason", failed.StatusReason, "why")
		expect(t, "how far it came", failed.Progress().Percent(), far.Progress().Percent())
		expect(t, "stored", k.document(t, d.ID), failed)
		again, err = k.store.RestartDocument(ctx, k.owner, d.ID, k.tick())
		check(t, err)
		expect(t, "cleared", [3]any{again.StatusReason, again.StageDone, again.StageTotal}, [3]any{"", 0, (*int)(nil)})
	})
}

func TestDeleteDocument(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		d := k.ready(t, "one", "text")
		kept := k.ready(t, "two", "other")
		page, err := k.store.ChunkPage(ctx, k.owner, d.ID, kyro.PageRequest{Limit: 5})
		check(t, err)
		chunk := page.Nodes[0].ID
		k.jobs.take()

		deleted, err := k.store.DeleteDocument(ctx, k.owner, d.ID, k.tick())
		check(t, err)
		expect(t, "run", deleted.Run, d.Run+1)
		expect(t, "jobs", k.jobs.take(), []kyro.Job{{Kind: kyro.JobPurge, Key: d.ID.Key, Run: d.Run + 1}})
		got, err := k.store.Documents(ctx, k.owner, []kyro.ID{d.ID, kept.ID})
		check(t, err)
		expect(t, "documents left", len(got), 1)
		chunks, err := k.store.Chunks(ctx, k.owner, []kyro.ID{chunk})
		check(t, err)
		expect(t, "chunks left", len(chunks), 0)
		_, err = k.store.Original(ctx, d.ID, 1)
		expectCode(t, err, kyro.CodeNotFound)
		_, err = k.store.DeleteDocument(ctx, k.owner, d.ID, k.tick())
		expectCode(t, err, kyro.CodeNotFound)

		gone, err := k.store.Deleted(ctx, []kyro.ID{d.ID, kept.ID, kyro.DocumentID(1 << 40)})
		check(t, err)
		expect(t, "deleted", gone, []kyro.ID{d.ID, kyro.DocumentID(1 << 40)})
	})
}

func TestChunkPage(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		d := k.add(t, "one")
		k.prepare(t, d, "old")
		d = k.renew(t, k.activate(t, d))
		k.prepare(t, d, "a", "b", "c")
		read := func(req kyro.PageRequest) kyro.Page[kyro.Chunk] {
			req.Order = kyro.ChunksOrder
			page, err := k.store.ChunkPage(t.Context(), k.owner, d.ID, req)
			check(t, err)
			return page
		}
		old := read(kyro.PageRequest{Limit: 5, Total: true})
		expect(t, "before the activation", [2]any{old.Total, old.Nodes[0].Text}, [2]any{1, "old"})
		k.activate(t, d)

		first := read(kyro.PageRequest{Limit: 2, Total: true})
		expect(t, "total", first.Total, 3)
		expect(t, "first", [2]string{first.Nodes[0].Text, first.Nodes[1].Text}, [2]string{"a", "b"})
		expect(t, "flags", [2]bool{first.HasPreviousPage, first.HasNextPage}, [2]bool{false, true})
		cursor, err := kyro.ParseCursor(first.CursorAt(1))
		check(t, err)
		rest := read(kyro.PageRequest{Limit: 2, Cursor: &cursor})
		expect(t, "rest", rest.Nodes[0].Text, "c")
		expect(t, "flags", [2]bool{rest.HasPreviousPage, rest.HasNextPage}, [2]bool{true, false})

		chunks, err := k.store.Chunks(t.Context(), k.owner, []kyro.ID{rest.Nodes[0].ID, old.Nodes[0].ID})
		check(t, err)
		expect(t, "by id, without the former version", chunks, []kyro.Chunk{rest.Nodes[0]})
	})
}

func TestDocumentTextSlices(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		ctx := t.Context()
		d := k.add(t, "long")
		_, found, err := k.store.DocumentText(ctx, k.owner, d.ID, 0, 10)
		check(t, err)
		expect(t, "found before the activation", found, false)

		// Three parts; both cuts are beside an emoji, and one emoji would lie across the cut of bytes.
		units := 0
		var text []byte
		for len(text) < 2*(64<<10)+100 {
			text = append(text, "ab😀"...)
			units += 4
		}
		p := kyro.Prepared{Extraction: kyro.Extraction{Text: string(text)}, CharCount: units}
		_, err = k.store.SavePrepared(ctx, d.ID, d.Run, p, kyro.DocumentStep{Status: kyro.DocumentEmbedding, Now: k.now})
		check(t, err)
		k.activate(t, d)
		expect(t, "parts", k.count(t, "document_texts", "1 = 1"), 3)
		border := 0 // of the first part, in UTF-16 units
		for border/4*6+6 <= 64<<10 {
			border += 4
		}
		slices := []struct {
			start, length int
			want          string
		}{
			{0, 0, ""}, {0, 1, "a"}, {0, 3, "ab"}, {0, 4, "ab😀"}, {3, 2, "a"}, {-5, 2, "ab"}, {units, 5, ""}, {units - 2, 1 << 40, "😀"}, {1 << 40, 1, ""},
			{border - 4, 8, "ab😀ab😀"}, {border - 1, 4, "ab"}, {border, 4, "ab😀"}, {border + 2, 3, "😀a"}, {border - 2, 2, "😀"},
		}
		for _, s := range slices {
			got, found, err := k.store.DocumentText(ctx, k.owner, d.ID, s.start, s.length)
			check(t, err)
			expect(t, fmt.Sprintf("[%d, +%d)", s.start, s.length), [2]any{got, found}, [2]any{s.want, true})
		}
		whole, _, err := k.store.DocumentText(ctx, k.owner, d.ID, 0, units)
		check(t, err)
		if whole != string(text) {
			t.Error("the whole text is not what was stored")
		}
	})
}

// TestTextsOfManyDocuments: of many documents no more is read than the budget has.
func TestTextsOfManyDocuments(t *testing.T) {
	t.Parallel()
	eachKnowledge(t, func(t *testing.T, k *knowledge) {
		first, second, raw := k.ready(t, "one", "alpha"), k.ready(t, "two", "beta"), k.add(t, "three")
		ids := []kyro.ID{first.ID, second.ID, raw.ID, kyro.DocumentID(999)}
		texts, err := k.store.DocumentTexts(t.Context(), k.owner, ids, 1, 3)
		check(t, err)
		expect(t, "texts", texts, map[kyro.ID]string{first.ID: "lph", second.ID: "eta"})
		texts, err = k.store.DocumentTexts(t.Context(), k.owner, ids, 100, 3)
		check(t, err)
		expect(t, "behind the ends", texts, map[kyro.ID]string{first.ID: "", second.ID: ""})
		_, err = k.store.DocumentTexts(kyro.WithBudget(t.Context(), 8), k.owner, ids, 0, 10)
		expectCode(t, err, kyro.CodeResponseTooLarge)
	})
}
