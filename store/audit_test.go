package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"kyrochat/kyro"
	"kyrochat/store"
)

var newestFirst = kyro.PageRequest{Order: "AT.DESC", Limit: kyro.MaxPageSize}

// anEntry is a line about the user's account.
func anEntry(user kyro.ID, action kyro.AuditAction) kyro.AuditEntry {
	return kyro.AuditEntry{
		At: start, UserID: user, Action: action, Succeeded: true, Actor: kyro.ActorUser, By: kyro.SessionID(7),
		Device: kyro.Device{UserAgent: "Browser 1", AddressPrefix: "192.0.2.0/24"}, RequestID: "r1",
	}
}

// auditLines are those about the user, oldest first.
func (w *world) auditLines(t testing.TB, user kyro.ID) []kyro.AuditEntry {
	t.Helper()
	page, err := w.AuditPage(t.Context(), user, newestFirst)
	fine(t, err)
	slices.Reverse(page.Nodes)
	return page.Nodes
}

// intact checks that the log has so many lines and that all fit.
func (w *world) intact(t testing.TB, lines int64) kyro.AuditMark {
	t.Helper()
	check, err := w.VerifyAudit(t.Context())
	if fine(t, err); !check.Intact() || check.Lines != lines || (lines > 0) != (len(check.Hash) == 64) {
		t.Errorf("the log is %+v, want %d lines that fit", check, lines)
	}
	return check.AuditMark
}

func TestAuditLinesAreReadAsTheyWere(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user := kyro.UserID(3)
		w.intact(t, 0)
		full := kyro.AuditEntry{
			At: start.Add(123456789), UserID: user, Action: kyro.AuditDocumentAdded, Succeeded: true, Actor: kyro.ActorAPIKey,
			By: kyro.APIKeyID(5), Target: kyro.DocumentID(9), RequestID: "ABC",
			Device: kyro.Device{UserAgent: `it's "1", <b> ?`, AddressPrefix: "2001:db8::/48"}, Detail: "5:hello,",
		}
		bare := kyro.AuditEntry{UserID: user, Action: kyro.AuditPurged, Actor: kyro.ActorSystem}
		long := anEntry(user, kyro.AuditLimitHit).Refused("\x00\xff" + strings.Repeat("é", kyro.MaxAuditDetail))
		fine(t, w.Record(t.Context(), full, bare))
		fine(t, w.Record(t.Context()))
		fine(t, w.Record(t.Context(), long))

		want := []kyro.AuditEntry{full, bare, long}
		want[0].At = full.At.Truncate(time.Microsecond)
		want[2].Detail = strings.Repeat("é", (kyro.MaxAuditDetail-2)/2)
		got := w.auditLines(t, user)
		if len(got) != len(want) {
			t.Fatalf("%d lines", len(got))
		}
		for i := range want {
			if want[i].ID = kyro.AuditID(int64(i) + 1); got[i] != want[i] {
				t.Errorf("line %d\n got %+v\nwant %+v", i, got[i], want[i])
			}
		}
		w.intact(t, 3)
	})
}

