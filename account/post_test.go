package account_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/account"
	"kyrochat/kyro"
)

// known is a world with one account, whose address is confirmed and whose first letter is done with.
func known(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, kyro.SignUpOpen)
	w.newcomer(t)
	if err := w.VerifyEmail(t.Context(), kyro.Viewer{}, w.delivered(t).Token); err != nil {
		t.Fatal(err)
	}
	w.post.sent, w.store.deeds = nil, nil
	return w
}

// TestEachLetter shows what mail comes of each kind of letter, and that none comes where nobody is to have it.
func TestEachLetter(t *testing.T) {
	t.Parallel()
	user := kyro.UserID(1)
	deactivated := func(c *kyro.Credentials) {
		at, until := c.User.CreatedAt, c.User.CreatedAt.Add(30*24*time.Hour)
		c.DeactivatedAt, c.PurgeAfter = &at, &until
	}
	soon := func(c *kyro.Credentials) {
		deactivated(c)
		until := c.DeactivatedAt.Add(time.Hour)
		c.PurgeAfter = &until
	}
	locked := func(c *kyro.Credentials) { deactivated(c); c.PurgeAfter = nil }
	unconfirmed := func(c *kyro.Credentials) { c.User.EmailVerified = false }
	for _, c := range []struct {
		name    string
		letter  kyro.Letter
		before  func(*kyro.Credentials) // what happened to the account
		purpose kyro.TokenPurpose       // of the token; "": the mail has none
		life    time.Duration
		nobody  bool
	}{
		{"verification", kyro.Letter{Kind: kyro.LetterVerification, To: ada}, unconfirmed, kyro.TokenVerifyEmail, 24 * time.Hour, false},
		{"verification of a confirmed address", kyro.Letter{Kind: kyro.LetterVerification, To: ada}, nil, "", 0, true},
		{"verification of an unknown address", kyro.Letter{Kind: kyro.LetterVerification, To: "bob@example.org"}, nil, "", 0, true},
		{"verification of a deactivated account", kyro.Letter{Kind: kyro.LetterVerification, To: ada}, deactivated, "", 0, true},
		{"registration of a deactivated account", kyro.Letter{Kind: kyro.LetterRegistration, To: ada}, deactivated, "", 0, true},
		{"reset", kyro.Letter{Kind: kyro.LetterPasswordReset, To: ada}, nil, kyro.TokenResetPassword, 30 * time.Minute, false},
		{"reset of an address that was not confirmed", kyro.Letter{Kind: kyro.LetterPasswordReset, To: ada}, unconfirmed, kyro.TokenResetPassword, 30 * time.Minute, false},
		{"reset of an unknown address", kyro.Letter{Kind: kyro.LetterPasswordReset, To: "bob@example.org"}, nil, "", 0, true},
		{"reset of a deactivated account", kyro.Letter{Kind: kyro.LetterPasswordReset, To: ada}, deactivated, "", 0, true},
		{"reset before the password was changed", kyro.Letter{Kind: kyro.LetterPasswordReset, To: ada},
			func(c *kyro.Credentials) { c.PasswordChangedAt = c.User.CreatedAt.Add(time.Second) }, "", 0, true},
		{"change", kyro.Letter{Kind: kyro.LetterEmailChange, To: "new@example.org", NewEmail: "new@example.org", UserID: user}, nil, kyro.TokenChangeEmail, 30 * time.Minute, false},
		{"change to an address that is taken", kyro.Letter{Kind: kyro.LetterEmailChange, To: ada, NewEmail: ada, UserID: user}, nil, "", 0, true},
		{"change of a deactivated account", kyro.Letter{Kind: kyro.LetterEmailChange, To: "new@example.org", NewEmail: "new@example.org", UserID: user}, deactivated, "", 0, true},
		{"change of an address that changed", kyro.Letter{Kind: kyro.LetterEmailChange, To: "new@example.org", NewEmail: "new@example.org", OldEmail: "older@example.org", UserID: user}, nil, "", 0, true},
		{"changed", kyro.Letter{Kind: kyro.LetterEmailChanged, To: "old@example.org", OldEmail: "old@example.org", NewEmail: ada, UserID: user}, nil, kyro.TokenRevertEmail, 72 * time.Hour, false},
		{"reverted", kyro.Letter{Kind: kyro.LetterEmailReverted, To: ada, UserID: user}, nil, kyro.TokenResetPassword, 30 * time.Minute, false},
		{"reverted, and changed again", kyro.Letter{Kind: kyro.LetterEmailReverted, To: "old@example.org", UserID: user}, nil, "", 0, true},
		{"deactivated", kyro.Letter{Kind: kyro.LetterDeactivated, To: ada, UserID: user}, deactivated, kyro.TokenReactivate, 30 * 24 * time.Hour, false},
		{"deactivated, to be deleted soon", kyro.Letter{Kind: kyro.LetterDeactivated, To: ada, UserID: user}, soon, kyro.TokenReactivate, time.Hour, false},
		{"deactivated by an admin meanwhile", kyro.Letter{Kind: kyro.LetterDeactivated, To: ada, UserID: user}, locked, "", 0, true},
		{"deactivated, and taken back", kyro.Letter{Kind: kyro.LetterDeactivated, To: ada, UserID: user}, nil, "", 0, true},
		{"reactivated", kyro.Letter{Kind: kyro.LetterReactivated, To: ada, UserID: user}, nil, "", 0, false},
		{"password changed", kyro.Letter{Kind: kyro.LetterPasswordChanged, To: ada, UserID: user}, nil, "", 0, false},
		{"password changed, then deactivated", kyro.Letter{Kind: kyro.LetterPasswordChanged, To: ada, UserID: user}, deactivated, "", 0, false},
		{"key made", kyro.Letter{Kind: kyro.LetterAPIKeyCreated, To: ada, UserID: user, Name: "my key"}, nil, "", 0, false},
		{"key made by somebody with an address of another", kyro.Letter{Kind: kyro.LetterAPIKeyCreated, To: ada, UserID: user, Name: "my key"}, unconfirmed, "", 0, false},
		{"refresh reused", kyro.Letter{Kind: kyro.LetterRefreshReused, To: ada, UserID: user}, nil, "", 0, false},
		{"an export is asked for", kyro.Letter{Kind: kyro.LetterExportRequested, UserID: user, To: ada}, nil, "", 0, false},
		{"a budget is nearly used up", kyro.Letter{Kind: kyro.LetterBudgetWarning, To: ada, UserID: user, Budget: &kyro.BudgetNotice{Name: "the daily budget"}}, nil, "", 0, false},
		{"a budget of a deactivated account", kyro.Letter{Kind: kyro.LetterBudgetWarning, To: ada, UserID: user}, deactivated, "", 0, true},
		{"a budget, to an address that changed", kyro.Letter{Kind: kyro.LetterBudgetWarning, To: "old@example.org", UserID: user}, nil, "", 0, true},
		{"a purged account", kyro.Letter{Kind: kyro.LetterRefreshReused, To: ada, UserID: kyro.UserID(9)}, nil, "", 0, true},
	} {
		w := known(t)
		w.store.keyNames = []string{"first", "second"}
		if c.before != nil {
			w.store.change(ada, c.before)
		}
		c.letter.Device = kyro.Device{UserAgent: "curl/8"}
		w.wanted(c.letter)
		mail := w.delivered(t)
		if c.nobody || mail == nil {
			if !c.nobody || mail != nil || len(w.store.deeds) > 0 || len(w.post.taken) > 1 {
				t.Errorf("%s: mail %+v, %v", c.name, mail, w.store.deeds)
			}
			continue
		}
		if mail.Budget != c.letter.Budget || mail.Kind != c.letter.Kind || mail.To != c.letter.To || mail.At != w.now || mail.Device != c.letter.Device ||
			mail.OldEmail != c.letter.OldEmail || mail.NewEmail != c.letter.NewEmail || mail.ID == "" {
			t.Errorf("%s: mail %+v of %+v", c.name, mail, c.letter)
		}
		confirmed := w.store.users[ada].User.EmailVerified
		if (mail.Name == "Ada") != confirmed || (mail.KeyName == "my key") != (confirmed && c.letter.Kind == kyro.LetterAPIKeyCreated) ||
			(len(mail.Keys) == 2) != (c.letter.Kind == kyro.LetterPasswordChanged) {
			t.Errorf("%s: names in %+v", c.name, mail)
		}
		if c.purpose == "" {
			if mail.Token != "" {
				t.Errorf("%s: a token %s", c.name, mail.Token)
			}
			continue
		}
		token := w.store.good(c.purpose, hashOf(mail.Token), w.now)
		if token == nil || token.UserID != user || token.Email != ada || token.ExpiresAt != w.now.Add(c.life) || mail.Expires != token.ExpiresAt {
			t.Errorf("%s: token %+v of %+v", c.name, token, mail)
		}
	}
}

