package ingest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"time"

	"kyrochat/kyro"
)

const (
	fetchTries = 5                // of a page in one run, where it may be better in a while
	longAway   = 15 * time.Minute // a site that asks for more is not waited for
	lookEvery  = 500 * time.Millisecond
)

// needsFetch reports whether the version that is being made has to be fetched first: it has no original of its own.
func (w *work) needsFetch() bool {
	d := &w.doc
	if d.Kind != kyro.DocumentURL || d.FetchedRun == d.Run {
		return false
	}
	return d.LastRun.Cause != kyro.RunReprocessed || d.FetchedRun == 0
}

// fetch gets the page and keeps what was found as the original of the version. Where the page is what
// the active version says, the run ends.
func (w *work) fetch(ctx context.Context) error {
	if err := w.advance(ctx, kyro.DocumentFetching, 0, nil); err != nil {
		return err
	}
	within, cancel := withinTurn(ctx)
	defer cancel(nil)
	defer w.attend(within, cancel, func(ctx context.Context) error {
		_, err := w.store.DocumentForWork(ctx, w.id, w.run)
		return err
	})()
	question := kyro.Fetch{URL: w.doc.PageURL}
	if w.doc.ActiveVersion != 0 {
		question.ETag, question.LastModified = w.doc.ETag, w.doc.LastModified
	}
	page, err := w.get(within, question)
	if err != nil {
		return w.postpone(ctx, told(ctx, within, err))
	}
	defer page.discard()
	if err := w.stays(page); err != nil {
		return w.tellOfSchedule(err)
	}
	same, err := w.saysTheSame(ctx, within, page)
	if err != nil {
		return err
	}
	if same {
		d, err := w.store.Unchanged(ctx, w.id, w.run, page.ETag, page.LastModified, w.time())
		if err == nil {
			w.tell(ctx, d)
			err = errUnchanged
		}
		return err
	}
	d, err := w.keepFetched(ctx, page)
	if err != nil {
		return err
	}
	w.doc, w.busy = d, true
	w.publish(ctx, d)
	return nil
}

// errUnchanged ends a run that has nothing left to do.
var errUnchanged = errors.New("the page is what it was")

// stays refuses a page that leads to another site than before where there is a version that answers: what is there is most
// often a form to sign in, or belongs to somebody else by now, and its owner did not ask for it. A page that led to the other
// site from the start may go on to.
func (w *work) stays(page *got) error {
	d := &w.doc
	if d.ActiveVersion == 0 || w.addresses.SameSite(page.URL, d.PageURL) || d.FetchedURL != "" && w.addresses.SameSite(page.URL, d.FetchedURL) {
		return nil
	}
	return kyro.Errorf(kyro.CodeFetchFailed, "The page leads to another site now. Where that is right, add its address there.")
}

// saysTheSame reports whether the active version has the page's text: of pages much else changes from one time to the next.
func (w *work) saysTheSame(ctx, within context.Context, page *got) (bool, error) {
	if w.doc.ActiveVersion == 0 {
		return false, nil
	}
	if page.NotModified || page.saved.ContentHash == w.doc.ContentHash {
		return true, nil
	}
	extraction, err := w.readPage(within, page)
	if err != nil {
		return false, told(ctx, within, err)
	}
	if strings.TrimSpace(extraction.Text) == "" || isScan(extraction) {
		return false, noText(extraction)
	}
	hash, err := w.store.TextHash(ctx, w.id)
	return hash == hashOfText(extraction.Text), err
}

// postpone puts a fetch off that may succeed later. Other errors are given back.
func (w *work) postpone(ctx context.Context, err error) error {
	code := kyro.ErrorCode(err)
	switch code {
	case kyro.CodeUpstreamFailed, kyro.CodeTimeout, kyro.CodeUnavailable, kyro.CodeRateLimited:
	default:
		return w.tellOfSchedule(err)
	}
	known, _ := errors.AsType[*kyro.Error](err)
	if known == nil || errors.Is(err, kyro.ErrJobAgain) {
		return err
	}
	counts := code != kyro.CodeRateLimited // which is about others that want the same site
	pause := w.spread(max(asked(err), w.pause))
	reason := "Others are read from the same site first. This goes on by itself."
	if counts {
		pause = w.spread(max(asked(err), w.pause<<w.doc.FetchTries))
		reason = known.Message + " This goes on by itself."
		if w.doc.FetchTries+1 >= fetchTries || pause > longAway {
			return w.tellOfSchedule(kyro.Errorf(kyro.CodeFetchFailed, "%s", inTheEnd(known)).Because(err))
		}
	}
	now := w.time()
	at := now.Add(pause)
	d, err := w.store.PostponeFetch(ctx, w.id, w.run, counts, kyro.DocumentStep{
		Status: kyro.DocumentFetching, Reason: reason, RetryAt: &at, Now: now,
	})
	if err != nil {
		return err
	}
	w.doc = d
	w.publish(ctx, d)
	return kyro.JobAgainAfter(pause)
}