// TestDeedsAreStoredWithTheirFact, and not without it.
func TestDeedsAreStoredWithTheirFact(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		nobody := kyro.AuditEntry{At: start, Action: kyro.AuditSignedUp, Succeeded: true, Actor: kyro.ActorUser, RequestID: "r"}
		user, first, err := w.CreateUser(ctx, kyro.NewUser{Email: "a@example.com", CreatedAt: start}, aSession(kyro.ID{}, start), nobody)
		fine(t, err)
		_, _, err = w.CreateUser(ctx, kyro.NewUser{Email: "a@example.com", CreatedAt: start}, aSession(kyro.ID{}, start), nobody)
		wantCode(t, err, kyro.CodeEmailTaken)

		loggedIn := anEntry(kyro.ID{}, kyro.AuditLoggedIn)
		second, evicted, err := w.CreateSession(ctx, aSession(user.ID, start), 1, loggedIn)
		if fine(t, err); !slices.Equal(evicted, []kyro.ID{first.ID}) {
			t.Errorf("evicted %v", evicted)
		}
		_, _, err = w.CreateSession(ctx, aSession(kyro.UserID(99999), start), 1, loggedIn)
		wantCode(t, err, kyro.CodeNotFound)
		_, _, err = w.CreateSession(ctx, aSession(user.ID, start), 20) // without a line
		fine(t, err)
		fine(t, w.RevokeSession(ctx, user.ID, second.ID, start, anEntry(user.ID, kyro.AuditLoggedOut)))
		wantCode(t, w.RevokeSession(ctx, user.ID, second.ID, start, anEntry(user.ID, kyro.AuditLoggedOut)), kyro.CodeNotFound)

		bot, err := w.CreateBot(ctx, *kyro.NewBot(user.ID, start), anEntry(user.ID, kyro.AuditBotCreated))
		fine(t, err)
		given := kyro.NewDocument{BotID: bot.ID, OwnerID: user.ID, Kind: kyro.DocumentText, Title: "T", Now: start}
		full := errors.New("no room")
		_, _, err = w.AddDocument(ctx, given, nil, func(kyro.Document) error { return full }, anEntry(user.ID, kyro.AuditDocumentAdded))
		if !errors.Is(err, full) {
			t.Errorf("got %v", err)
		}
		document, _, err := w.AddDocument(ctx, given, nil, nil, anEntry(user.ID, kyro.AuditDocumentAdded))
		fine(t, err)
		gone := anEntry(user.ID, kyro.AuditDocumentDeleted)
		gone.Target = document.ID
		_, err = w.DeleteDocument(ctx, user.ID, document.ID, start, gone)
		fine(t, err)
		_, err = w.DeleteDocument(ctx, user.ID, document.ID, start, gone)
		wantCode(t, err, kyro.CodeNotFound)
		deleted := anEntry(user.ID, kyro.AuditBotDeleted)
		deleted.Target = bot.ID
		fine(t, w.DeleteBot(ctx, user.ID, bot.ID, start, deleted))
		wantCode(t, w.DeleteBot(ctx, user.ID, bot.ID, start, deleted), kyro.CodeNotFound)

		type told struct {
			action     kyro.AuditAction
			actor      kyro.AuditActor
			by, target kyro.ID
		}
		var got []told
		for _, e := range w.auditLines(t, user.ID) {
			got = append(got, told{e.Action, e.Actor, e.By, e.Target})
		}
		person, session := kyro.ActorUser, kyro.SessionID(7)
		want := []told{
			{kyro.AuditSignedUp, person, first.ID, kyro.ID{}},
			{kyro.AuditLoggedIn, person, second.ID, kyro.ID{}},
			{kyro.AuditSessionRevoked, kyro.ActorSystem, kyro.ID{}, first.ID},
			{kyro.AuditLoggedOut, person, session, kyro.ID{}},
			{kyro.AuditBotCreated, person, session, bot.ID},
			{kyro.AuditDocumentAdded, person, session, document.ID},
			{kyro.AuditDocumentDeleted, person, session, document.ID},
			{kyro.AuditBotDeleted, person, session, bot.ID},
		}
		if !slices.Equal(got, want) {
			t.Errorf("lines\n got %v\nwant %v", got, want)
		}
		w.intact(t, int64(len(want)))
	})
}

