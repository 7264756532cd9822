//go:build unix

package auth_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"kyrochat/auth"
)

// TestAPipeIsNoSecret: whoever opens one waits until somebody writes to it, as a server would that looks at its file.
func TestAPipeIsNoSecret(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip(err)
	}
	if got, err := auth.ReadSecrets(path); err == nil || !strings.Contains(err.Error(), "is no file") {
		t.Errorf("got %q, %v", got, err)
	}
}
