package kyro_test

import (
	"testing"
	"time"

	"kyrochat/kyro"
)

func TestDoubtedPasswords(t *testing.T) {
	t.Parallel()
	undone := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	locked := undone.Add(kyro.RevertEmailTTL)
	for name, c := range map[string]struct {
		credentials kyro.Credentials
		now         time.Time
		want        bool
	}{
		"never undone":        {kyro.Credentials{PasswordChangedAt: undone}, undone, false},
		"just undone":         {kyro.Credentials{PasswordChangedAt: undone, EmailLockedUntil: locked}, undone, true},
		"until the lock ends": {kyro.Credentials{PasswordChangedAt: undone, EmailLockedUntil: locked}, locked.Add(-time.Microsecond), true},
		"after the lock":      {kyro.Credentials{PasswordChangedAt: undone, EmailLockedUntil: locked}, locked, false},
		"set anew since":      {kyro.Credentials{PasswordChangedAt: undone.Add(time.Second), EmailLockedUntil: locked}, undone.Add(time.Minute), false},
	} {
		if got := c.credentials.Doubted(c.now); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
