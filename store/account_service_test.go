package store_test

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/account"
	"kyrochat/auth"
	"kyrochat/kyro"
	"kyrochat/live"
)

const (
	rightPassword = "correct horse battery"
	otherPassword = "staple of another horse"
)

// accounts are the use cases of accounts on a store, with an admin beside them, a post that keeps mails, and a clock that
// stands still until it is moved.
type accounts struct {
	*account.Service
	admin  *account.Admin
	w      *world
	t      *testing.T
	now    time.Time
	mails  map[kyro.LetterKind]kyro.Mail // the last of each kind
	hashes int
}

func (w *world) accounts(t *testing.T, mode kyro.SignUpMode) *accounts {
	t.Helper()
	a := &accounts{w: w, t: t, now: start, mails: map[kyro.LetterKind]kyro.Mail{}}
	clock := func() time.Time { return a.now }
	tokens, err := auth.NewTokens([]string{strings.Repeat("0123456789abcdef", 2)}, auth.TokenOptions{Now: clock})
	fine(t, err)
	users := live.NewCache(live.CacheConfig[kyro.User]{TTL: time.Hour, ID: (*kyro.User).NodeID})
	sessions := live.NewCache(live.CacheConfig[kyro.Session]{TTL: time.Hour, ID: (*kyro.Session).NodeID})
	keys := live.NewCache(live.CacheConfig[kyro.APIKey]{TTL: time.Hour, ID: (*kyro.APIKey).NodeID, Clone: (*kyro.APIKey).Clone})
	t.Cleanup(func() { users.Close(); sessions.Close(); keys.Close() })
	a.Service = account.New(w.Store, account.Caches{Users: users, Sessions: sessions, Keys: keys}, a, tokens, account.Options{
		SignUp: mode, Now: clock, Post: a, Documents: noDocuments{},
	})
	a.admin = account.NewAdmin(w.Store, a, account.AdminOptions{By: "root", Now: clock})
	return a
}

// Hash, Verify, Send and Purge are of ports.
func (a *accounts) Hash(_ context.Context, password string) (string, error) {
	a.hashes++
	return "hash of " + password, nil
}

func (a *accounts) Verify(_ context.Context, hash, password string) (ok, stale bool, err error) {
	a.hashes++
	return hash == "hash of "+password, false, nil
}

func (a *accounts) Send(_ context.Context, mail kyro.Mail) error {
	a.mails[mail.Kind] = mail
	return nil
}

type noDocuments struct{}

func (noDocuments) Purge(context.Context, kyro.Job) error { return nil }

// deliver sends the letters that wait, and gives the token of the kind's.
func (a *accounts) deliver(kind kyro.LetterKind) (token string) {
	a.t.Helper()
	for {
		letter := a.w.number(a.t, "SELECT coalesce(min(id), 0) FROM letters WHERE ended_at IS NULL")
		if letter == 0 {
			return a.mails[kind].Token
		}
		fine(a.t, a.Deliver(a.t.Context(), kyro.Job{Kind: kyro.JobMail, Key: int64(letter)}))
	}
}

// signIn logs in, and gives the viewer and the refresh token.
func (a *accounts) signIn(email, password string) (kyro.Viewer, string) {
	a.t.Helper()
	in, err := a.LogIn(a.t.Context(), kyro.Viewer{}, email, password, "")
	fine(a.t, err)
	session := kyro.SessionID(int64(a.w.number(a.t, "SELECT max(id) FROM sessions")))
	return kyro.Viewer{UserID: in.User.ID, SessionID: session}, in.RefreshToken
}

var values = regexp.MustCompile(`'[^']*'|\b\d+\b|\b(NULL|DEFAULT)\b`)

// TestNobodyTellsAddressesApart: whatever there is of an address, the same statements are run and the same number of
// passwords hashed before the answer, which is the same.
func TestNobodyTellsAddressesApart(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx, a := t.Context(), w.accounts(t, kyro.SignUpVerified)
		for _, email := range []string{"known@example.com", "gone@example.com", "pending@example.com"} {
			_, err := a.Register(ctx, kyro.Viewer{}, email, rightPassword, "Ann")
			fine(t, err)
			token := a.deliver(kyro.LetterRegistration)
			if email != "pending@example.com" {
				fine(t, a.VerifyEmail(ctx, kyro.Viewer{}, token))
			}
		}
		gone, _ := a.signIn("gone@example.com", rightPassword)
		fine(t, a.Deactivate(ctx, gone, rightPassword))
		_, _, err := a.admin.Invite(ctx, "invited@example.com", "Ann", nil)
		fine(t, err)
		a.deliver(kyro.LetterDeactivated)
		addresses := []string{"unknown@example.com", "known@example.com", "gone@example.com", "pending@example.com", "invited@example.com"}

		for _, each := range []struct {
			what      string
			do        func(email string) error
			addresses []string
		}{
			{"logIn", func(email string) error {
				password := cmp.Or(map[string]string{"gone@example.com": rightPassword}[email], otherPassword)
				_, err := a.LogIn(ctx, kyro.Viewer{}, email, password, "")
				return err
			}, append([]string{"no address"}, addresses...)},
			{"registerUser", func(email string) error {
				in, err := a.Register(ctx, kyro.Viewer{}, email, otherPassword, "Ann")
				if !in.User.ID.IsZero() {
					t.Errorf("%s is signed in", email)
				}
				return err
			}, addresses},
			{"requestPasswordReset", func(email string) error { return a.RequestPasswordReset(ctx, kyro.Viewer{}, email) }, addresses},
			{"requestEmailVerification", func(email string) error { return a.RequestEmailVerification(ctx, kyro.Viewer{}, email) }, addresses},
		} {
			var first []string
			for _, email := range each.addresses {
				var said []string
				var mu sync.Mutex
				hears := func(statement string) {
					mu.Lock()
					defer mu.Unlock()
					said = append(said, values.ReplaceAllString(statement, "?"))
				}
				hashes := a.hashes
				w.hears.Store(&hears)
				err := each.do(email)
				w.hears.Store(nil)
				said = append(said, fmt.Sprint(err), fmt.Sprint(a.hashes-hashes, " hashes"))
				if first == nil {
					first = said
				}
				if !slices.Equal(said, first) {
					t.Errorf("%s of %s:\n%s\nof %s:\n%s", each.what, each.addresses[0], strings.Join(first, "\n"), email, strings.Join(said, "\n"))
				}
			}
		}
	})
}