func TestTokensOfChanges(t *testing.T) {
	t.Parallel()
	w := known(t)
	w.wanted(kyro.Letter{Kind: kyro.LetterEmailChange, To: "new@example.org", NewEmail: "new@example.org", OldEmail: ada, UserID: kyro.UserID(1), SessionID: kyro.SessionID(1)})
	token := w.store.good(kyro.TokenChangeEmail, hashOf(w.delivered(t).Token), w.now)
	if token == nil || token.NewEmail != "new@example.org" || token.SessionID != kyro.SessionID(1) {
		t.Errorf("change: %+v", token)
	}
	w.wanted(kyro.Letter{Kind: kyro.LetterEmailChanged, To: "old@example.org", OldEmail: "old@example.org", NewEmail: ada, UserID: kyro.UserID(1)})
	if token = w.store.good(kyro.TokenRevertEmail, hashOf(w.delivered(t).Token), w.now); token == nil || token.NewEmail != "old@example.org" {
		t.Errorf("revert: %+v", token)
	}
}

// TestASecondTurn: whatever a former turn did before it was cut off, the mail and its token stay the same.
func TestASecondTurn(t *testing.T) {
	t.Parallel()
	w := known(t)
	w.wanted(kyro.Letter{Kind: kyro.LetterPasswordReset, To: ada})
	w.store.marking = errors.New("killed")
	if err := w.deliver(t); err == nil {
		t.Fatal("done without a mark")
	}
	w.store.marking = nil
	w.pass(time.Minute)
	again := w.delivered(t)
	if len(w.post.sent) != 2 || w.post.sent[0].ID != again.ID || w.post.sent[0].Token != again.Token || w.post.sent[0].Expires != again.Expires {
		t.Errorf("mails %+v", w.post.sent)
	}
	if len(w.store.deeds) != 1 || w.store.deeds[0].Action != kyro.AuditPasswordResetRequested || w.store.deeds[0].UserID != kyro.UserID(1) {
		t.Errorf("the audit log has %+v", w.store.deeds)
	}
	if err := w.deliver(t); err != nil || len(w.post.sent) != 2 {
		t.Errorf("a letter that ended was sent again: %v", err)
	}
}

