package folder_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kyrochat/export/folder"
	"kyrochat/kyro"
)

// TestFolderThatIsGone: a disk that was taken away is told by everything that wants something of it, in words that say what
// was wanted; an export is then not said to be missing.
func TestFolderThatIsGone(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "exports")
	f, err := folder.Open(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	file, err := f.Create()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	for wanted, do := range map[string]func() error{
		"look for exports that were cut off": f.Sweep,
		"open a file for an export":          func() error { _, err := f.Create(); return err },
		"keep the file of export_1":          func() error { return f.Keep(file, kyro.ExportID(1)) },
		"list the files of exports":          func() error { _, err := f.Kept(time.Now()); return err },
	} {
		if err := do(); err == nil || !strings.Contains(err.Error(), wanted) {
			t.Errorf("%s: %v", wanted, err)
		}
	}
	f.Discard(file)
	if err := f.Remove(kyro.ExportID(1)); err != nil {
		t.Errorf("remove: %v", err)
	}
}

// TestFolderThatIsAFile: what lies where the folder should be is told when the server starts, and when it is asked for.
func TestFolderThatIsAFile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "exports")
	f, err := folder.Open(name, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := folder.Open(name, true); err == nil || !strings.Contains(err.Error(), "make the folder of exports") {
		t.Errorf("opened: %v", err)
	}
	if _, err := f.Open(kyro.ExportID(1)); err == nil || kyro.ErrorCode(err) == kyro.CodeNotFound {
		t.Errorf("an export: %v", err)
	}
	if err := f.Remove(kyro.ExportID(1)); err == nil || !strings.Contains(err.Error(), "remove the file of export_1") {
		t.Errorf("removed: %v", err)
	}
}
