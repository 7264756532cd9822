package folder_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kyrochat/export/folder"
	"kyrochat/kyro"
)

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "exports")
	f, err := folder.Open(dir, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Open(kyro.ExportID(1)); kyro.ErrorCode(err) != kyro.CodeNotFound {
		t.Errorf("of nothing: %v", err)
	}
	keep := func(text string) {
		t.Helper()
		file, err := f.Create()
		if err != nil {
			t.Fatal(err)
		}
		defer f.Discard(file)
		if _, err := file.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if err := f.Keep(file, kyro.ExportID(1)); err != nil {
			t.Fatal(err)
		}
	}
	keep("first")
	keep("second") // in its place
	file, err := f.Open(kyro.ExportID(1))
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(file)
	_ = file.Close()
	if string(text) != "second" {
		t.Errorf("it is %q", text)
	}
	if info, _ := os.Stat(filepath.Join(dir, "1")); info.Mode().Perm() != 0o600 {
		t.Errorf("others may read it: %v", info.Mode())
	}
	for before, want := range map[time.Time]int{time.Now().Add(time.Hour): 1, time.Now().Add(-time.Hour): 0} {
		if ids, err := f.Kept(before); err != nil || len(ids) != want {
			t.Errorf("before %v: %v, %v", before, ids, err)
		}
	}
	for range 2 {
		if err := f.Remove(kyro.ExportID(1)); err != nil {
			t.Error(err)
		}
	}

	// What a crash cut off goes at the next start; that of others once it is old.
	cut, err := f.Create()
	if err != nil {
		t.Fatal(err)
	}
	_ = cut.Close()
	for _, c := range []struct {
		alone bool
		age   time.Duration
		gone  bool
	}{{false, 0, false}, {false, 2 * time.Hour, true}, {true, 0, true}} {
		if err := os.WriteFile(cut.Name(), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		at := time.Now().Add(-c.age)
		if err := os.Chtimes(cut.Name(), at, at); err != nil {
			t.Fatal(err)
		}
		if _, err := folder.Open(dir, c.alone); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(cut.Name()); os.IsNotExist(err) != c.gone {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// TestSweep: what a process left that was killed goes where others use the folder, too, once it is old; what is being made here
// stays, however long nothing was written.
func TestSweep(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	leave := func(age time.Duration) string {
		t.Helper()
		killed, err := folder.Open(dir, false)
		if err != nil {
			t.Fatal(err)
		}
		file, err := killed.Create()
		if err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
		at := time.Now().Add(-age)
		if err := os.Chtimes(file.Name(), at, at); err != nil {
			t.Fatal(err)
		}
		return file.Name()
	}
	there := func(name string) bool {
		_, err := os.Stat(name)
		return err == nil
	}
	f, err := folder.Open(dir, false)
	if err != nil {
		t.Fatal(err)
	}
	for name, sweep := range map[string]func() error{
		"the sweep": f.Sweep,
		"the next file": func() error {
			file, err := f.Create()
			if err == nil {
				f.Discard(file)
			}
			return err
		},
	} {
		mine, err := f.Create()
		if err != nil {
			t.Fatal(err)
		}
		long := time.Now().Add(-2 * time.Hour)
		fresh, old := leave(time.Minute), leave(2*time.Hour) // in this order: the first would remove the second
		if err := errors.Join(os.Chtimes(mine.Name(), long, long), sweep()); err != nil {
			t.Fatal(err)
		}
		if there(old) || !there(fresh) || !there(mine.Name()) {
			t.Errorf("by %s: old %t, fresh %t, being made %t", name, there(old), there(fresh), there(mine.Name()))
		}
		f.Discard(mine)
		if there(mine.Name()) {
			t.Errorf("by %s: what is discarded stays", name)
		}
	}
}
