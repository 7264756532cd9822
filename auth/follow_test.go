package auth_test

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/auth"
	"kyrochat/kyro"
)

// lines counts what a log was told.
type lines struct {
	slog.Handler
	seen *[]string
}

func (l lines) Handle(_ context.Context, r slog.Record) error {
	*l.seen = append(*l.seen, r.Message)
	return nil
}

func (l lines) WithAttrs([]slog.Attr) slog.Handler { return l }

func (l lines) Enabled(context.Context, slog.Level) bool { return true }

// following is tokens that follow a file, on a clock that stands while nothing waits.
func following(t *testing.T, path string) (tokens *auth.Tokens, told *[]string) {
	t.Helper()
	tokens, err := auth.NewTokens(secretsOf(t, path), auth.TokenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	told = &[]string{}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tokens.Follow(ctx, path, slog.New(lines{slog.DiscardHandler, told}))
	}()
	t.Cleanup(func() { cancel(); <-done })
	return tokens, told
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func made(t *testing.T, secrets ...string) (accessToken, refreshToken string) {
	t.Helper()
	tokens := newTokens(t, time.Now, secrets...)
	return access(t, tokens, time.Now()), tokens.Refresh(kyro.SessionID(7), 3)
}

func TestARunningServerFollowsItsSecretFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	synctest.Test(t, func(t *testing.T) {
		tokens, told := following(t, write(t, path, secretA, 0o600))
		oldAccess, oldRefresh := made(t, secretA)
		newAccess, newRefresh := made(t, secretB)
		good := func(when, accessToken, refreshToken string, want bool) {
			t.Helper()
			_, err := tokens.ParseAccess(accessToken)
			_, _, err2 := tokens.ParseRefresh(refreshToken)
			if (err == nil) != want || (err2 == nil) != want {
				t.Errorf("%s: access token %v, refresh token %v", when, err, err2)
			}
		}
		signs := func(when, secret string) {
			t.Helper()
			if got := tokens.Refresh(kyro.SessionID(7), 3); got != newTokens(t, time.Now, secret).Refresh(kyro.SessionID(7), 3) {
				t.Errorf("%s another secret signs", when)
			}
		}
		good("before", oldAccess, oldRefresh, true)
		good("before", newAccess, newRefresh, false)

		write(t, path, secretB+"\n"+secretA, 0o600)
		pass(10 * time.Second)
		good("in ten seconds", newAccess, newRefresh, true)
		good("in ten seconds", oldAccess, oldRefresh, true)
		signs("before the other processes know the new one,", secretA)
		pass(11 * time.Second) // the file was seen after five seconds, and fifteen are over since
		signs("afterwards", secretB)
		good("afterwards", oldAccess, oldRefresh, true)

		// What cannot be used changes nothing, and is told once.
		before := len(*told)
		write(t, path, "broken", 0o600)
		pass(time.Minute)
		signs("with a broken file", secretB)
		good("with a broken file", oldAccess, oldRefresh, true)
		if got := (*told)[before:]; len(got) != 1 || !strings.Contains(got[0], "cannot be used") {
			t.Errorf("told of a broken file: %q", got)
		}

		// A former secret that is taken out is good for nothing, remembered tokens included.
		write(t, path, secretB, 0o600)
		pass(10 * time.Second)
		good("without the former one", oldAccess, oldRefresh, false)
		good("without the former one", newAccess, newRefresh, true)

		// A secret that is in other hands is replaced at once.
		write(t, path, secretC, 0o600)
		pass(10 * time.Second)
		signs("in place of another", secretC)
		good("in place of another", newAccess, newRefresh, false)
	})
}

// TestAnotherChangeWhileOneSettles: the file changes again before the new secret signs.
func TestAnotherChangeWhileOneSettles(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	synctest.Test(t, func(t *testing.T) {
		tokens, _ := following(t, write(t, path, secretA, 0o600))
		write(t, path, secretB+"\n"+secretA, 0o600)
		pass(11 * time.Second)
		write(t, path, secretC+"\n"+secretB+"\n"+secretA, 0o600)
		pass(11 * time.Second) // the first change would have settled by now
		if got := tokens.Refresh(kyro.SessionID(7), 3); got != newTokens(t, time.Now, secretA).Refresh(kyro.SessionID(7), 3) {
			t.Error("a secret signs that others may not know yet")
		}
		pass(15 * time.Second)
		if got := tokens.Refresh(kyro.SessionID(7), 3); got != newTokens(t, time.Now, secretC).Refresh(kyro.SessionID(7), 3) {
			t.Error("the newest secret does not sign")
		}
	})
}
