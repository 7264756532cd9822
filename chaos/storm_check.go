package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"kyrochat/internal/smtp"
)

const (
	tidyWithin = time.Minute     // of the end of a storm: what was deleted is gone, and mails are there
	readWithin = 2 * time.Minute // what was added is ready: a document that failed waits for its next try
)

// check compares everything that was acknowledged in a storm with what is left of it.
func (l *life) check(ctx context.Context, w *weather) error {
	d, err := l.openData(ctx)
	if err != nil {
		return err
	}
	defer d.close()
	over := time.Now()
	l.checkFinal(ctx, d)
	list := l.acked.all()
	l.count("acknowledged messages", len(list))
	if err := l.checkMessages(ctx, d, list); err != nil {
		return err
	}
	if err := l.checkHeard(ctx, d, l.ears.list); err != nil {
		return err
	}
	if err := l.checkFailed(ctx, d, "UPSTREAM_FAILED", "TIMEOUT"); err != nil { // of the way to the model
		return err
	}
	if err := l.checkAccounts(ctx, d); err != nil {
		return err
	}
	if err := l.checkDocuments(ctx, d, over); err != nil {
		return err
	}
	l.checkMails(ctx, w, over)
	w.note("the slowest answer of a server that was there took %s", w.slow.Round(time.Millisecond))
	return nil
}

// checkAccounts holds that every account that was acknowledged is there, once.
func (l *life) checkAccounts(ctx context.Context, d *data) error {
	rows, err := d.db.QueryContext(ctx, `SELECT email FROM users`)
	if err != nil {
		return err
	}
	defer rows.Close()
	stored := map[string]int{}
	for rows.Next() {
		var email string
		if err := rows.Scan(&email); err != nil {
			return err
		}
		stored[email]++
	}
	for _, email := range l.signed {
		if stored[email] != 1 {
			l.violated("the account of %s is stored %d times", email, stored[email])
		}
	}
	l.count("sign-ups", len(l.signed))
	return rows.Err()
}

// whatIsLeft are the tables that hold something of a document, whose row stays, marked as deleted.
var whatIsLeft = []string{"chunks", "postings", "document_texts", "document_files", "document_objects", "indexings"}

// checkDocuments holds that what was deleted is gone in a minute, that everything else is there and gets ready, and that the
// index holds just that.
func (l *life) checkDocuments(ctx context.Context, d *data, over time.Time) error {
	l.count("documents added", len(l.added)+len(l.deleted))
	l.count("documents deleted", len(l.deleted))
	var left string
	if err := await(ctx, time.Until(over.Add(tidyWithin)), func() bool {
		left = ""
		for _, table := range whatIsLeft {
			n, err := d.number(ctx, fmt.Sprintf(`SELECT count(*) FROM %s WHERE document_id IN (%s)`, table, keys(l.deleted)))
			if err != nil || n > 0 {
				left += fmt.Sprintf(" %d in %s (%v)", n, table, err)
			}
		}
		return left == ""
	}); err != nil {
		l.violated("of deleted documents are left after a minute:%s", left)
	} else {
		l.note("all of what was deleted gone after %s", time.Since(over).Round(100*time.Millisecond))
	}
	back, err := d.number(ctx, fmt.Sprintf(`SELECT count(*) FROM documents WHERE deleted_at IS NULL AND id IN (%s)`, keys(l.deleted)))
	if err != nil {
		return err
	}
	if back > 0 {
		l.violated("%d documents were deleted, and are there", back)
	}
	there, err := d.number(ctx, fmt.Sprintf(`SELECT count(*) FROM documents WHERE deleted_at IS NULL AND id IN (%s)`, keys(l.added)))
	if err != nil {
		return err
	}
	if there != len(l.added) {
		l.violated("%d documents were added and not deleted, and %d are there", len(l.added), there)
	}
	failed, err := d.number(ctx, fmt.Sprintf(`SELECT count(*) FROM documents WHERE status = 'FAILED' AND id IN (%s)`, keys(l.added)))
	if err != nil {
		return err
	}
	if failed > 0 {
		l.violated("%d documents failed, of which nothing is wrong", failed)
	}
	ready := 0
	if err := await(ctx, readWithin, func() bool {
		n, err := d.number(ctx, fmt.Sprintf(`SELECT count(*) FROM documents WHERE status = 'READY' AND id IN (%s)`, keys(l.added)))
		ready = n
		return err == nil && n == len(l.added)
	}); err != nil {
		l.violated("%d of %d documents are ready %s after everything was back", ready, len(l.added), readWithin)
		return nil //nolint:nilerr // it is told as a violation
	}
	l.note("all %d documents ready after %s", ready, time.Since(over).Round(100*time.Millisecond))
	return l.checkVectors(ctx, d, vectorsWithin)
}

// keys are the numbers of ids, for a statement.
func keys(ids []string) string {
	list := []string{"0"}
	for _, id := range ids {
		list = append(list, fmt.Sprint(key(id)))
	}
	return strings.Join(list, ", ")
}

// checkMails holds that every mail that somebody waits for is there, and that none came more often than once for itself and
// once for each fault that may cut it off between being taken and being noted.
func (l *life) checkMails(ctx context.Context, w *weather, over time.Time) {
	var missing []string
	if err := await(ctx, time.Until(over.Add(tidyWithin)), func() bool {
		missing = nil
		came := map[string]int{}
		for _, m := range l.smtp.Mails() {
			came[m.To[0]+linkOf(m)]++
		}
		for _, email := range l.signed {
			if came[email+verifyLink] == 0 {
				missing = append(missing, "the link to confirm "+email)
			}
			if l.resets[email] > 0 && came[email+resetLink] == 0 {
				missing = append(missing, "the link for a password of "+email)
			}
		}
		return len(missing) == 0
	}); err != nil {
		l.violated("%d mails did not come, such as %s", len(missing), missing[0])
	} else {
		l.note("all mails there after %s", time.Since(over).Round(100*time.Millisecond))
	}
	mails, doubles := l.smtp.Mails(), 0
	times, different := map[string]int{}, map[string][]string{}
	for _, m := range mails {
		if times[m.MessageID]++; times[m.MessageID] > 1 {
			doubles++
			continue
		}
		different[m.To[0]+linkOf(m)] = append(different[m.To[0]+linkOf(m)], m.MessageID)
	}
	for id, n := range times {
		if n > 1+w.kills {
			l.violated("the mail %s came %d times, with %d faults that may double one", id, n, w.kills)
		}
	}
	for email, asked := range l.resets {
		if n := len(different[email+resetLink]); n > asked {
			l.violated("%s asked %d times for a link, and got %d mails with ids of their own: %v", email, asked, n, different[email+resetLink])
		}
	}
	l.count("mails", len(mails))
	l.count("mails that came twice", doubles)
}

const (
	verifyLink = "/account/verify-email"
	resetLink  = "/account/reset-password"
)

// linkOf says what a mail is about by where it leads.
func linkOf(m smtp.Mail) string {
	i := slices.IndexFunc([]string{verifyLink, resetLink}, func(part string) bool { return m.Link(part) != "" })
	if i < 0 {
		return ""
	}
	return []string{verifyLink, resetLink}[i]
}
