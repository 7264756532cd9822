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

func TestKnownDevices(t *testing.T) {
	t.Parallel()
	issued := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	account := kyro.Credentials{User: kyro.User{ID: kyro.UserID(1)}, PasswordChangedAt: issued}
	token := kyro.DeviceToken{UserID: kyro.UserID(1), ID: "x", Issued: issued}
	for name, c := range map[string]struct {
		account kyro.Credentials
		token   kyro.DeviceToken
		after   time.Duration
		want    bool
	}{
		"at once":                      {account, token, 0, true},
		"until it is too old":          {account, token, kyro.DeviceTokenTTL - time.Microsecond, true},
		"too old":                      {account, token, kyro.DeviceTokenTTL, false},
		"of another account":           {account, kyro.DeviceToken{UserID: kyro.UserID(2), Issued: issued}, 0, false},
		"from before the new password": {account, kyro.DeviceToken{UserID: kyro.UserID(1), Issued: issued.Add(-time.Second)}, 0, false},
		"of no account":                {kyro.Credentials{}, kyro.DeviceToken{Issued: issued}, 0, false},
	} {
		if got := c.account.Knows(c.token, issued.Add(c.after)); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
