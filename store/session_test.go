package store_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"kyrochat/kyro"
)

// session signs a user in.
func (w *world) session(t testing.TB, user kyro.ID, at time.Time) kyro.ID {
	t.Helper()
	s, _, err := w.CreateSession(t.Context(), aSession(user, at), 20)
	fine(t, err)
	return s.ID
}

// aDeed is a line for the audit log.
func deedOf(user kyro.ID, action kyro.AuditAction) kyro.AuditEntry {
	e := kyro.Viewer{UserID: user, SessionID: kyro.SessionID(1)}.Entry(action, kyro.ID{})
	e.At = start
	return e
}

func letterTo(user kyro.ID, kind kyro.LetterKind) kyro.Letter {
	return kyro.Letter{Kind: kind, To: "ada@example.com", UserID: user, Seed: "seed", CreatedAt: start}
}

// deeds counts the lines of the audit log with an action.
func (w *world) deeds(t testing.TB, action kyro.AuditAction) int {
	t.Helper()
	return w.number(t, "SELECT count(*) FROM audit_log WHERE action = '"+string(action)+"'")
}

// mails counts the letters that are stored with a job each.
func (w *world) mails(t testing.TB, kind kyro.LetterKind) int {
	t.Helper()
	return w.number(t, "SELECT count(*) FROM letters JOIN test_jobs ON test_jobs.kind = '"+string(kyro.JobMail)+"' AND job_key = letters.id WHERE letters.kind = '"+string(kind)+"'")
}

func TestSessionsOfAUser(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ada, eve := w.user(t), w.user(t)
		first, second, third := w.session(t, ada, start), w.session(t, ada, start), w.session(t, ada, start.Add(-time.Hour))
		w.session(t, eve, start)
		now := start.Add(time.Minute)
		_, _, err := w.RotateSession(t.Context(), first, 1, now)
		fine(t, err)
		list := func(since, now time.Time) (ids []kyro.ID) {
			sessions, err := w.SessionsOf(t.Context(), ada, since, now)
			fine(t, err)
			for _, s := range sessions {
				if s.UserID == ada && s.Device.UserAgent == "Browser 1" { // which the one of the sign-up has not, nor those of others
					ids = append(ids, s.ID)
				}
			}
			return ids
		}
		if got := list(start.Add(-time.Hour), now); !slices.Equal(withoutFirst(got, first, second, third), []kyro.ID{first, second, third}) {
			t.Errorf("sessions are %v", got)
		}
		if got := list(start, now); slices.Contains(got, third) || !slices.Contains(got, second) {
			t.Errorf("used since the start are %v", got)
		}
		if got := list(start, start.Add(kyro.SessionMaxAge)); len(got) != 0 {
			t.Errorf("after their time there are %v", got)
		}
		byID, err := w.SessionsByID(t.Context(), eve, []kyro.ID{first, second}, start, now)
		if fine(t, err); len(byID) != 0 {
			t.Errorf("another reads %v", byID)
		}
		byID, err = w.SessionsByID(t.Context(), ada, []kyro.ID{first, kyro.SessionID(999)}, start, now)
		if fine(t, err); len(byID) != 1 || byID[0].ID != first {
			t.Errorf("by id there are %v", byID)
		}

		wantCode(t, w.RevokeSession(t.Context(), eve, first, now, deedOf(eve, kyro.AuditSessionRevoked)), kyro.CodeNotFound)
		if got := list(start, now); !slices.Contains(got, first) || w.deeds(t, kyro.AuditSessionRevoked) != 0 {
			t.Errorf("another ended one of %v", got)
		}
		fine(t, w.RevokeSession(t.Context(), ada, first, now, deedOf(ada, kyro.AuditSessionRevoked)))
		if got := list(start, now); slices.Contains(got, first) || w.deeds(t, kyro.AuditSessionRevoked) != 1 {
			t.Errorf("left are %v", got)
		}
		wantCode(t, w.RevokeSession(t.Context(), ada, second, start.Add(kyro.SessionMaxAge)), kyro.CodeNotFound)

		ended, err := w.RevokeOtherSessions(t.Context(), ada, second, now, deedOf(ada, kyro.AuditSessionsRevoked))
		fine(t, err)
		if !slices.Contains(ended, third) || slices.Contains(ended, second) || slices.Contains(ended, first) {
			t.Errorf("ended are %v", ended)
		}
		if got := list(start.Add(-time.Hour), now); !slices.Equal(got, []kyro.ID{second}) || w.deeds(t, kyro.AuditSessionsRevoked) != 1 {
			t.Errorf("left are %v", got)
		}
		if n := w.number(t, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"); n != 3 { // and those of the other
			t.Errorf("%d sessions live", n)
		}
	})
}

