package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"kyrochat/kyro"
)

// owner is a person with an address, some sessions and a key.
type owner struct {
	*world
	id       kyro.ID
	email    string
	sessions []kyro.ID
	key      kyro.ID
	tokens   int
}

func (w *world) owner(t testing.TB, email string) *owner {
	t.Helper()
	u, s, err := w.CreateUser(t.Context(), kyro.NewUser{Email: email, Name: "Ann", PasswordHash: "old", EmailVerified: true, CreatedAt: start}, aSession(kyro.ID{}, start))
	fine(t, err)
	o := &owner{world: w, id: u.ID, email: email, sessions: []kyro.ID{s.ID}}
	for range 2 {
		s, _, err := w.CreateSession(t.Context(), aSession(u.ID, start), 20)
		fine(t, err)
		o.sessions = append(o.sessions, s.ID)
	}
	w.exec(t, fmt.Sprintf(`INSERT INTO api_keys (user_id, name, prefix, secret_hash, scopes, networks, created_at)
		VALUES (%d, 'k', 'kyr', 'hash of %s', '[]', '[]', '2026-11-22 10:00:00+00:00')`, u.ID.Key, email))
	o.key = kyro.APIKeyID(int64(w.number(t, fmt.Sprintf("SELECT id FROM api_keys WHERE user_id = %d", u.ID.Key))))
	return o
}

// token plants a token of the owner and gives its hash.
func (o *owner) token(t testing.TB, purpose kyro.TokenPurpose, email, newEmail string) string {
	t.Helper()
	o.tokens++
	hash := fmt.Sprintf("token %d of %s", o.tokens, o.id)
	fine(t, o.PlantToken(t.Context(), kyro.MailToken{
		Hash: hash, Purpose: purpose, UserID: o.id, Email: email, NewEmail: newEmail, SessionID: o.sessions[1], CreatedAt: start, ExpiresAt: start.Add(96 * time.Hour),
	}))
	return hash
}

func (o *owner) known(t testing.TB) kyro.Credentials {
	t.Helper()
	c, err := o.Credentials(t.Context(), o.id)
	fine(t, err)
	return c
}

func aLetter(kind kyro.LetterKind, at time.Time) kyro.Letter {
	return kyro.Letter{Kind: kind, Seed: "seed", CreatedAt: at, Device: kyro.Device{UserAgent: "Browser 1", AddressPrefix: "192.0.2.0/24"}}
}

func aDeed(action kyro.AuditAction) kyro.AuditEntry {
	return kyro.AuditEntry{At: start, Action: action, Succeeded: true, Actor: kyro.ActorUser, Device: kyro.Device{UserAgent: "Browser 1"}}
}

// change moves the owner to another address by a token of its own.
func (o *owner) change(t testing.TB, from, to string, at time.Time) {
	t.Helper()
	_, err := o.ConfirmEmailChange(t.Context(), o.token(t, kyro.TokenChangeEmail, from, to), at, aLetter(kyro.LetterEmailChanged, at), aDeed(kyro.AuditEmailChanged))
	fine(t, err)
}

func (o *owner) live(t testing.TB) (live []kyro.ID) {
	t.Helper()
	ended, err := o.EndedCredentials(t.Context(), o.sessions, start)
	fine(t, err)
	for _, s := range o.sessions {
		if !slices.Contains(ended, s) {
			live = append(live, s)
		}
	}
	return live
}

func (w *world) lines(t testing.TB, action kyro.AuditAction, user kyro.ID) int {
	t.Helper()
	return w.number(t, fmt.Sprintf("SELECT count(*) FROM audit_log WHERE action = '%s' AND user_id = %d", action, user.Key))
}

func TestProfileOfAUser(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		o := w.owner(t, "ann@example.com")
		u, err := w.UpdateProfile(t.Context(), o.id, "Zoë\x00", aDeed(kyro.AuditProfileChanged))
		fine(t, err)
		if u.Name != "Zoë" || u.Email != o.email || u.ID != o.id || !u.EmailVerified {
			t.Errorf("the profile is %+v", u)
		}
		if w.lines(t, kyro.AuditProfileChanged, o.id) != 1 {
			t.Error("the audit log does not say so")
		}
		_, err = w.UpdateProfile(t.Context(), kyro.UserID(99999), "Eve")
		wantCode(t, err, kyro.CodeNotFound)
		_, err = w.Credentials(t.Context(), kyro.UserID(99999))
		wantCode(t, err, kyro.CodeNotFound)
	})
}

func TestPasswordIsChangedOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx, o, other := t.Context(), w.owner(t, "ann@example.com"), w.owner(t, "bob@example.com")
		reset, revert := o.token(t, kyro.TokenResetPassword, o.email, ""), o.token(t, kyro.TokenRevertEmail, o.email, "was@example.com")
		fine(t, w.RequestEmailChange(ctx, o.known(t), kyro.Letter{Kind: kyro.LetterEmailChange, To: "eve@example.com", CreatedAt: start}))
		later := start.Add(time.Minute)
		change := kyro.PasswordChange{UserID: o.id, Old: "old", Hash: "new", SessionID: o.sessions[2], At: later}
		var won, lost int
		var ended []kyro.ID
		var all sync.WaitGroup
		var mu sync.Mutex
		for range 5 {
			all.Go(func() {
				u, over, err := w.ChangePassword(ctx, change, aLetter(kyro.LetterPasswordChanged, later), aDeed(kyro.AuditPasswordChanged))
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil && u.ID == o.id:
					won, ended = won+1, over
				case kyro.ErrorCode(err) == kyro.CodeConflict:
					lost++
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won != 1 || lost != 4 {
			t.Errorf("%d changed it and %d did not", won, lost)
		}
		if slices.SortFunc(ended, func(a, b kyro.ID) int { return int(a.Key - b.Key) }); !slices.Equal(ended, o.sessions[:2]) || !slices.Equal(o.live(t), o.sessions[2:]) {
			t.Errorf("ended %v, live %v", ended, o.live(t))
		}
		if len(other.live(t)) != 3 {
			t.Error("sessions of somebody else ended")
		}
		if c := o.known(t); c.PasswordHash != "new" || !c.PasswordChangedAt.Equal(later) {
			t.Errorf("credentials %+v", c)
		}
		if n := w.number(t, "SELECT count(*) FROM mail_tokens WHERE voided_at IS NULL AND hash = '"+revert+"'"); n != 1 {
			t.Error("the link that undoes a change has lost its force")
		}
		if n := w.number(t, "SELECT count(*) FROM mail_tokens WHERE voided_at IS NULL AND hash = '"+reset+"'"); n != 0 {
			t.Error("a link for a new password is still good")
		}
		if n := w.number(t, "SELECT count(*) FROM letters WHERE kind = 'email-change' AND ended_at IS NULL"); n != 0 {
			t.Error("a letter will bring a link for another address")
		}
		if n := w.number(t, "SELECT count(*) FROM letters WHERE kind = 'password-changed' AND recipient = 'ann@example.com'"); n != 1 {
			t.Errorf("%d letters tell of it", n)
		}
		if w.lines(t, kyro.AuditPasswordChanged, o.id) != 1 {
			t.Error("the audit log does not say so")
		}
		// Whoever was confirmed by the former password asks in vain.
		stale := o.known(t)
		stale.PasswordChangedAt = time.Time{}
		wantCode(t, w.RequestEmailChange(ctx, stale, kyro.Letter{Kind: kyro.LetterEmailChange, To: "eve@example.com", CreatedAt: later}), kyro.CodeInvalidCredentials)
	})
}

