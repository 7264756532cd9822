// Package commanded is for tests of commands that an operator types: what came of one, and what it must have said.
package commanded

import (
	"strings"
	"testing"
)

// Command is what came of one.
type Command struct {
	T           testing.TB
	Args        []string
	Status      int
	Out, ErrOut string
	Secrets     []string // nothing of them may be said
}

// Ended checks the exit status and that all of it was said somewhere, and no secret, nor the hash of a password.
func (c Command) Ended(status int, parts ...string) Command {
	c.T.Helper()
	if c.Status != status {
		c.T.Errorf("%v ended with %d, want %d: %s%s", c.Args, c.Status, status, c.Out, c.ErrOut)
	}
	for _, part := range parts {
		if !strings.Contains(c.Out+c.ErrOut, part) {
			c.T.Errorf("%v does not say %q: %s%s", c.Args, part, c.Out, c.ErrOut)
		}
	}
	for _, secret := range append([]string{"$argon2"}, c.Secrets...) {
		if strings.Contains(c.Out+c.ErrOut, secret) {
			c.T.Errorf("%v repeats a secret: %s%s", c.Args, c.Out, c.ErrOut)
		}
	}
	return c
}
