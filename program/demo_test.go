package program

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"kyrochat/command"
)

func TestDemoArguments(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "guide.txt")
	if err := os.WriteFile(file, []byte("The harbour"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string // in the error
	}{
		{nil, "at least one file"},
		{[]string{"-ask", "Q"}, "at least one file"},
		{[]string{file, "-ask"}, "needs an argument"},
		{[]string{file, "-ask", " "}, "question is empty"},
		{[]string{file, "-what"}, "-what"},
		{[]string{file, filepath.Join(t.TempDir(), "none.txt")}, "there is no file"},
		{[]string{t.TempDir()}, "is a folder"},
		{[]string{"--", "-ask"}, "there is no file -ask"},
		{[]string{os.DevNull}, "not an ordinary file"},
	} {
		_, err := parseDemo(c.args)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.args, err, c.want)
		}
	}
	if o, err := parseDemo([]string{"-ask", "Q", file, "-ask", "R", "--", file}); err != nil || !slices.Equal(o.Files, []string{file, file}) || !slices.Equal(o.Questions, []string{"Q", "R"}) {
		t.Errorf("%+v, %v", o, err)
	}
	settings := func(string) string { return "" }
	var out bytes.Buffer
	if err := showDemo(t.Context(), []string{"-h"}, settings, nil, &out, io.Discard); err != nil || out.String() != demoUsage {
		t.Errorf("-h: %v, %q", err, out.String())
	}
	if err := showDemo(t.Context(), nil, settings, nil, io.Discard, io.Discard); command.Status(err) != 2 || !strings.Contains(err.Error(), "usage: kyrochat demo") {
		t.Errorf("a line without files: %d, %v", command.Status(err), err)
	}
}
