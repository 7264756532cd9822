package store_test

import (
	"reflect"
	"sync"
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestUsers(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		created := start.Add(123456789)
		u, s, err := w.CreateUser(ctx, kyro.NewUser{Email: "it's@example.com", Name: "Zoë \\ ' ?", PasswordHash: "h1", EmailVerified: true, CreatedAt: created}, aSession(kyro.ID{}, created))
		fine(t, err)
		if s.UserID != u.ID || s.ID.IsZero() || !s.RevokedAt.IsZero() {
			t.Errorf("session %+v of user %s", s, u.ID)
		}
		if want := created.Truncate(time.Microsecond); u.CreatedAt != want {
			t.Errorf("created at %v, want %v in UTC", u.CreatedAt, want)
		}
		got, err := w.Users(ctx, []kyro.ID{kyro.UserID(99999), u.ID})
		fine(t, err)
		if !reflect.DeepEqual(got, []kyro.User{u}) {
			t.Errorf("read %+v, want %+v", got, u)
		}
		if none, err := w.Users(ctx, nil); err != nil || len(none) != 0 {
			t.Errorf("no ids gave %v, %v", none, err)
		}
		read, err := w.Session(ctx, s.ID)
		fine(t, err)
		read.RotatedAgo = 0 // which nothing but a reading has
		if !reflect.DeepEqual(read, s) {
			t.Errorf("read %+v, want %+v", read, s)
		}

		_, _, err = w.CreateUser(ctx, kyro.NewUser{Email: "it's@example.com", CreatedAt: created}, aSession(kyro.ID{}, created))
		wantCode(t, err, kyro.CodeEmailTaken)
		if n := w.number(t, "SELECT count(*) FROM sessions"); n != 1 {
			t.Errorf("%d sessions after a refused sign-up", n)
		}

		_, err = w.CredentialsByEmail(ctx, "no@example.com\x00")
		wantCode(t, err, kyro.CodeNotFound)
		fine(t, w.SetPasswordHash(ctx, u.ID, "wrong", "h2"))
		fine(t, w.SetPasswordHash(ctx, u.ID, "h1", "h3"))
		c, err := w.CredentialsByEmail(ctx, "it's@example.com")
		fine(t, err)
		if c.PasswordHash != "h3" || c.User != u {
			t.Errorf("credentials %+v", c)
		}
	})
}

func TestTheOldestSessionsGo(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		user, other := w.user(t), w.user(t)
		var made []kyro.Session
		ended := map[kyro.ID]bool{}
		var wg sync.WaitGroup
		var mu sync.Mutex
		for i := range 9 {
			wg.Go(func() {
				s, revoked, err := w.CreateSession(t.Context(), aSession(user, start.Add(time.Duration(i)*time.Second)), 4)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					t.Error(err)
				}
				made = append(made, s)
				for _, id := range revoked {
					if ended[id] {
						t.Errorf("%s was revoked twice", id)
					}
					ended[id] = true
				}
			})
		}
		wg.Wait()
		if n := w.number(t, "SELECT count(*) FROM sessions WHERE revoked_at IS NULL"); n != 5 {
			t.Errorf("%d live sessions, want 4 and the other user's", n)
		}
		newest := made[0]
		for _, s := range made {
			if s.ID.Key > newest.ID.Key {
				newest = s
			}
		}
		if len(ended) != 6 || ended[newest.ID] {
			t.Errorf("told of the end of %v, want 6 of the 10 sessions", ended)
		}
		s, err := w.Session(t.Context(), newest.ID)
		fine(t, err)
		if !s.RevokedAt.IsZero() {
			t.Error("the newest session is revoked")
		}
		_, _, err = w.CreateSession(t.Context(), aSession(kyro.UserID(99999), start), 4)
		wantCode(t, err, kyro.CodeNotFound)
		_ = other
	})
}

// TestRotatedByTheStoresClock, whatever the clocks of the nodes say that rotate a session and read it.
func TestRotatedByTheStoresClock(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		w.SetClock(time.Now)
		if w.pools.Postgres() {
			w.SetClock(nil)
		}
		for _, ahead := range []time.Duration{-time.Hour, 0, time.Hour} {
			s, _, err := w.CreateSession(t.Context(), aSession(w.user(t), time.Now()), 20)
			fine(t, err)
			_, won, err := w.RotateSession(t.Context(), s.ID, 1, time.Now().Add(ahead))
			fine(t, err)
			read, err := w.Session(t.Context(), s.ID)
			fine(t, err)
			if !won || read.RotatedAgo < -time.Minute || read.RotatedAgo > time.Minute {
				t.Errorf("rotated just now by a node that is %s ahead, %s ago by the store", ahead, read.RotatedAgo)
			}
		}
	})
}

func TestOneRotationWins(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		s, _, err := w.CreateSession(t.Context(), aSession(w.user(t), start), 20)
		fine(t, err)
		later := start.Add(time.Minute)
		w.setClock(later)
		var wins int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				got, won, err := w.RotateSession(t.Context(), s.ID, 1, later)
				mu.Lock()
				defer mu.Unlock()
				if won {
					wins++
				}
				if err != nil || got.Counter != 2 || got.RotatedAt != later || got.LastUsedAt != later {
					t.Errorf("got %+v, %v", got, err)
				}
			})
		}
		wg.Wait()
		if wins != 1 {
			t.Errorf("%d callers won, want 1", wins)
		}

		if _, won, err := w.RotateSession(t.Context(), s.ID, 2, s.ExpiresAt); won || err != nil {
			t.Errorf("a session that is too old rotated: %v %v", won, err)
		}
		fine(t, w.RevokeSession(t.Context(), s.UserID, s.ID, later))
		wantCode(t, w.RevokeSession(t.Context(), s.UserID, s.ID, later.Add(time.Hour)), kyro.CodeNotFound)
		got, won, err := w.RotateSession(t.Context(), s.ID, 2, later)
		fine(t, err)
		if won || got.Counter != 2 || got.RevokedAt != later {
			t.Errorf("a revoked session: won %v, %+v", won, got)
		}
		_, _, err = w.RotateSession(t.Context(), kyro.SessionID(99999), 2, later)
		wantCode(t, err, kyro.CodeNotFound)
	})
}