// TestASecondTurnUnderAnotherSecret: the token of the first mail is that of the second.
func TestASecondTurnUnderAnotherSecret(t *testing.T) {
	t.Parallel()
	w := known(t)
	w.wanted(kyro.Letter{Kind: kyro.LetterPasswordReset, To: ada})
	former := new(tokens).Mailed(kyro.TokenResetPassword, w.store.letters[len(w.store.letters)-1].Seed)[1]
	_, _, err := w.store.IssueMailToken(t.Context(), 1, kyro.MailToken{
		Hash: hashOf(former), Purpose: kyro.TokenResetPassword, UserID: kyro.UserID(1), Email: ada, CreatedAt: w.now, ExpiresAt: w.now.Add(time.Minute),
	}, nil, w.now)
	if err != nil {
		t.Fatal(err)
	}
	if mail := w.delivered(t); mail == nil || mail.Token != former || mail.Expires != w.now.Add(time.Minute) {
		t.Errorf("mail %+v", mail)
	}
}

// TestASecondTurnAfterTheLinkWasOpened: nobody gets a mail about what they have done.
func TestASecondTurnAfterTheLinkWasOpened(t *testing.T) {
	t.Parallel()
	for _, kind := range []kyro.LetterKind{kyro.LetterRegistration, kyro.LetterVerification, kyro.LetterPasswordReset} {
		w := newWorld(t, kyro.SignUpOpen)
		if kind != kyro.LetterRegistration {
			w.newcomer(t)
		}
		w.wanted(kyro.Letter{Kind: kind, To: ada, Name: "Ada", PasswordHash: "hash:" + goodPassword})
		key := int64(len(w.store.letters))
		w.store.marking = errors.New("killed")
		if err := w.deliver(t); err == nil || len(w.post.sent) != 1 {
			t.Fatalf("%s: %v, mails %+v", kind, err, w.post.sent)
		}
		w.store.marking = nil
		var err error
		if kind == kyro.LetterPasswordReset {
			err = w.ResetPassword(t.Context(), kyro.Viewer{}, w.post.sent[0].Token, "another good password")
		} else {
			err = w.VerifyEmail(t.Context(), kyro.Viewer{}, w.post.sent[0].Token)
		}
		if err != nil {
			t.Fatal(err)
		}
		err = w.Deliver(t.Context(), kyro.Job{Key: key})
		if _, over := w.store.mails.ended[key]; err != nil || !over || len(w.post.sent) != 1 {
			t.Errorf("%s: %v, mails %+v", kind, err, w.post.sent)
		}
	}
}

