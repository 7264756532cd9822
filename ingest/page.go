package ingest

import (
	"context"
	"net/url"
	"time"

	"kyrochat/kyro"
)

// AddURL takes in a page for a bot of the viewer and enqueues the work on it. Without a title it is called what the page
// calls itself. A page that the bot has already is given as it is, and looked at again unless it is worked on. VALIDATION for
// address and title; otherwise errors as of AddText. Its owner names the page, so that it may ask not to be listed; what
// robots.txt forbids is not fetched.
func (s *Service) AddURL(ctx context.Context, v kyro.Viewer, botID kyro.ID, url string, title *string) (Added, error) {
	if err := v.MustFor(botID, kyro.KindBot, kyro.ScopeIngest); err != nil {
		return Added{}, err
	}
	if err := s.takesIn(); err != nil {
		return Added{}, err
	}
	address, err := s.addresses.Canonical(url)
	if err != nil {
		return Added{}, err
	}
	d := kyro.NewDocument{
		BotID: botID, OwnerID: v.UserID, Kind: kyro.DocumentURL, Title: titleOfPage(address), URL: address, Now: s.time(),
	}
	if title != nil {
		if d.Title, err = checkTitle(*title); err != nil {
			return Added{}, err
		}
		d.TitleGiven = true
	}
	if err := s.ownBot(ctx, v, botID); err != nil {
		return Added{}, err
	}
	if err := s.limit(ctx, v); err != nil {
		return Added{}, err
	}
	document, added, err := s.store.AddPage(ctx, d, v.Entry(kyro.AuditDocumentAdded, kyro.ID{}).Dated(d.Now))
	if err != nil {
		return Added{}, err
	}
	if !added && document.Status.Final() {
		again, err := s.beginRun(ctx, v.UserID, document.ID, kyro.RunResynced)
		switch {
		case err == nil:
			return Added{Document: again}, nil
		case kyro.ErrorCode(err) != kyro.CodeConflict: // else somebody was as fast
			return Added{}, err
		}
	}
	s.publish(ctx, document)
	return Added{Document: document}, nil
}

// Resync looks at the page of a document of the viewer again. CONFLICT where it has none, and while it is worked on;
// RATE_LIMITED as for Upload.
func (s *Service) Resync(ctx context.Context, v kyro.Viewer, id kyro.ID) (kyro.Document, error) {
	if err := v.MustFor(id, kyro.KindDocument, kyro.ScopeIngest); err != nil {
		return kyro.Document{}, err
	}
	if err := s.takesIn(); err != nil {
		return kyro.Document{}, err
	}
	documents, err := s.store.Documents(ctx, v.UserID, []kyro.ID{id})
	document, err := kyro.One(documents, err, kyro.KindDocument)
	if err != nil {
		return kyro.Document{}, err
	}
	if document.Kind != kyro.DocumentURL {
		return kyro.Document{}, kyro.Errorf(kyro.CodeConflict, "Only a document that was added by its address has a page to look at again.")
	}
	if err := s.limit(ctx, v); err != nil {
		return kyro.Document{}, err
	}
	return s.beginRun(ctx, v.UserID, id, kyro.RunResynced)
}

func (s *Service) beginRun(ctx context.Context, owner, id kyro.ID, cause kyro.RunCause) (kyro.Document, error) {
	d, err := s.store.BeginRun(ctx, owner, id, kyro.NewRun{Cause: cause, Now: s.time()})
	s.heads.Forget(owner, id)
	if err != nil {
		return kyro.Document{}, err
	}
	s.publish(ctx, d)
	return d, nil
}

// SetSync has the page of a document of the viewer looked at every so many hours; nil: not by itself. The first time is
// within one interval from now, earlier by up to a tenth of it, so that what was set together does not come together.
// VALIDATION for the interval; CONFLICT where there is no page.
func (s *Service) SetSync(ctx context.Context, v kyro.Viewer, id kyro.ID, hours *int) (kyro.Document, error) {
	if err := v.MustFor(id, kyro.KindDocument, kyro.ScopeIngest); err != nil {
		return kyro.Document{}, err
	}
	now := s.time()
	var first *time.Time
	if hours != nil {
		if *hours < 1 || *hours > kyro.MaxSyncHours {
			return kyro.Document{}, kyro.Invalid("intervalHours", "The interval must be between 1 and %d hours.", kyro.MaxSyncHours)
		}
		interval := s.hour * time.Duration(*hours)
		at := now.Add(interval - time.Duration(s.random()*float64(interval)/10))
		first = &at
	}
	d, err := s.store.SetSync(ctx, v.UserID, id, hours, first, now)
	s.heads.Forget(v.UserID, id)
	return d, err
}

// titleOfPage makes a title of an address for as long as nothing better is known: host and path.
func titleOfPage(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return noFileName
	}
	path := u.Path
	if path == "/" {
		path = ""
	}
	return shortTitle(u.Host + path)
}

// hostOf is the host of an address: what operators hear of it, since paths and queries may be secrets.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// pathOf is the path of an address, which the patterns of a crawl are about.
func pathOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.EscapedPath()
}