// TestTheLogIsOnlyAddedTo: the database refuses everything else, but that the device of a line is forgotten.
func TestTheLogIsOnlyAddedTo(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, other := kyro.UserID(1), kyro.UserID(2)
		fine(t, w.Record(t.Context(), anEntry(user, kyro.AuditLoggedIn), anEntry(other, kyro.AuditLoggedIn), anEntry(user, kyro.AuditLoggedOut)))
		w.exec(t, "UPDATE audit_log SET device = NULL, device_salt = NULL WHERE user_id = 1") // as the purge of an account does
		const columns = "id, at, user_id, action, succeeded, actor, by_id, target_id, request_id, detail, device, device_salt, device_hash, hash"
		statements := []string{
			"DELETE FROM audit_log WHERE id = 3", "DELETE FROM audit_log", "DELETE FROM audit_head",
			"UPDATE audit_log SET device = '[\"\",\"\"]', device_salt = 'x' WHERE id = 1", "UPDATE audit_log SET device = NULL",
			"UPDATE audit_head SET lines = 2", "UPDATE audit_head SET lines = 3", "UPDATE audit_head SET hash = ''", "UPDATE audit_head SET id = 2",
			"UPDATE audit_head SET lines = 5",
			"INSERT INTO audit_log SELECT 9" + strings.TrimPrefix(columns, "id") + " FROM audit_log WHERE id = 2", // a gap
		}
		for column := range strings.SplitSeq(columns, ", ") {
			value := map[string]string{
				"id": "id + 10", "at": "'2020-01-01 00:00:00+00:00'", "user_id": "NULL", "succeeded": "NOT succeeded", "device": "'[]'",
			}[column]
			if value == "" {
				value = column + " || 'x'"
			}
			statements = append(statements, fmt.Sprintf("UPDATE audit_log SET %s = %s WHERE id = 2", column, value))
		}
		if w.pools.Postgres() {
			statements = append(statements, "TRUNCATE audit_log", "TRUNCATE audit_head")
		} else {
			statements = append(statements,
				"UPDATE audit_log SET id = NULL WHERE id = 2",
				"INSERT OR REPLACE INTO audit_log SELECT "+strings.Replace(columns, "action", "'PURGED'", 1)+" FROM audit_log WHERE id = 2",
				"REPLACE INTO audit_head VALUES (1, 0, '')")
		}
		for _, statement := range statements {
			err := w.Write(t.Context(), func(ctx context.Context, tx bun.Tx) error {
				_, err := tx.ExecContext(ctx, statement)
				return err
			})
			if err == nil || !strings.Contains(err.Error(), "lines are only added to the audit log") {
				t.Errorf("%s: %v", statement, err)
			}
		}
		w.intact(t, 3)
		for _, e := range append(w.auditLines(t, user), w.auditLines(t, other)...) {
			if known := e.Device != (kyro.Device{}); known != (e.UserID == other) {
				t.Errorf("after %s was forgotten: %+v", user, e)
			}
		}
		fine(t, w.Record(t.Context(), anEntry(user, kyro.AuditPurged)))
		w.intact(t, 4)
	})
}

// TestTamperingIsFound: whoever may do everything with the database takes the triggers away first. The check finds the
// first line that is not as it was.
func TestTamperingIsFound(t *testing.T) {
	const all = 5
	for name, c := range map[string]struct {
		tamper string
		broken int64
	}{
		"an action is changed":       {"UPDATE audit_log SET action = 'PURGED' WHERE id = 3", 3},
		"a line is somebody else's":  {"UPDATE audit_log SET user_id = 8 WHERE id = 1", 1},
		"a line is nobody's":         {"UPDATE audit_log SET user_id = NULL WHERE id = 2", 2},
		"a refusal is a success":     {"UPDATE audit_log SET succeeded = NOT succeeded WHERE id = 4", 4},
		"a time is changed":          {"UPDATE audit_log SET at = '2026-11-22 10:00:00.000001+00:00' WHERE id = 3", 3},
		"a detail moves to the next": {"UPDATE audit_log SET request_id = '', detail = 'r1' WHERE id = 5", 5},
		"a device is changed":        {"UPDATE audit_log SET device = replace(device, 'Browser 1', 'Browser 2') WHERE id = 3", 3},
		"a salt is changed":          {"UPDATE audit_log SET device_salt = device_salt || 'x' WHERE id = 4", 4},
		"half a device is gone":      {"UPDATE audit_log SET device_salt = NULL WHERE id = 2", 2},
		"a device is made up": {"UPDATE audit_log SET device = NULL, device_salt = NULL WHERE id = 2;" +
			"UPDATE audit_log SET device = '[\"\",\"\"]', device_salt = 'x' WHERE id = 2", 2},
		"another's device": {"UPDATE audit_log SET device_hash = (SELECT device_hash FROM audit_log WHERE id = 1)," +
			"device_salt = (SELECT device_salt FROM audit_log WHERE id = 1) WHERE id = 2", 2},
		"a line is deleted":           {"DELETE FROM audit_log WHERE id = 2", 2},
		"the first line is deleted":   {"DELETE FROM audit_log WHERE id = 1", 1},
		"the last line is deleted":    {"DELETE FROM audit_log WHERE id = 5", 5},
		"the tail is cut off":         {"DELETE FROM audit_log WHERE id > 2", 3},
		"all are deleted":             {"DELETE FROM audit_log", 1},
		"a gap is closed":             {"DELETE FROM audit_log WHERE id = 3; UPDATE audit_log SET id = id - 1 WHERE id = 4; UPDATE audit_log SET id = id - 1 WHERE id = 5", 3},
		"two lines are swapped":       {"UPDATE audit_log SET id = -2 WHERE id = 2; UPDATE audit_log SET id = 2 WHERE id = 3; UPDATE audit_log SET id = 3 WHERE id = -2", 2},
		"a line comes before all":     {"UPDATE audit_log SET id = 0 WHERE id = 5", 1},
		"a line is copied to the end": {"UPDATE audit_log SET id = 6 WHERE id = 5", 5},
		"a line is added by hand": {"INSERT INTO audit_log SELECT 6, at, user_id, action, succeeded, actor, by_id, target_id, request_id," +
			"detail, device, device_salt, device_hash, hash FROM audit_log WHERE id = 5", 6},
		"the head is behind":  {"UPDATE audit_head SET lines = 4", 4},
		"the head is before":  {"UPDATE audit_head SET lines = 6", 6},
		"the head is another": {"UPDATE audit_head SET hash = 'x'", 5},
		"the head is gone":    {"DELETE FROM audit_head", 1},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, w *world) {
				for i := range all {
					e := anEntry(kyro.UserID(int64(i%2)+1), kyro.AuditLoggedIn)
					if i == 3 {
						e = e.Refused("")
					}
					fine(t, w.Record(t.Context(), e))
				}
				w.intact(t, all)
				w.withoutTriggers(t)
				w.exec(t, c.tamper)
				check, err := w.VerifyAudit(t.Context())
				if fine(t, err); check.Intact() || check.Broken != c.broken || check.Why == "" {
					t.Errorf("found %+v, want line %d", check, c.broken)
				}
				if check.Lines > c.broken {
					t.Errorf("the mark is of lines that do not fit: %+v", check)
				}
			})
		})
	}
}

