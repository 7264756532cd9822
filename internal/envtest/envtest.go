// Package envtest gives tests settings to start from: an environment of their own, files as secrets are kept in, and secrets
// that are long enough.
package envtest

import (
	"os"
	"path/filepath"
	"testing"
)

// Two secrets of a server that nobody would guess.
const (
	SecretOne = "q7Zr1mVx0Tn4Kc8Ws2Ly6Hd3Pf9Bg5Jt"
	SecretTwo = "8Ws2Ly6Hd3Pf9Bg5Jtq7Zr1mVx0Tn4Kc"
)

// Of gives the values as os.Getenv gives those of the process.
func Of(values map[string]string) func(name string) string {
	return func(name string) string { return values[name] }
}

// File writes a file as a secret is kept in one, and gives its path.
func File(t testing.TB, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask takes away
		t.Fatal(err)
	}
	return path
}
