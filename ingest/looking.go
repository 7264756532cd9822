package ingest

import (
	"context"
	"strings"

	"kyrochat/kyro"
)

// looked is a page of a crawl that was looked at, and what is to be stored of it.
type looked struct {
	*got
	step kyro.CrawlStep
}

// as notes what became of the page.
func (l *looked) as(status kyro.CrawlPageStatus, reason string, document kyro.ID) *looked {
	l.step.Page.Status, l.step.Page.Reason, l.step.Page.DocumentID = status, reason, document
	return l
}

// look fetches a page of the crawl and decides what becomes of it. Whoever gets an answer discards it.
func (w *walk) look(ctx context.Context, page kyro.CrawlPage) (_ *looked, err error) {
	l := &looked{got: &got{discard: func() {}}, step: kyro.CrawlStep{Page: page}}
	known, there, err := w.store.PageOf(ctx, w.crawl.BotID, page.URL)
	if err != nil {
		return nil, err
	}
	if there && known.CrawlID == w.id {
		return l.as(kyro.PageDuplicate, "Another address of a page that was read: "+known.URL, known.ID), nil
	}
	if w.fetcher == nil {
		return l.as(kyro.PageFailed, "This server fetches no pages.", kyro.ID{}), nil
	}
	allowed, err := w.fetcher.Allowed(ctx, page.URL)
	if err != nil {
		return nil, err
	}
	if !allowed {
		return l.as(kyro.PageSkipped, "The site asks programs not to read this page (robots.txt).", kyro.ID{}), nil
	}
	question := kyro.Fetch{URL: page.URL}
	if there && known.ActiveVersion != 0 && page.Depth >= w.crawl.MaxDepth { // else its links are wanted
		question.ETag, question.LastModified = known.ETag, known.LastModified
	}
	if l.got, err = w.get(ctx, question); err != nil {
		if kyro.ErrorCode(err) == kyro.CodeUnsupportedType && page.Place == 1 && page.Depth == 0 {
			return w.lookAtSitemap(ctx, page, err)
		}
		return nil, err
	}
	if l.NotModified {
		return l.as(kyro.PageUnchanged, "", known.ID), nil
	}
	if l, err = w.judge(ctx, l, known, there); err != nil {
		l.discard()
		return nil, err
	}
	return l, nil
}

// lookAtSitemap takes the first address for that of a sitemap where it is not that of a page.
func (w *walk) lookAtSitemap(ctx context.Context, page kyro.CrawlPage, otherwise error) (*looked, error) {
	pages, err := w.fetcher.Sitemap(ctx, page.URL, maxLinks)
	if passes(err) {
		return nil, err
	}
	if err != nil || len(pages) == 0 {
		return nil, otherwise
	}
	l := &looked{got: &got{discard: func() {}}, step: kyro.CrawlStep{Page: page}}
	l.step.Links = w.wanted(pages)
	return l.as(kyro.PageSkipped, "A sitemap.", kyro.ID{}), nil
}

