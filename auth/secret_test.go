package auth_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"kyrochat/auth"
)

// Secrets of the tests; random, and used nowhere else.
const (
	secretA = "vQ8mZr2Lx0TfKc7WnYp4Hs9JdGb3Ae6U"
	secretB = "r5XoPq1NwEt8MbVz2LcKy7RfJg4Hd0Su"
)

func TestCheckSecret(t *testing.T) {
	t.Parallel()
	for name, secret := range map[string]string{
		"empty": "", "one byte short": secretA[1:], "sample": "ChangeMe-" + secretA, "one character": strings.Repeat("x", 64),
		"repeated piece": strings.Repeat("kT7#pQ2m", 5), "few characters": "abacabadabacabaeabacabadabacabaf",
	} {
		err := auth.CheckSecret(secret)
		if err == nil {
			t.Errorf("%s: accepted", name)
		} else if secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: the message holds the secret", name)
		}
	}
	for _, secret := range []string{secretA, secretB, "4f1e9b07c2d85a36e0b7194dfc62a835"} {
		if err := auth.CheckSecret(secret); err != nil {
			t.Errorf("%s: %v", secret, err)
		}
	}
}

func TestLoadOrCreateSecret(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	const callers = 8
	secrets := make([]string, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			var err error
			if secrets[i], err = auth.LoadOrCreateSecret(path); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, s := range secrets {
		if s == "" || s != secrets[0] {
			t.Fatalf("secrets differ: %q", secrets)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".secret-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLoadSecretRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, path := range []string{
		write("readable", secretA, 0o644), write("weak", "short", 0o600), write("empty", "", 0o600),
		filepath.Join(dir, "missing", "secret"),
	} {
		if secret, err := auth.LoadOrCreateSecret(path); err == nil {
			t.Errorf("%s: got %q", path, secret)
		}
	}
}
