package auth_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"kyrochat/auth"
)

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask says
		t.Fatal(err)
	}
	return path
}

func TestLoadOrCreateSecrets(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	const callers = 8
	secrets := make([]string, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			list, err := auth.LoadOrCreateSecrets(path)
			if err != nil || len(list) != 1 {
				t.Error(list, err)
				return
			}
			secrets[i] = list[0]
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

func TestSecretsOfAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secret")
	for name, text := range map[string]string{
		"one a line":          secretA + "\n" + secretB + "\n" + secretC,
		"separated by commas": secretA + "," + secretB + ", " + secretC + ",\n",
		"both":                " " + secretA + "\r\n\r\n" + secretB + "," + secretC + "\n\n",
		"with notes":          "# of this server\n" + secretA + "\n  # signed until yesterday\n" + secretB + "\n#" + secretA + "\n" + secretC,
	} {
		for _, mode := range []os.FileMode{0o600, 0o400, 0o640, 0o440} {
			got, err := auth.ReadSecrets(write(t, path, text, mode))
			if err != nil || !slices.Equal(got, []string{secretA, secretB, secretC}) {
				t.Errorf("%s, mode %04o: %q, %v", name, mode, got, err)
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestSecretFilesThatAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct{ path, want string }{
		{write(t, in("readable"), secretA, 0o644), "run chmod 600"},
		{write(t, in("writable"), secretA, 0o660), "run chmod 600"},
		{write(t, in("open"), secretA, 0o604), "run chmod 600"},
		{write(t, in("weak"), "short", 0o600), "needs at least 32"},
		{write(t, in("second"), secretA+"\nkyrochat-kyrochat-kyrochat-kyrochat", 0o600), "secret 2"},
		{write(t, in("empty"), " \n", 0o600), "no secret"},
		{write(t, in("notes"), "# nothing\n", 0o600), "no secret"},
		{write(t, in("large"), strings.Repeat("# a note\n", 10_000)+secretA, 0o600), "too large"},
		{dir, "is no file"},
		{in("missing/secret"), "no such file"},
	} {
		list, err := auth.LoadOrCreateSecrets(c.path)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %q, %v, want %q", c.path, list, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), secretA) || strings.Contains(err.Error(), "kyrochat-kyrochat-k")) {
			t.Errorf("%s: the message holds the secret: %v", c.path, err)
		}
	}
}