func TestAddressIsChangedOnce(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx, o := t.Context(), w.owner(t, "ann@example.com")
		w.owner(t, "taken@example.com")
		now := start.Add(time.Minute)
		taken := o.token(t, kyro.TokenChangeEmail, o.email, "taken@example.com")
		for range 2 { // the token stays good
			_, err := w.ConfirmEmailChange(ctx, taken, now, aLetter(kyro.LetterEmailChanged, now), aDeed(kyro.AuditEmailChanged))
			wantCode(t, err, kyro.CodeEmailTaken)
		}
		if len(o.live(t)) != 3 || w.number(t, "SELECT count(*) FROM letters")+w.lines(t, kyro.AuditEmailChanged, o.id) != 0 {
			t.Error("something was stored though the address is taken")
		}
		hash := o.token(t, kyro.TokenChangeEmail, o.email, "new@example.com")
		revert := o.token(t, kyro.TokenRevertEmail, o.email, "was@example.com")
		for _, wrong := range []string{"", "token", revert} {
			_, err := w.ConfirmEmailChange(ctx, wrong, now, aLetter(kyro.LetterEmailChanged, now))
			wantCode(t, err, kyro.CodeInvalidToken)
		}
		_, err := w.ConfirmEmailChange(ctx, hash, start.Add(96*time.Hour), aLetter(kyro.LetterEmailChanged, now))
		wantCode(t, err, kyro.CodeInvalidToken)

		var won int
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				done, err := w.ConfirmEmailChange(ctx, hash, now, aLetter(kyro.LetterEmailChanged, now), aDeed(kyro.AuditEmailChanged))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won++
					if done.UserID != o.id || len(done.Ended) != 2 {
						t.Errorf("done: %+v", done)
					}
				} else if kyro.ErrorCode(err) != kyro.CodeInvalidToken {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if won != 1 {
			t.Errorf("%d changed the address", won)
		}
		if !slices.Equal(o.live(t), o.sessions[1:2]) {
			t.Errorf("live are %v, want the session that asked, %s", o.live(t), o.sessions[1])
		}
		if c := o.known(t); c.User.Email != "new@example.com" || !c.User.EmailVerified {
			t.Errorf("the user is %+v", c.User)
		}
		n := w.number(t, `SELECT count(*) FROM letters WHERE kind = 'email-changed' AND recipient = 'ann@example.com'
			AND old_email = 'ann@example.com' AND new_email = 'new@example.com'`)
		if n != 1 || w.lines(t, kyro.AuditEmailChanged, o.id) != 1 {
			t.Errorf("%d letters, %d lines", n, w.lines(t, kyro.AuditEmailChanged, o.id))
		}
		_, err = w.ConfirmEmailChange(ctx, taken, now, aLetter(kyro.LetterEmailChanged, now))
		wantCode(t, err, kyro.CodeInvalidToken) // it was for the former address
	})
}