// TestOnlyTheNewestLink: of two that were asked for, the later one is good, in whatever order they are sent.
func TestOnlyTheNewestLink(t *testing.T) {
	t.Parallel()
	w := known(t)
	w.wanted(kyro.Letter{Kind: kyro.LetterPasswordReset, To: ada})
	first := int64(len(w.store.letters))
	w.pass(time.Second)
	w.wanted(kyro.Letter{Kind: kyro.LetterPasswordReset, To: ada})
	newer := w.delivered(t)
	if err := w.Deliver(t.Context(), kyro.Job{Key: first}); err != nil || len(w.post.sent) != 1 {
		t.Errorf("the older letter: %v, mails %+v", err, w.post.sent)
	}
	if w.store.good(kyro.TokenResetPassword, hashOf(newer.Token), w.now) == nil {
		t.Error("the newest link is not good")
	}
}

// TestLettersWait: what is away costs no try, and the pauses grow up to a minute.
func TestLettersWait(t *testing.T) {
	t.Parallel()
	wait := kyro.Errorf(kyro.CodeUnavailable, "greylisted")
	wait.RetryAfter = 5 * time.Minute
	for _, c := range []struct {
		name  string
		away  func(*world)
		age   time.Duration
		pause time.Duration
	}{
		{"the mail server", func(w *world) { w.post.failing = kyro.Errorf(kyro.CodeUnavailable, "refused") }, 0, 2 * time.Second},
		{"the mail server for some seconds", func(w *world) { w.post.failing = kyro.Errorf(kyro.CodeUpstreamFailed, "451") }, 20 * time.Second, 20 * time.Second},
		{"the mail server for long", func(w *world) { w.post.failing = kyro.Errorf(kyro.CodeTimeout, "slow") }, 20 * time.Minute, time.Minute},
		{"the mail server, which says for how long", func(w *world) { w.post.failing = wait }, 0, 5 * time.Minute},
		{"the rate of all mails", func(w *world) { w.post.refuses = 7 * time.Second }, 0, 7 * time.Second},
		{"the database", func(w *world) { w.store.failing = kyro.Errorf(kyro.CodeUnavailable, "gone") }, 0, 2 * time.Second},
	} {
		w := known(t)
		w.wanted(kyro.Letter{Kind: kyro.LetterPasswordReset, To: ada})
		w.pass(c.age)
		c.away(w)
		err := w.deliver(t)
		again, _ := errors.AsType[*kyro.Error](err)
		if !errors.Is(err, kyro.ErrJobAgain) || again.RetryAfter != c.pause {
			t.Errorf("without %s: %v after %v, want %v", c.name, err, again.RetryAfter, c.pause)
		}
		w.post.failing, w.post.refuses, w.store.failing = nil, 0, nil
		if mail := w.delivered(t); mail == nil {
			t.Errorf("%s is back, and no mail came", c.name)
		}
	}
}

