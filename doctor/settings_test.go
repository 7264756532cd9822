package doctor

import (
	"os"
	"path/filepath"
	"testing"
)

const (
	secretOne = "q7Zr1mVx0Tn4Kc8Ws2Ly6Hd3Pf9Bg5Jt"
	secretTwo = "8Ws2Ly6Hd3Pf9Bg5Jtq7Zr1mVx0Tn4Kc"
)

// kept writes a file as a secret is kept in one.
func kept(t *testing.T, text string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kept")
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}
