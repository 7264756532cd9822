package ingest

import (
	"cmp"
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"kyrochat/ingest/chunk"
	"kyrochat/kyro"
	"kyrochat/text"
)

const (
	saveShare   = 10 * time.Second // of a turn, for what follows an extraction: chunking and storing
	readingWait = 2 * time.Second  // for a place to read the original in; then other documents have a turn
)

// prepare extracts the text, and goes on with it.
func (w *work) prepare(ctx context.Context) error {
	var extraction kyro.Extraction
	if err := w.stage(ctx, StageRead, func(ctx context.Context) (err error) {
		if extraction, err = w.read(ctx); err != nil {
			return err
		}
		extraction.MimeType = cmp.Or(extraction.MimeType, w.doc.FetchedType, w.doc.MimeType)
		if strings.TrimSpace(extraction.Text) == "" || isScan(extraction) {
			return noText(extraction)
		}
		return nil
	}); err != nil {
		return err
	}
	return w.stage(ctx, StageChunk, func(ctx context.Context) error { return w.cut(ctx, extraction) })
}

// cut cuts the text into chunks and stores both.
func (w *work) cut(ctx context.Context, extraction kyro.Extraction) error {
	if err := w.advance(ctx, kyro.DocumentChunking, 0, nil); err != nil {
		return err
	}
	lead, address, err := w.named(ctx, &extraction)
	if err != nil {
		return err
	}
	prepared, err := w.chunk(ctx, extraction, lead)
	if err != nil {
		return err
	}
	prepared.Lead, prepared.URL = lead, address
	total := len(prepared.Chunks)
	d, err := w.store.SavePrepared(ctx, w.id, w.run, prepared, kyro.DocumentStep{
		Status: kyro.DocumentEmbedding, StageTotal: &total, MimeType: extraction.MimeType, Now: w.time(),
	})
	if err != nil {
		return err
	}
	w.doc, w.busy = d, true
	w.publish(ctx, d)
	return nil
}

// read waits for a place and extracts. Waiting elsewhere would use up the time for the extraction.
func (w *work) read(ctx context.Context) (kyro.Extraction, error) {
	wait := time.NewTimer(readingWait)
	defer wait.Stop()
	select {
	case w.reading <- struct{}{}:
		defer func() { <-w.reading }()
	case <-wait.C:
		return kyro.Extraction{}, kyro.ErrJobAgain
	case <-ctx.Done():
		return kyro.Extraction{}, ctx.Err()
	}
	if err := w.advance(ctx, kyro.DocumentExtracting, 0, nil); err != nil {
		return kyro.Extraction{}, err
	}
	return w.extract(ctx)
}

// pageWithoutText is the warning of a page or slide that shows a picture and holds almost no text.
const pageWithoutText = "PAGE_WITHOUT_TEXT"

// noText is what becomes of a document without text: where pages show pictures, text recognition may find some in them.
// Which pages those are it tells all the same.
func noText(extraction kyro.Extraction) error {
	v := verdict{status: kyro.DocumentFailed, reason: "The document holds no text."}
	if extraction.Pages > 0 {
		v.pages = &kyro.ReadPages{Count: extraction.Pages, Chars: extraction.PageChars, Warnings: extraction.Warnings}
	}
	if pictures(extraction) > 0 {
		v.status = kyro.DocumentNeedsOCR
		v.reason = "No text was found: the pages are pictures. Run text recognition (OCR) over the file and upload the result."
	}
	return v
}

// isScan reports a document of nothing but pictures. A number or a stamp on them is no text.
func isScan(extraction kyro.Extraction) bool {
	return extraction.Pages > 0 && pictures(extraction) == extraction.Pages
}

// pictures counts the pages that show a picture and no text.
func pictures(extraction kyro.Extraction) int {
	n := 0
	for _, w := range extraction.Warnings {
		if w.Code == pageWithoutText {
			n++
		}
	}
	return n
}