// inTheEnd words an error that did not go away while it was waited for.
func inTheEnd(err *kyro.Error) string { return err.Message + " Try again later." }

// tellOfSchedule adds to the reason of a scheduled run that failed, like many before it, that the next one comes later.
func (w *work) tellOfSchedule(err error) error {
	known, ok := errors.AsType[*kyro.Error](err)
	if !ok || !known.InPayload() || w.doc.LastRun.Cause != kyro.RunScheduled || w.doc.SyncFailures < patientFor {
		return err
	}
	return kyro.Errorf(known.Code, "%s It failed %d times in a row, so the page is looked at less often.", known.Message, w.doc.SyncFailures+1).
		Because(err)
}

// got is a page that was fetched.
type got struct {
	kyro.Fetched
	saved    kyro.SavedPage
	received Received
	discard  func()
}

// get fetches a page to the disk and decides its type. Whoever gets one discards it; of one that was not modified there is
// nothing.
func (s *Service) get(ctx context.Context, question kyro.Fetch) (_ *got, err error) {
	if s.fetcher == nil {
		return nil, kyro.Errorf(kyro.CodeFetchFailed, "This server fetches no pages.")
	}
	page := &got{discard: func() {}}
	if page.Fetched, err = s.fetcher.Fetch(ctx, question); err != nil || page.NotModified {
		return page, err
	}
	defer func() { _ = page.Body.Close() }()
	if page.received, err = s.files.Receive(ctx, page.Body, s.limits.MaxUploadBytes); err != nil {
		return nil, ofPage(err)
	}
	page.discard = func() { s.files.Discard(page.received) }
	mimeType, err := s.typeOfPage(page)
	if err != nil {
		page.discard()
		return nil, ofPage(err)
	}
	page.saved = kyro.SavedPage{
		MimeType: mimeType, Claimed: page.ContentType, ContentHash: page.received.SHA256, SizeBytes: page.received.Size,
		ETag: page.ETag, LastModified: page.LastModified, URL: page.URL,
	}
	return page, nil
}

// ofPage words for a page what is said of a file.
func ofPage(err error) error {
	if kyro.ErrorCode(err) == kyro.CodeFileEmpty {
		return kyro.Errorf(kyro.CodeFileEmpty, "The page is empty.").Because(err)
	}
	return err
}

func (s *Service) typeOfPage(page *got) (string, error) {
	file, err := s.files.Open(page.received)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	return s.sniffPage(file, page.received.Size, page.ContentType, page.URL)
}

// readPage extracts the text of a page that was fetched, and what it says to whoever walks through its site.
func (s *Service) readPage(ctx context.Context, page *got) (kyro.Extraction, error) {
	wait := time.NewTimer(readingWait)
	defer wait.Stop()
	select {
	case s.reading <- struct{}{}:
		defer func() { <-s.reading }()
	case <-wait.C:
		return kyro.Extraction{}, kyro.ErrJobAgain
	case <-ctx.Done():
		return kyro.Extraction{}, ctx.Err()
	}
	return s.extractor.Extract(ctx, kyro.Original{
		Path: page.received.Path, MimeType: page.saved.MimeType, Claimed: page.ContentType, URL: page.URL,
	}, func(int, int) {})
}