// withoutFirst drops what is none of the wanted: the session of the sign-up.
func withoutFirst(ids []kyro.ID, wanted ...kyro.ID) []kyro.ID {
	return slices.DeleteFunc(slices.Clone(ids), func(id kyro.ID) bool { return !slices.Contains(wanted, id) })
}

func TestAReusedSessionEndsOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ada := w.user(t)
		session := w.session(t, ada, start)
		var all sync.WaitGroup
		var mu sync.Mutex
		ends := 0
		for range 8 {
			all.Go(func() {
				ended, err := w.EndReusedSession(t.Context(), ada, session, start,
					letterTo(ada, kyro.LetterRefreshReused), deedOf(ada, kyro.AuditRefreshReused))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if ended {
					ends++
				}
			})
		}
		all.Wait()
		if ends != 1 || w.mails(t, kyro.LetterRefreshReused) != 1 || w.deeds(t, kyro.AuditRefreshReused) != 1 {
			t.Errorf("ended %d times, with %d letters and %d lines", ends, w.mails(t, kyro.LetterRefreshReused), w.deeds(t, kyro.AuditRefreshReused))
		}
		other := w.session(t, w.user(t), start)
		if ended, err := w.EndReusedSession(t.Context(), ada, other, start, letterTo(ada, kyro.LetterRefreshReused)); ended || err != nil {
			t.Errorf("the session of another: %v, %v", ended, err)
		}
	})
}

func TestEndedCredentials(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ada, gone := w.user(t), w.user(t)
		live, revoked, ofGone := w.session(t, ada, start), w.session(t, ada, start), w.session(t, gone, start)
		fine(t, w.RevokeSession(t.Context(), ada, revoked, start))
		key, keyRevoked, keyOfGone := w.key(t, ada, "1"), w.key(t, ada, "2"), w.key(t, gone, "3")
		fine(t, w.RevokeAPIKey(t.Context(), ada, keyRevoked.ID, start))
		w.deactivate(t, gone)
		unknown := []kyro.ID{kyro.SessionID(999), kyro.APIKeyID(999)}
		ended, err := w.EndedCredentials(t.Context(), append(unknown, live, revoked, ofGone, key.ID, keyRevoked.ID, keyOfGone.ID), start)
		fine(t, err)
		want := append(unknown, revoked, ofGone, keyRevoked.ID, keyOfGone.ID)
		for _, id := range want {
			if !slices.Contains(ended, id) {
				t.Errorf("%s is not told", id)
			}
		}
		if len(ended) != len(want) {
			t.Errorf("ended are %v, want %v", ended, want)
		}
		ended, err = w.EndedCredentials(t.Context(), []kyro.ID{live, key.ID}, start.Add(kyro.SessionMaxAge))
		if fine(t, err); !slices.Equal(ended, []kyro.ID{live}) {
			t.Errorf("after the session's time %v ended", ended)
		}
		if ended, err = w.EndedCredentials(t.Context(), nil, start); err != nil || len(ended) != 0 {
			t.Errorf("of none %v ended, %v", ended, err)
		}
	})
}

// deactivate takes an account out of use, and leaves its sessions and keys as they are.
func (w *world) deactivate(t testing.TB, user kyro.ID) {
	t.Helper()
	w.exec(t, "UPDATE users SET deactivated_at = created_at WHERE id = "+user.String()[len("user_"):])
}

// TestSessionsOfDeactivatedAccounts are as if they were not there.
func TestSessionsOfDeactivatedAccounts(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ada := w.user(t)
		session := w.session(t, ada, start)
		w.deactivate(t, ada)
		_, err := w.Session(t.Context(), session)
		wantCode(t, err, kyro.CodeNotFound)
		_, won, err := w.RotateSession(t.Context(), session, 1, start)
		wantCode(t, err, kyro.CodeNotFound)
		if won {
			t.Error("a session of a deactivated account was rotated")
		}
	})
}
