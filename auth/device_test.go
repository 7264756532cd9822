package auth_test

import (
	"strings"
	"testing"
	"time"

	"kyrochat/auth"
	"kyrochat/kyro"
)

func TestDeviceTokens(t *testing.T) {
	t.Parallel()
	made := newTokens(t, at(start), secretA)
	user, issued := kyro.UserID(1<<40+7), start.Add(123456*time.Microsecond)
	token := made.Device(user, issued)
	if !strings.HasPrefix(token, "kyr_dt_") || made.Device(user, issued) == token {
		t.Errorf("tokens %q", token)
	}
	for name, reader := range map[string]interface {
		ParseDevice(string) (kyro.DeviceToken, bool)
	}{"the same secret": made, "a former secret": newTokens(t, at(start), secretB, secretA)} {
		got, known := reader.ParseDevice(token)
		if !known || got.UserID != user || !got.Issued.Equal(issued) || len(got.ID) != 22 {
			t.Errorf("%s: %+v, %v", name, got, known)
		}
	}
	if _, known := newTokens(t, at(start), secretB).ParseDevice(token); known {
		t.Error("good under another secret")
	}
	bad := []string{"", "kyr_dt_", token + "0", token[:len(token)-1], strings.Replace(token, "kyr_dt_", "kyr_rt_", 1), made.Refresh(kyro.SessionID(7), 1)}
	for _, digits := range []string{strings.Repeat("z", 66), strings.Repeat("-", 66), strings.Repeat("0", 66)} { // too large a number, none, and of no version
		bad = append(bad, auth.WithChecksum("kyr_dt_"+digits))
	}
	for i := range token {
		other := byte('0')
		if token[i] == other {
			other = '1'
		}
		bad = append(bad, token[:i]+string(other)+token[i+1:])
	}
	for _, each := range bad {
		if _, known := made.ParseDevice(each); known {
			t.Errorf("%q is good", each)
		}
	}
}

// TestWhatADeviceTokenIsWorth: only to its account, for half a year, and until the password is changed.
func TestWhatADeviceTokenIsWorth(t *testing.T) {
	t.Parallel()
	ada := kyro.Credentials{User: kyro.User{ID: kyro.UserID(1)}}
	changed := ada
	changed.PasswordChangedAt = start
	at := func(user kyro.ID, issued time.Time) kyro.DeviceToken {
		return kyro.DeviceToken{UserID: user, Issued: issued}
	}
	for name, c := range map[string]struct {
		account kyro.Credentials
		token   kyro.DeviceToken
		now     time.Time
		want    bool
	}{
		"good":                       {ada, at(ada.User.ID, start), start.Add(179 * 24 * time.Hour), true},
		"too old":                    {ada, at(ada.User.ID, start), start.Add(180 * 24 * time.Hour), false},
		"another's":                  {ada, at(kyro.UserID(2), start), start, false},
		"of nobody":                  {kyro.Credentials{}, kyro.DeviceToken{}, start, false},
		"made as the password was":   {changed, at(ada.User.ID, start), start, true},
		"made before the password":   {changed, at(ada.User.ID, start.Add(-time.Microsecond)), start, false},
		"made with the one just set": {changed, at(ada.User.ID, start.Add(time.Microsecond)), start.Add(time.Second), true},
	} {
		if got := c.account.Knows(c.token, c.now); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestPseudonyms(t *testing.T) {
	t.Parallel()
	a, b := newTokens(t, at(start), secretA, secretB), newTokens(t, at(start), secretB)
	p := a.Pseudonym("ada@example.org")
	if p != a.Pseudonym("ada@example.org") || p == a.Pseudonym("bob@example.org") || p == b.Pseudonym("ada@example.org") || strings.Contains(p, "ada") {
		t.Errorf("%q", p)
	}
}