// judge decides what becomes of a page that was fetched. The answer is l also beside an error.
func (w *walk) judge(ctx context.Context, l *looked, known kyro.Document, there bool) (*looked, error) {
	address := l.step.Page.URL
	if moved, err := w.addresses.Canonical(l.URL); err == nil && moved != address {
		address = moved
		switch {
		case !w.addresses.SameSite(address, w.crawl.URL):
			return l.as(kyro.PageSkipped, "It leads to another site.", kyro.ID{}), nil
		case !w.crawl.Takes(pathOf(address)):
			return l.as(kyro.PageSkipped, "It leads to a page that the crawl is not to take.", kyro.ID{}), nil
		}
		if twin, err := w.twinAt(ctx, l, address); twin || err != nil {
			return l, err
		}
		if !there {
			var err error
			if known, there, err = w.store.PageOf(ctx, w.crawl.BotID, address); err != nil {
				return l, err
			}
		}
	}
	extraction, err := w.readPage(ctx, l.got)
	if err != nil {
		return l, err
	}
	noIndex, canonical := l.NoIndex, ""
	if page := extraction.Page; page != nil {
		noIndex, canonical = noIndex || page.NoIndex, page.Canonical
		if !page.NoFollow && l.step.Page.Depth < w.crawl.MaxDepth {
			l.step.Links = w.wanted(page.Links)
		}
	}
	if noIndex {
		return l.as(kyro.PageSkipped, "The page asks not to be listed (noindex).", kyro.ID{}), nil
	}
	if strings.TrimSpace(extraction.Text) == "" {
		return l.as(kyro.PageSkipped, "No text was found on the page.", kyro.ID{}), nil
	}
	if own, err := w.addresses.Canonical(canonical); err == nil && own != address && w.addresses.SameSite(own, w.crawl.URL) {
		if twin, err := w.twinAt(ctx, l, own); twin || err != nil {
			return l, err
		}
		other, found, err := w.store.PageOf(ctx, w.crawl.BotID, own)
		if err != nil {
			return l, err
		}
		if found && (!there || other.ID != known.ID) {
			return l.as(kyro.PageDuplicate, "Another address of "+own, other.ID), nil
		}
	}
	if !w.crawl.Takes(pathOf(address)) { // which only the first page can be
		return l.as(kyro.PageSkipped, "The crawl is not to take this page: only its links were followed.", kyro.ID{}), nil
	}
	l.step.TextHash = hashOfText(extraction.Text)
	return w.compare(ctx, l, address, known, there, extraction)
}

// twinAt reports whether the crawl knows a page of the address besides the one that is looked at, which is another address of
// that one then. Of two that name each other, the second one is taken.
func (w *walk) twinAt(ctx context.Context, l *looked, address string) (bool, error) {
	other, found, err := w.store.KnownPage(ctx, w.id, address)
	if err != nil || !found || other.Key == l.step.Page.Key {
		return false, err
	}
	switch other.Status {
	case kyro.PageDuplicate, kyro.PageFailed, kyro.PageSkipped:
		return false, nil
	}
	l.as(kyro.PageDuplicate, "Another address of "+address, other.DocumentID)
	return true, nil
}

// compare decides by the text: whether it is new, another one than before, or what some other page says as well.
func (w *walk) compare(
	ctx context.Context, l *looked, address string, known kyro.Document, there bool, extraction kyro.Extraction,
) (*looked, error) {
	if there {
		hash, err := w.store.TextHash(ctx, known.ID)
		switch {
		case err != nil:
			return l, err
		case !known.Status.Final():
			return l.as(kyro.PageUnchanged, "Its document is being read just now.", known.ID), nil
		case hash == l.step.TextHash:
			return l.as(kyro.PageUnchanged, "", known.ID), nil
		}
		l.step.Update = &l.saved
		return l.as(kyro.PageUpdated, "", known.ID), nil
	}
	twin, found, err := w.store.PageWithText(ctx, w.id, l.step.TextHash)
	if err != nil {
		return l, err
	}
	if found {
		return l.as(kyro.PageDuplicate, "The same content as "+twin.URL, twin.DocumentID), nil
	}
	document, found, err := w.store.SameText(ctx, w.crawl.BotID, kyro.ID{}, l.step.TextHash)
	if err != nil {
		return l, err
	}
	if found {
		return l.as(kyro.PageDuplicate, "The same content as another document: "+document.Title, document.ID), nil
	}
	title := titleOfPage(address)
	if own := titleOfText(extraction.Title); own != "" {
		title = own
	}
	size := l.saved.SizeBytes
	l.step.Document = &kyro.NewDocument{
		BotID: w.crawl.BotID, OwnerID: w.crawl.OwnerID, Kind: kyro.DocumentURL, Title: title, URL: address, CrawlID: w.id,
		MimeType: l.saved.MimeType, SizeBytes: &size, ContentHash: l.saved.ContentHash, Page: &l.saved, Now: w.time(),
	}
	return l.as(kyro.PageAdded, "", kyro.ID{}), nil
}