// The oldest address wins, however often it was changed since.
func TestChangesOfTheAddressAreUndone(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx, o := t.Context(), w.owner(t, "a@example.com")
		now := start.Add(time.Minute)
		o.change(t, "a@example.com", "b@example.com", now)
		toA, toAgain := o.token(t, kyro.TokenRevertEmail, "b@example.com", "a@example.com"), o.token(t, kyro.TokenRevertEmail, "b@example.com", "a@example.com")
		o.change(t, "b@example.com", "c@example.com", now)
		toB := o.token(t, kyro.TokenRevertEmail, "c@example.com", "b@example.com")
		o.change(t, "c@example.com", "d@example.com", now)
		toC := o.token(t, kyro.TokenRevertEmail, "d@example.com", "c@example.com")
		// Whoever has it now deactivates it.
		until := now.Add(kyro.AccountGrace)
		_, err := w.Deactivate(ctx, o.id, &until, now, []kyro.Letter{aLetter(kyro.LetterDeactivated, now)}, aDeed(kyro.AuditDeactivated))
		fine(t, err)
		back := o.token(t, kyro.TokenReactivate, "d@example.com", "")

		revert := func(hash string) (kyro.AccountChange, error) {
			return w.RevertEmailChange(ctx, hash, now, aLetter(kyro.LetterEmailReverted, now), aDeed(kyro.AuditEmailReverted))
		}
		done, err := revert(toB)
		fine(t, err)
		if done.UserID != o.id || !slices.Contains(done.Ended, o.key) {
			t.Errorf("done: %+v", done)
		}
		c := o.known(t)
		if c.User.Email != "b@example.com" || c.DeactivatedAt != nil || c.PasswordHash == "" || !c.PasswordChangedAt.Equal(now) || !c.EmailLockedUntil.Equal(now.Add(kyro.RevertEmailTTL)) {
			t.Errorf("after the first: %+v", c)
		}
		if n := w.number(t, fmt.Sprintf("SELECT count(*) FROM api_keys WHERE user_id = %d AND revoked_at IS NULL", o.id.Key)); n != 0 || len(o.live(t)) != 0 {
			t.Errorf("%d keys and %v live", n, o.live(t))
		}
		if w.lines(t, kyro.AuditReactivated, o.id) != 1 {
			t.Error("that it is back in use is in no audit log")
		}
		if w.lines(t, kyro.AuditAPIKeyRevoked, o.id) != 1 {
			t.Error("that the key was revoked is in no audit log")
		}
		_, err = revert(toC)
		wantCode(t, err, kyro.CodeInvalidToken)
		_, err = w.RedeemReactivation(ctx, back, now, aLetter(kyro.LetterReactivated, now))
		wantCode(t, err, kyro.CodeInvalidToken)

		// The address stays for 72 hours, and for the owner of an older one it does not.
		wantCode(t, w.RequestEmailChange(ctx, c, kyro.Letter{Kind: kyro.LetterEmailChange, To: "e@example.com", CreatedAt: now}), kyro.CodeConflict)
		locked := o.token(t, kyro.TokenChangeEmail, "b@example.com", "e@example.com")
		_, err = w.ConfirmEmailChange(ctx, locked, now, aLetter(kyro.LetterEmailChanged, now))
		wantCode(t, err, kyro.CodeInvalidToken)
		fine(t, w.RequestEmailChange(ctx, c, kyro.Letter{Kind: kyro.LetterEmailChange, To: "e@example.com", CreatedAt: now.Add(kyro.RevertEmailTTL)}))
		_, err = revert(toA)
		fine(t, err)
		if got := o.known(t).User.Email; got != "a@example.com" {
			t.Errorf("the address is %s", got)
		}
		if n := w.number(t, "SELECT count(*) FROM letters WHERE kind = 'email-reverted' AND recipient = 'a@example.com' AND old_email = 'b@example.com'"); n != 1 {
			t.Errorf("%d letters to the address that is back", n)
		}
		for _, used := range []string{toA, toAgain, toB, toC} {
			_, err = revert(used)
			wantCode(t, err, kyro.CodeInvalidToken)
		}
		if n := w.number(t, "SELECT count(*) FROM letters WHERE kind = 'email-changed' AND ended_at IS NULL"); n != 0 {
			t.Errorf("%d letters will bring links to younger addresses", n)
		}
	})
}

// Nobody gets an address that is on its way back without showing that it is theirs; whoever does has it.
func TestAFormerAddressIsKept(t *testing.T) {
	everywhere(t, func(t *testing.T, w *world) {
		ctx, o := t.Context(), w.owner(t, "a@example.com")
		o.change(t, "a@example.com", "b@example.com", start)
		revert := o.token(t, kyro.TokenRevertEmail, "b@example.com", "a@example.com")
		squat := kyro.NewUser{Email: "a@example.com", Name: "Eve", PasswordHash: "h", CreatedAt: start.Add(time.Hour)}
		_, _, err := w.CreateUser(ctx, squat, aSession(kyro.ID{}, start))
		wantCode(t, err, kyro.CodeEmailTaken)
		squat.EmailVerified = true
		_, _, err = w.CreateUser(ctx, squat, aSession(kyro.ID{}, start))
		fine(t, err)
		for range 2 {
			_, err = w.RevertEmailChange(ctx, revert, start, aLetter(kyro.LetterEmailReverted, start))
			wantCode(t, err, kyro.CodeEmailTaken)
		}
		if len(o.live(t)) != 1 || o.known(t).User.Email != "b@example.com" {
			t.Error("something was changed all the same")
		}
		w.exec(t, "UPDATE users SET email = 'x@example.com' WHERE name = 'Eve'")
		late := kyro.NewUser{Email: "a@example.com", Name: "Ann", PasswordHash: "h", CreatedAt: start.Add(kyro.RevertEmailTTL)}
		_, _, err = w.CreateUser(ctx, late, aSession(kyro.ID{}, start))
		fine(t, err)
	})
}
