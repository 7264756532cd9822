package operator

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestGoesLiveAsAWhole: a database of which something is in its log yet does not go live without it.
func TestGoesLiveAsAWhole(t *testing.T) {
	t.Parallel()
	for log, want := range map[string]bool{"a page": false, "": true} {
		dir := t.TempDir()
		tmp := filepath.Join(dir, restoreFolder)
		if err := os.MkdirAll(filepath.Join(tmp, "files"), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, content := range map[string]string{"kyro.db": "pages", "kyro.db-wal": log} {
			if err := os.WriteFile(filepath.Join(tmp, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		live, err := goLive(dir)
		if live != want || (err == nil) != want {
			t.Errorf("with %q in its log: %v, %v", log, live, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "kyro.db")); errors.Is(err, fs.ErrNotExist) == want {
			t.Errorf("with %q in its log it is in its place: %v", log, err)
		}
	}
}
