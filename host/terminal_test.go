package host_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"kyrochat/host"
)

// TestNobodyLooks at a file, a pipe, the device that throws everything away, or what is no file at all.
func TestNobodyLooks(t *testing.T) {
	t.Parallel()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = null.Close() }()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = read.Close(), write.Close() }()
	for name, stream := range map[string]any{"a file": file, "the null device": null, "a pipe": write, "its other end": read, "a buffer": new(bytes.Buffer), "nothing": nil} {
		if terminal, is := host.Terminal(stream); is || terminal != nil {
			t.Errorf("%s is taken for a terminal", name)
		}
	}
}
