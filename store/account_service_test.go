package store_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
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
	w.SetClock(clock)
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

// written gives the lines of the audit log that were added behind one, each in short, and the number of the last.
func (w *world) written(t testing.TB, behind int64) (lines []string, last int64) {
	t.Helper()
	entries, err := w.AuditLines(t.Context(), kyro.AuditQuery{Limit: 100})
	fine(t, err)
	slices.Reverse(entries)
	last = behind
	for _, e := range entries {
		if e.ID.Key <= behind {
			continue
		}
		last = e.ID.Key
		line := string(e.Action) + " " + string(e.Actor)
		if !e.Succeeded {
			line += " refused"
		}
		lines = append(lines, line)
	}
	return lines, last
}

// elsewhere are the actions of which the lines are shown by tests of what they are about.
var elsewhere = []string{"BOT_CREATED", "BOT_DELETED", "BUDGET_CHANGED", "DOCUMENT_ADDED", "DOCUMENT_DELETED", "EXPORT_REQUESTED", "EXPORT_DELETED", "LIMIT_HIT"}

// TestEveryDeedIsWrittenOnce: each thing that is done to an account, or is refused, leaves the lines that are named here and
// no others, and what was done before leaves none again. Every action of the contract is among them.
func TestEveryDeedIsWrittenOnce(t *testing.T) {
	contract, err := os.ReadFile("../schema.graphqls")
	fine(t, err)
	enum := regexp.MustCompile(`(?s)enum AuditAction \{(.*?)\n\}`).FindSubmatch(contract)
	actions := regexp.MustCompile(`(?m)^  ([A-Z_]+)$`).FindAllStringSubmatch(string(enum[1]), -1)
	if len(actions) < 20 {
		t.Fatalf("the contract has %d actions", len(actions))
	}
	everywhere(t, func(t *testing.T, w *world) {
		ctx, nobody := t.Context(), kyro.Viewer{}
		a := w.accounts(t, kyro.SignUpOpen)
		const ada, eve, bob = "ada@example.com", "eve@example.com", "bob@example.com"
		var me kyro.Viewer
		var refresh, token, undo string
		var key, bobsID kyro.ID
		seen, last := slices.Clone(elsewhere), int64(0)
		did := func(what string, do func() error, code kyro.Code, want ...string) {
			t.Helper()
			err := do()
			if got := kyro.ErrorCode(err); got != code {
				t.Errorf("%s: %v, want %q", what, err, code)
			}
			var lines []string
			if lines, last = w.written(t, last); !slices.Equal(lines, want) {
				t.Errorf("%s leaves %q, want %q", what, lines, want)
			}
			for _, line := range lines {
				action, _, _ := strings.Cut(line, " ")
				seen = append(seen, action)
			}
		}
		verify := func() error { return a.VerifyEmail(ctx, nobody, token) }
		reset := func() error { return a.ResetPassword(ctx, nobody, token, rightPassword) }
		refreshed := func() error { _, err := a.Refresh(ctx, nobody, refresh); return err }
		logIn := func(email, password string) func() error {
			return func() error { _, err := a.LogIn(ctx, nobody, email, password, ""); return err }
		}
		newKey := func(password string) func() error {
			return func() error {
				made, _, err := a.CreateAPIKey(ctx, me, kyro.NewAPIKey{Name: "K", Scopes: []kyro.Scope{kyro.ScopeRead}}, password)
				key = made.ID
				return err
			}
		}
		asked := func(kind kyro.LetterKind, ask func() error) func() error {
			return func() error {
				err := ask()
				a.now = a.now.Add(time.Minute)
				token = a.deliver(kind)
				return err
			}
		}

		did("signing up", func() error { _, err := a.Register(ctx, nobody, ada, rightPassword, "Ada"); return err }, "", "SIGNED_UP USER")
		did("signing up again", func() error { _, err := a.Register(ctx, nobody, ada, rightPassword, "Ada"); return err }, kyro.CodeEmailTaken)
		token = a.deliver(kyro.LetterVerification)
		did("confirming the address", verify, "", "EMAIL_VERIFIED USER")
		did("confirming it again", verify, kyro.CodeInvalidToken)

		did("a wrong password", logIn(ada, otherPassword), kyro.CodeInvalidCredentials, "LOGGED_IN NOBODY refused")
		did("an unknown address", logIn(bob, otherPassword), kyro.CodeInvalidCredentials, "LOGGED_IN NOBODY refused")
		did("a log-in", func() error { me, refresh = a.signIn(ada, rightPassword); return nil }, "", "LOGGED_IN USER")
		did("a refresh", refreshed, "")
		did("a repeated refresh", refreshed, "")
		a.now = a.now.Add(time.Minute)
		did("a reused refresh token", refreshed, kyro.CodeInvalidToken, "REFRESH_REUSED NOBODY refused")
		did("a reused refresh token again", refreshed, kyro.CodeInvalidToken)
		did("logging out of what has ended", func() error { _, err := a.LogOut(ctx, me); return err }, "")
		me, _ = a.signIn(ada, rightPassword)
		did("", func() error { return nil }, "", "LOGGED_IN USER")
		did("logging out", func() error { _, err := a.LogOut(ctx, me); return err }, "", "LOGGED_OUT USER")
		for range kyro.MaxSessionsPerUser - 1 { // the session of the sign-up lives
			me, _ = a.signIn(ada, rightPassword)
		}
		_, last = w.written(t, last)
		did("one device too many", func() error { me, _ = a.signIn(ada, rightPassword); return nil }, "", "LOGGED_IN USER", "SESSION_REVOKED SYSTEM")
		another := me.SessionID
		another.Key--
		did("revoking a session", func() error { return a.RevokeSession(ctx, me, another) }, "", "SESSION_REVOKED USER")
		did("revoking it again", func() error { return a.RevokeSession(ctx, me, another) }, kyro.CodeNotFound)
		did("revoking the others, wrongly", func() error { return a.RevokeOtherSessions(ctx, me, otherPassword) }, kyro.CodeInvalidCredentials, "SESSIONS_REVOKED USER refused")
		did("revoking the others", func() error { return a.RevokeOtherSessions(ctx, me, rightPassword) }, "", "SESSIONS_REVOKED USER")

		name := kyro.UserPatch{}
		did("changing nothing", func() error { _, err := a.UpdateProfile(ctx, me, name); return err }, "")
		name.Name = kyro.Some("Ada L.")
		did("changing the name", func() error { _, err := a.UpdateProfile(ctx, me, name); return err }, "", "PROFILE_CHANGED USER")
		change := func(from, to string) func() error {
			return func() error { _, err := a.ChangePassword(ctx, me, from, to); return err }
		}
		did("changing the password, wrongly", change(otherPassword, rightPassword), kyro.CodeInvalidCredentials, "PASSWORD_CHANGED USER refused")
		did("changing it to a weak one", change(rightPassword, "short"), kyro.CodeWeakPassword)
		did("changing the password", change(rightPassword, otherPassword), "", "PASSWORD_CHANGED USER")

		did("a key, wrongly", newKey(rightPassword), kyro.CodeInvalidCredentials, "API_KEY_CREATED USER refused")
		did("a key", newKey(otherPassword), "", "API_KEY_CREATED USER")
		program := kyro.Viewer{UserID: me.UserID, KeyID: key}
		denied := func() error { a.Denied(ctx, program); return nil }
		did("what a key may not", denied, "", "ACCESS_DENIED API_KEY refused")
		did("what a key may not, again", denied, "")
		did("revoking the key", func() error { return a.RevokeAPIKey(ctx, me, key) }, "", "API_KEY_REVOKED USER")
		did("revoking it again", func() error { return a.RevokeAPIKey(ctx, me, key) }, kyro.CodeNotFound)
		fine(t, newKey(otherPassword)())
		_, last = w.written(t, last)

		did("a reset of an unknown address", asked(kyro.LetterPasswordReset, func() error { return a.RequestPasswordReset(ctx, nobody, bob) }), "")
		did("asking for a reset", asked(kyro.LetterPasswordReset, func() error { return a.RequestPasswordReset(ctx, nobody, ada) }), "", "PASSWORD_RESET_REQUESTED NOBODY")
		did("a reset", reset, "", "PASSWORD_RESET USER")
		did("a reset again", reset, kyro.CodeInvalidToken)
		me, _ = a.signIn(ada, rightPassword)
		_, last = w.written(t, last)

		to := func(password string) func() error {
			return asked(kyro.LetterEmailChange, func() error { return a.RequestEmailChange(ctx, me, password, eve) })
		}
		did("asking for another address, wrongly", to(otherPassword), kyro.CodeInvalidCredentials, "EMAIL_CHANGE_REQUESTED USER refused")
		did("asking for another address", to(rightPassword), "", "EMAIL_CHANGE_REQUESTED USER")
		confirm := func() error { return a.ConfirmEmailChange(ctx, nobody, token) }
		did("another address", confirm, "", "EMAIL_CHANGED USER")
		did("another address again", confirm, kyro.CodeInvalidToken)
		undo = a.deliver(kyro.LetterEmailChanged)
		back := func() error { return a.RevertEmailChange(ctx, nobody, undo) }
		did("undoing that", back, "", "EMAIL_REVERTED USER", "API_KEY_REVOKED SYSTEM")
		did("undoing it again", back, kyro.CodeInvalidToken)
		did("the password that was", logIn(ada, rightPassword), "", "LOGGED_IN USER")
		a.now = a.now.Add(time.Minute)
		token = a.deliver(kyro.LetterEmailReverted)
		did("a password after it", reset, "", "PASSWORD_RESET USER")

		me, _ = a.signIn(ada, rightPassword)
		_, last = w.written(t, last)
		leave := func(password string) func() error {
			return asked(kyro.LetterDeactivated, func() error { return a.Deactivate(ctx, me, password) })
		}
		did("deactivating, wrongly", leave(otherPassword), kyro.CodeInvalidCredentials, "DEACTIVATED USER refused")
		did("deactivating", leave(rightPassword), "", "DEACTIVATED USER")
		did("a log-in meanwhile", logIn(ada, rightPassword), kyro.CodeInvalidCredentials, "LOGGED_IN NOBODY refused")
		did("taking it back", func() error { return a.Reactivate(ctx, nobody, token) }, "", "REACTIVATED USER")
		did("taking it back again", func() error { return a.Reactivate(ctx, nobody, token) }, kyro.CodeInvalidToken)

		did("an admin's account", func() error { u, err := a.admin.CreateUser(ctx, bob, "Bob", rightPassword); bobsID = u.ID; return err }, "", "SIGNED_UP ADMIN")
		did("an admin's password", func() error {
			account, err := a.admin.Find(ctx, bob)
			fine(t, err)
			_, err = a.admin.SetPassword(ctx, account, otherPassword)
			return err
		}, "", "PASSWORD_CHANGED ADMIN")
		bobs, err := a.admin.Find(ctx, bob)
		fine(t, err)
		did("an admin ends access", func() error { _, err := a.admin.RevokeSessions(ctx, bobs, true); return err }, "", "SESSIONS_REVOKED ADMIN", "API_KEY_REVOKED ADMIN")
		out := func() error { _, _, err := a.admin.Deactivate(ctx, bobs, 0); return err }
		did("an admin deactivates", out, "", "DEACTIVATED ADMIN")
		did("an admin deactivates again", out, kyro.CodeConflict)
		did("an admin reactivates", func() error { return a.admin.Reactivate(ctx, bobs) }, "", "REACTIVATED ADMIN")
		did("an admin reactivates again", func() error { return a.admin.Reactivate(ctx, bobs) }, kyro.CodeConflict)
		fine(t, out())
		_, last = w.written(t, last)
		did("an admin has it deleted", func() error { return a.admin.Purge(ctx, bobs) }, "", "PURGED ADMIN")
		purge := func() error { return a.PurgeUser(ctx, kyro.Job{Kind: kyro.JobPurgeUser, Key: bobsID.Key}) }
		did("deleting", purge, "", "PURGED SYSTEM")
		did("deleting again", purge, "")
		did("a restore", func() error { return a.admin.Restored(ctx, "a backup") }, "", "BACKUP_RESTORED ADMIN")
		did("a repair", func() error { return a.admin.Repaired(ctx, "counters (1)") }, "", "DATA_REPAIRED ADMIN")
		did("another secret", func() error { return a.admin.RotatedSecret(ctx) }, "", "SECRET_ROTATED ADMIN")

		for _, action := range actions {
			if !slices.Contains(seen, action[1]) {
				t.Errorf("nothing leaves %s", action[1])
			}
		}
		check, err := w.VerifyAudit(ctx)
		if fine(t, err); !check.Intact() {
			t.Errorf("the log: %+v", check)
		}
	})
}
