package account

import (
	"context"
	"fmt"
	"strings"
	"time"

	"kyrochat/kyro"
)

// Attempts counts tries at passwords. live.Attempts satisfies it.
type Attempts interface {
	// Try counts an attempt under all of the keys, or under none where one of them does not allow it.
	Try(ctx context.Context, attempts ...kyro.Attempt) (kyro.Allowance, error)
	// TakeBack uncounts the last attempt under each of the keys.
	TakeBack(ctx context.Context, attempts ...kyro.Attempt)
	// Forget uncounts all attempts under each of the keys.
	Forget(ctx context.Context, attempts ...kyro.Attempt)
}

// Networks is the part of the Store that knows from where people sign in.
type Networks interface {
	// KnownNetwork reports whether the user has a live session that was begun from the network, as Device.AddressPrefix
	// names it. It does the same work for no user.
	KnownNetwork(ctx context.Context, user kyro.ID, prefix string, now time.Time) (bool, error)
}

// guess is a try at a password, which may be a guess. It is counted before the password is looked at, so that many at
// once are many. What was right is no guess: it clears the count of its own device or network at this account, and is
// taken back from all others, which keep what somebody else did.
type guess struct {
	own    kyro.Attempt
	shared []kyro.Attempt
}

// signInGuess says what a log-in counts under. A device with a good token of the account has a count of its own, so that
// nobody else can be in its way. Everybody else counts for the network they come from, for that network at this account,
// and, unless the account has a session from there, for all that is unknown to this account. All is the same for an address without an
// account, down to the statements.
func (s *Service) signInGuess(ctx context.Context, viewer kyro.Viewer, email string, known kyro.Credentials, device string) (guess, error) {
	now := s.now()
	near, err := s.store.KnownNetwork(ctx, known.User.ID, viewer.Device.AddressPrefix, now)
	if err != nil {
		return guess{}, fmt.Errorf("look for sessions from a network: %w", err)
	}
	if token, good := s.tokens.ParseDevice(device); good && known.Knows(token, now) {
		return guess{own: s.attempt("device", token.ID, kyro.AttemptsOfDevice)}, nil
	}
	address := addressKey(email)
	g := guess{
		own:    s.attempt("place", address+" "+viewer.Device.AddressPrefix, kyro.AttemptsOfDevice),
		shared: []kyro.Attempt{s.attempt("network", viewer.Network.String(), kyro.AttemptsOfNetwork)},
	}
	if !near {
		g.shared = append(g.shared, s.attempt("account", address, kyro.AttemptsOfAccount))
	}
	return g, nil
}

// deviceToken is the token by which the device is known from now on: the one that it came with, if that is good.
func (s *Service) deviceToken(known kyro.Credentials, device string, now time.Time) string {
	if token, good := s.tokens.ParseDevice(device); good && known.Knows(token, now) {
		return device
	}
	return s.tokens.Device(known.User.ID, now)
}

// addressKey is what an address is counted by: one key however it is written, and one for each text that is no address.
func addressKey(email string) string {
	if address, err := NormalizeEmail(email); err == nil {
		return address
	}
	return strings.ToLower(strings.TrimSpace(email))
}

// attempt counts under a name of which nobody can tell what it stands for.
func (s *Service) attempt(what, of string, policy kyro.AttemptPolicy) kyro.Attempt {
	return kyro.Attempt{Key: what + " " + s.tokens.Pseudonym(what+" "+of), Policy: policy.Scaled(s.scale)}
}

// try counts the guess, or refuses it: RATE_LIMITED. Where nobody could count, it is refused, too.
func (s *Service) try(ctx context.Context, g guess) error {
	if s.attempts == nil {
		return nil
	}
	allowance, err := s.attempts.Try(ctx, append([]kyro.Attempt{g.own}, g.shared...)...)
	if err != nil {
		return fmt.Errorf("count an attempt: %w", err)
	}
	if !allowance.Allowed {
		return allowance.Refusal("attempts to sign in")
	}
	return nil
}

// unmade takes a guess back that nobody looked at after all.
func (s *Service) unmade(ctx context.Context, g guess) {
	if s.attempts != nil {
		s.attempts.TakeBack(ctx, append([]kyro.Attempt{g.own}, g.shared...)...)
	}
}

// right takes back what was no guess.
func (s *Service) right(ctx context.Context, g guess) {
	if s.attempts != nil {
		s.attempts.Forget(ctx, g.own)
		s.attempts.TakeBack(ctx, g.shared...)
	}
}

// verify is the hasher's, for a guess: RATE_LIMITED before any work where there were too many.
func (s *Service) verify(ctx context.Context, g guess, hash, password string) (ok, stale bool, err error) {
	if err := s.try(ctx, g); err != nil {
		return false, false, err
	}
	ok, stale, err = s.hasher.Verify(ctx, hash, password)
	switch {
	case err != nil:
		s.unmade(ctx, g)
		err = fmt.Errorf("verify a password: %w", err)
	case ok:
		s.right(ctx, g)
	}
	return ok, stale, err
}