// keeping has what was fetched stored by store, which gets where its original is to be kept: in the bucket, where it is by
// then; in the store; or in the files of this node, by place.
func (s *Service) keeping(
	ctx context.Context, page *got, store func(original io.Reader, place func(kyro.Document) error) error,
) error {
	if !s.shared && s.originals == nil {
		s.placing.RLock()
		defer s.placing.RUnlock()
		return store(nil, func(d kyro.Document) error { return s.files.Place(page.received, d.ID, d.Version) })
	}
	original, err := s.files.Open(page.received)
	if err != nil {
		return err
	}
	defer func() { _ = original.Close() }()
	if s.originals == nil {
		return store(original, nil)
	}
	key := s.newKey()
	err = ask(ctx, theBucket, func(ctx context.Context) error { return s.originals.Put(ctx, key, original, page.received.Size) })
	if err != nil {
		return err
	}
	page.saved.Object = key
	return store(nil, nil)
}

func (w *work) keepFetched(ctx context.Context, page *got) (d kyro.Document, err error) {
	err = w.keeping(ctx, page, func(original io.Reader, place func(kyro.Document) error) error {
		d, err = w.store.SaveFetched(ctx, w.id, w.run, page.saved, original, place, w.time())
		return err
	})
	return d, err
}

// attend ends a context, with the reason, once its work is not wanted any more. The function it gives ends the watch.
func (s *Service) attend(ctx context.Context, cancel context.CancelCauseFunc, wanted func(context.Context) error) (leave func()) {
	ctx, stop := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		for kyro.Pause(ctx, lookEvery) == nil {
			if err := wanted(ctx); kyro.ErrorCode(err) == kyro.CodeConflict {
				cancel(err)
				return
			}
		}
	}()
	return func() { stop(); <-over }
}

// told is the error of work within a part of a turn: why that ended, where that is what it says.
func told(ctx, within context.Context, err error) error {
	cause := context.Cause(within)
	switch {
	case err == nil || within.Err() == nil:
		return err
	case ctx.Err() != nil:
		return ctx.Err()
	case kyro.ErrorCode(cause) == kyro.CodeConflict:
		return cause
	case kyro.ErrorCode(err) == kyro.CodeInternal:
		return kyro.Errorf(kyro.CodeTimeout, "It took too long to fetch the page.").Because(err)
	}
	return err
}

// hashOfText is the SHA-256 of an extracted text, in hex, as the store has it.
func hashOfText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// named adds to what was read of a page what the bot's other documents have to do with it, and gives what its chunks stand
// under, and its address where that is another one than before.
func (w *work) named(ctx context.Context, extraction *kyro.Extraction) (lead, address string, err error) {
	d := &w.doc
	if d.Kind != kyro.DocumentURL {
		return "", "", nil
	}
	lead = d.Lead
	if lead == "" {
		lead = d.Title
		if title := betterTitle(d, extraction.Title); d.ActiveVersion == 0 && title != "" {
			lead = title
		}
	}
	if address, err = w.ownAddress(ctx, extraction); err != nil {
		return "", "", err
	}
	twin, found, err := w.store.SameText(ctx, d.BotID, d.ID, hashOfText(extraction.Text))
	if err != nil || !found {
		return lead, address, err
	}
	extraction.Warnings = append(extraction.Warnings, kyro.DocumentWarning{
		Code: "DUPLICATE_CONTENT", Message: "The same text is in another document: " + twin.Title + " (" + twin.ID.String() + ").",
	})
	return lead, address, nil
}

// ownAddress is the address that the page calls its own, where that is of the same site and no other document has it.
func (w *work) ownAddress(ctx context.Context, extraction *kyro.Extraction) (string, error) {
	if extraction.Page == nil || extraction.Page.Canonical == "" {
		return "", nil
	}
	address, err := w.addresses.Canonical(extraction.Page.Canonical)
	if err != nil || address == w.doc.URL || !w.addresses.SameSite(address, w.doc.PageURL) {
		return "", nil //nolint:nilerr // what is no address is not its own
	}
	other, found, err := w.store.PageOf(ctx, w.doc.BotID, address)
	if err != nil || !found || other.ID == w.doc.ID {
		return address, err
	}
	extraction.Warnings = append(extraction.Warnings, kyro.DocumentWarning{
		Code:    "DUPLICATE_PAGE",
		Message: "The page says that it is the same as " + address + ", which is a document already: " + cmp.Or(other.Title, address) + " (" + other.ID.String() + ").",
	})
	return "", nil
}
