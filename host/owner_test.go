package host_test

import (
	"testing"

	"kyrochat/host"
)

// TestSudoUser: what is pasted into a shell names a user, or quotes its number.
func TestSudoUser(t *testing.T) {
	t.Parallel()
	for owner, want := range map[string]string{"kyrochat": "kyrochat", "1000": "'#1000'", "0": "'#0'"} {
		if got := host.SudoUser(owner); got != want {
			t.Errorf("%s: %s, want %s", owner, got, want)
		}
	}
}