func TestAMailServerThatHangs(t *testing.T) {
	t.Parallel()
	w := known(t)
	w.wanted(kyro.Letter{Kind: kyro.LetterPasswordReset, To: ada})
	w.post.hanging = true
	synctest.Test(t, func(t *testing.T) {
		if err := w.Deliver(t.Context(), kyro.Job{Key: int64(len(w.store.letters))}); !errors.Is(err, kyro.ErrJobAgain) {
			t.Errorf("got %v", err)
		}
	})
}

// TestStoppedWorkers: a turn that a shutdown ends is no failure of the mail server.
func TestStoppedWorkers(t *testing.T) {
	t.Parallel()
	w := known(t)
	w.wanted(kyro.Letter{Kind: kyro.LetterPasswordReset, To: ada})
	w.post.hanging = true
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := w.Deliver(ctx, kyro.Job{Key: int64(len(w.store.letters))})
	if !errors.Is(err, context.Canceled) || errors.Is(err, kyro.ErrJobAgain) {
		t.Errorf("got %v", err)
	}
}

// TestLettersGetTooOld: nobody gets a mail about what they have forgotten, or a link that is over.
func TestLettersGetTooOld(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind kyro.LetterKind
		age  time.Duration
		sent bool
	}{
		{kyro.LetterPasswordReset, 30*time.Minute - time.Second, true},
		{kyro.LetterPasswordReset, 30 * time.Minute, false},
		{kyro.LetterPasswordChanged, 24*time.Hour - time.Second, true},
		{kyro.LetterPasswordChanged, 24 * time.Hour, false},
	} {
		w := known(t)
		w.wanted(kyro.Letter{Kind: c.kind, To: ada, UserID: kyro.UserID(1)})
		w.pass(c.age)
		if mail := w.delivered(t); (mail != nil) != c.sent {
			t.Errorf("%s after %v: %+v", c.kind, c.age, mail)
		}
	}
}

func TestRefusedMailsAreDropped(t *testing.T) {
	t.Parallel()
	w := known(t)
	w.wanted(kyro.Letter{Kind: kyro.LetterPasswordReset, To: ada})
	w.post.failing = kyro.Errorf(kyro.CodeValidation, "550 no such user")
	if mail := w.delivered(t); mail != nil {
		t.Errorf("mail %+v", mail)
	}
}

// TestBrokenLetters: what waiting does not help against fails, and is ended by the queue's last word.
func TestBrokenLetters(t *testing.T) {
	t.Parallel()
	w := known(t)
	w.wanted(kyro.Letter{Kind: kyro.LetterPasswordReset, To: ada})
	w.post.failing = errors.New("no template")
	if err := w.deliver(t); err == nil || errors.Is(err, kyro.ErrJobAgain) {
		t.Fatalf("got %v", err)
	}
	if err := w.GiveUp(t.Context(), kyro.Job{Key: int64(len(w.store.letters))}, errors.New("no template")); err != nil {
		t.Fatal(err)
	}
	if _, over := w.store.mails.ended[int64(len(w.store.letters))]; !over {
		t.Error("the letter goes on")
	}
}

// TestMailsAreCounted: those that are sent, and no others.
func TestMailsAreCounted(t *testing.T) {
	t.Parallel()
	w := known(t)
	w.post.taken = nil
	w.wanted(kyro.Letter{Kind: kyro.LetterPasswordReset, To: "bob@example.org"})
	w.delivered(t)
	w.wanted(kyro.Letter{Kind: kyro.LetterPasswordReset, To: ada})
	w.delivered(t)
	if len(w.post.taken) != 1 || w.post.taken[0] != "mails 1" {
		t.Errorf("taken %q", w.post.taken)
	}
}

var _ account.Post = (*outbox)(nil)
