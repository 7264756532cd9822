package host_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"runtime"
	"testing"

	"kyrochat/host"
)

func TestSyncFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := host.SyncFolder(dir); err != nil {
		t.Error(err)
	}
	if err := host.SyncFolder(filepath.Join(dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) && runtime.GOOS != "windows" {
		t.Errorf("of a folder that is not there: %v", err)
	}
}