// withoutTriggers goes back to the schema that let everything be done.
func (w *world) withoutTriggers(t *testing.T) {
	t.Helper()
	(&knowledge{pools: w.pools}).migrate(t, "20261126000018_audit_kept.tx.down.sql")
}

// TestANotedMarkShowsALogThatWasMadeAnew, which fits together like any other.
func TestANotedMarkShowsALogThatWasMadeAnew(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx, user := t.Context(), kyro.UserID(1)
		fine(t, w.Record(ctx, anEntry(user, kyro.AuditLoggedIn), anEntry(user, kyro.AuditPasswordChanged)))
		noted := w.intact(t, 2)
		fine(t, w.Record(ctx, anEntry(user, kyro.AuditLoggedOut)))
		since := func() kyro.AuditCheck {
			check, err := w.VerifyAuditSince(ctx, noted)
			fine(t, err)
			return check
		}
		if check := since(); !check.Intact() || check.Lines != 3 {
			t.Errorf("the log that was noted is %+v", check)
		}
		w.withoutTriggers(t)
		w.exec(t, "DELETE FROM audit_log; UPDATE audit_head SET lines = 0, hash = ''")
		(&knowledge{pools: w.pools}).migrate(t, "20261126000018_audit_kept.tx.up.sql")
		fine(t, w.Record(ctx, anEntry(user, kyro.AuditLoggedIn)))
		w.intact(t, 1)
		if check := since(); check.Broken != 2 {
			t.Errorf("a shorter log is %+v", check)
		}
		fine(t, w.Record(ctx, anEntry(user, kyro.AuditLoggedOut)))
		w.intact(t, 2)
		if check := since(); check.Broken != 2 {
			t.Errorf("another log is %+v", check)
		}
	})
}

