package account

import (
	"context"
	"fmt"
	"sync"
	"time"

	"kyrochat/kyro"
)

// AuditLog is the part of the Store that keeps the audit log, of which most lines come with the writes that they are about.
type AuditLog interface {
	// Record adds lines by themselves.
	Record(ctx context.Context, entries ...kyro.AuditEntry) error
	// AuditPage lists the lines about a user's account, newest first.
	AuditPage(ctx context.Context, user kyro.ID, page kyro.PageRequest) (kyro.Page[kyro.AuditEntry], error)
}

// AuditLog is what was done to and by the viewer's account, newest first. API keys do not see it.
func (s *Service) AuditLog(ctx context.Context, viewer kyro.Viewer, page kyro.PageRequest) (kyro.Page[kyro.AuditEntry], error) {
	if err := viewer.MustBePerson(); err != nil {
		return kyro.Page[kyro.AuditEntry]{}, err
	}
	lines, err := s.store.AuditPage(ctx, viewer.UserID, page)
	if err != nil {
		return lines, fmt.Errorf("read the audit log: %w", err)
	}
	return lines, nil
}

// deedOf is a line about an account. A viewer who is signed in to another one is nobody to this.
func deedOf(viewer kyro.Viewer, user kyro.ID, action kyro.AuditAction, now time.Time) kyro.AuditEntry {
	if !viewer.Is(user) {
		viewer = kyro.Viewer{Device: viewer.Device, RequestID: viewer.RequestID}
	}
	e := viewer.Entry(action, kyro.ID{}).Dated(now)
	e.UserID = user
	return e
}

// byLink is the line of something done by the link of a mail, whoever may be signed in where it was opened. Whose account it
// is about, the store says, which knows the token.
func byLink(viewer kyro.Viewer, action kyro.AuditAction, now time.Time) kyro.AuditEntry {
	return kyro.AuditEntry{
		At: now, Action: action, Succeeded: true, Actor: kyro.ActorUser, Device: viewer.Device, RequestID: viewer.RequestID,
	}
}

const (
	denialEvery   = time.Minute
	denialTimeout = 3 * time.Second
	mostDenied    = 10_000 // keys that are remembered
)

// denials are when API keys were last refused, as far as that was less than denialEvery ago.
type denials struct {
	mu   sync.Mutex
	last map[kyro.ID]time.Time
}

// news reports whether the refusal of a key is to be told, and notes it. Where more keys are refused than are
// remembered, that of another one is not.
func (d *denials) news(key kyro.ID, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if last, known := d.last[key]; known && now.Before(last.Add(denialEvery)) {
		return false
	}
	if len(d.last) >= mostDenied {
		for key, last := range d.last {
			if !now.Before(last.Add(denialEvery)) {
				delete(d.last, key)
			}
		}
		if len(d.last) >= mostDenied {
			return false
		}
	}
	if d.last == nil {
		d.last = map[kyro.ID]time.Time{}
	}
	d.last[key] = now
	return true
}

// Denied puts into the audit log that an API key asked for what it may not do, once a minute for each key and process,
// so that a program which goes on asking does not fill the log. Of anybody else it takes no note. It answers nothing:
// the refusal stands either way.
func (s *Service) Denied(ctx context.Context, viewer kyro.Viewer) {
	now := s.now()
	if viewer.KeyID.IsZero() || !s.denials.news(viewer.KeyID, now) {
		return
	}
	// Who asked may be gone; the line is written all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), denialTimeout)
	defer cancel()
	entry := deedOf(viewer, viewer.UserID, kyro.AuditAccessDenied, now).Refused("Not among the scopes of the key.")
	if err := s.store.Record(ctx, entry); err != nil {
		s.log.WarnContext(ctx, "refusal of an API key not noted", "user", viewer.UserID.String(), "key", viewer.KeyID.String(), "error", err)
	}
}