// extract reads the text of the original, within the turn.
func (w *work) extract(ctx context.Context) (kyro.Extraction, error) {
	path, discard, err := w.original(ctx)
	if err != nil {
		return kyro.Extraction{}, err
	}
	defer discard()
	within, cancel := withinTurn(ctx)
	defer cancel(nil)
	extraction, err := w.extractor.Extract(within, w.originalAt(path), func(done, total int) {
		if done < total && w.now().Sub(w.told) < progressEvery {
			return
		}
		if err := w.advance(ctx, kyro.DocumentExtracting, done, &total); err != nil {
			cancel(err) // canceled on another node, or the database is away
		}
	})
	switch cause := context.Cause(within); {
	case ctx.Err() != nil:
		return kyro.Extraction{}, ctx.Err()
	case errors.Is(err, kyro.ErrJobAgain), errors.Is(err, kyro.ErrNotRun):
		return kyro.Extraction{}, err
	case err != nil && errors.Is(cause, context.DeadlineExceeded):
		return kyro.Extraction{}, outOfTime()
	case cause != nil && !errors.Is(cause, context.DeadlineExceeded):
		return kyro.Extraction{}, cause
	default:
		return extraction, err
	}
}

// originalAt says what there is to read.
func (w *work) originalAt(path string) kyro.Original {
	if w.doc.Kind != kyro.DocumentURL {
		return kyro.Original{Path: path, MimeType: w.doc.MimeType}
	}
	return kyro.Original{Path: path, MimeType: w.doc.FetchedType, Claimed: w.doc.Claimed, URL: w.doc.PageURL}
}

// original is where the document's original can be read. The one that the store keeps has no file, so that one is
// made for it; the others have theirs on this node.
func (w *work) original(ctx context.Context) (path string, discard func(), err error) {
	version := w.madeFrom()
	if key, err := w.object(ctx, w.id, version); err != nil {
		return "", nil, err
	} else if key != "" {
		return w.fetchOriginal(ctx, key)
	}
	body, err := w.store.Original(ctx, w.id, version)
	if kyro.ErrorCode(err) == kyro.CodeNotFound {
		if path, found := w.files.Latest(w.id, version); found {
			return path, func() {}, nil
		}
		return "", nil, verdict{status: kyro.DocumentFailed, reason: "What the document was made from is not there any more. Delete it and add it anew."}
	}
	if err != nil {
		return "", nil, err
	}
	received, err := w.files.Receive(ctx, body, math.MaxInt64)
	if err != nil {
		return "", nil, err
	}
	return received.Path, func() { w.files.Discard(received) }, nil
}

// madeFrom is the version whose original is read, or the last one's before it that brought its own: the one that is being made,
// unless it is made of what answers use. Between the two there may be one that a failed run left.
func (w *work) madeFrom() int {
	if d := &w.doc; d.ActiveVersion > 0 && d.FetchedRun != d.Run {
		return d.ActiveVersion
	}
	return w.doc.Version
}

// chunk cuts the text and makes the search terms of each chunk, both under the title, or under lead where there is one.
func (w *work) chunk(ctx context.Context, extraction kyro.Extraction, lead string) (kyro.Prepared, error) {
	title := w.doc.Title
	if named := betterTitle(&w.doc, extraction.Title); named != "" {
		title = named
	}
	above := cmp.Or(lead, title)
	chunks := w.split(extraction, above, chunk.Sized(w.doc.ChunkSize(), w.doc.ChunkOverlap()))
	if len(chunks) == 0 {
		return kyro.Prepared{}, noText(extraction)
	}
	if limit := w.limits.MaxChunks; len(chunks) > limit {
		return kyro.Prepared{}, kyro.Errorf(kyro.CodeLimitReached,
			"The document has %d passages, more than the %d of one document. Split it and upload the parts.", len(chunks), limit)
	}
	language := text.Detect(extraction.Text)
	terms := make([]string, len(chunks))
	for i := range chunks {
		if err := ctx.Err(); err != nil {
			return kyro.Prepared{}, err
		}
		terms[i] = strings.Join(text.Terms(chunk.EmbeddedText(above, chunks[i]), language), " ")
	}
	model, dims := w.embedder.Model()
	prepared := kyro.Prepared{
		Extraction: extraction, Language: language, CharCount: kyro.CharCount(extraction.Text), Chunks: chunks, Terms: terms,
		Model: model, Dims: dims,
	}
	if title != w.doc.Title {
		prepared.NewTitle = title
	}
	return prepared, nil
}