// TestALongLogIsCheckedInParts, which a line that is missing at their border does not escape.
func TestALongLogIsCheckedInParts(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		const batch = store.AuditBatch
		var entries []kyro.AuditEntry
		for range 2*batch + 1 {
			entries = append(entries, anEntry(kyro.UserID(1), kyro.AuditLoggedIn))
		}
		fine(t, w.Record(t.Context(), entries...))
		w.intact(t, 2*batch+1)
		w.withoutTriggers(t)
		for _, gone := range []int64{2*batch + 1, 2 * batch, batch + 1, batch} {
			w.exec(t, fmt.Sprintf("DELETE FROM audit_log WHERE id = %d", gone))
			check, err := w.VerifyAudit(t.Context())
			if fine(t, err); check.Broken != gone || check.Lines != gone-1 {
				t.Errorf("without line %d: %+v", gone, check)
			}
		}
	})
}

// TestLinesComeOneAfterAnother: many sign in at once; nobody waits for somebody who waits for them, since nothing is
// tried again, and the chain holds.
func TestLinesComeOneAfterAnother(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		const people, each = 20, 5
		var users []kyro.ID
		for range people {
			users = append(users, w.user(t))
		}
		signIn := func(user kyro.ID) {
			if _, _, err := w.CreateSession(t.Context(), aSession(user, start), 3, anEntry(user, kyro.AuditLoggedIn)); err != nil {
				t.Error(err)
			}
		}
		signIn(w.user(t))
		before := w.statements.Load()
		signIn(users[0])
		one := w.statements.Load() - before
		var wg sync.WaitGroup
		for _, user := range users[1:] {
			wg.Go(func() {
				for range each {
					signIn(user)
				}
			})
		}
		wg.Wait()
		if n := w.statements.Load() - before; n != one*(1+(people-1)*each) {
			t.Errorf("%d statements, of which one sign-in takes %d", n, one)
		}
		evictions := int64(people-1) * (each + 1 - 3) // the sessions of the sign-up among them
		w.intact(t, 2+(people-1)*each+evictions)
		for _, user := range users[1:] {
			if n := len(w.auditLines(t, user)); n != each+each+1-3 {
				t.Errorf("%d lines about %s", n, user)
			}
		}
	})
}

// TestAuditPages: each sees their own lines, newest first, and none twice while more come.
func TestAuditPages(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		ada, bob := kyro.UserID(1), kyro.UserID(2)
		add := func(times int) {
			for range times {
				// Clocks differ: the order is that in which lines were added.
				e := anEntry(ada, kyro.AuditLoggedIn)
				e.At = start.Add(-time.Duration(w.statements.Load()) * time.Second)
				nobody := anEntry(kyro.ID{}, kyro.AuditLoggedIn).Refused("Wrong credentials.")
				fine(t, w.Record(ctx, e, anEntry(bob, kyro.AuditLoggedOut), nobody))
			}
		}
		add(7)
		req, seen := kyro.PageRequest{Order: "AT.DESC", Limit: 3, Total: true}, []int64(nil)
		for {
			page, err := w.AuditPage(ctx, ada, req)
			fine(t, err)
			if want := 7 + 2*len(seen)/3; page.Total != want && req.Total {
				t.Errorf("counted %d, want %d", page.Total, want)
			}
			for _, e := range page.Nodes {
				if e.UserID != ada {
					t.Errorf("%s sees %+v", ada, e)
				}
				seen = append(seen, e.ID.Key)
			}
			if page.HasPreviousPage != (req.Cursor != nil) {
				t.Errorf("a page after %v has a previous one: %v", req.Cursor, page.HasPreviousPage)
			}
			if !page.HasNextPage {
				break
			}
			cursor, err := kyro.ParseCursor(page.CursorAt(len(page.Nodes) - 1))
			fine(t, err)
			req.Cursor = &cursor
			add(2)
		}
		if want := []int64{19, 16, 13, 10, 7, 4, 1}; !slices.Equal(seen, want) {
			t.Errorf("saw %v, want %v", seen, want)
		}
		before := w.statements.Load()
		page, err := w.AuditPage(ctx, bob, kyro.PageRequest{Order: "AT.DESC", Limit: 3})
		if fine(t, err); page.Total != 0 || w.statements.Load()-before != 1 {
			t.Errorf("a page that nobody counts: %d in %d statements", page.Total, w.statements.Load()-before)
		}
		w.intact(t, w.allLines(t))
	})
}

func (w *world) allLines(t testing.TB) int64 {
	return int64(w.number(t, "SELECT count(*) FROM audit_log"))
}
