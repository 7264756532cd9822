package extract_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"kyrochat/ingest/extract"
	"kyrochat/kyro"
)

func TestChildIsConfined(t *testing.T) {
	t.Parallel()
	p := newPool(t, kyro.DefaultLimits())
	if _, err := p.Extract(t.Context(), kyro.Original{Path: file(t, []byte("x")), MimeType: extract.Plain}, nil); err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Children()[0]))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(status), "NoNewPrivs:\t1") {
		t.Errorf("it may gain rights:\n%s", status)
	}
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.Children()[0]))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"Max open files": "32 32", "Max file size": "67108864 67108864", "Max core file size": "0 0", "Max address space": "4294967296 4294967296",
	} {
		found := ""
		for line := range strings.Lines(string(limits)) {
			if rest, ok := strings.CutPrefix(line, name); ok {
				fields := strings.Fields(rest)
				found = fields[0] + " " + fields[1]
			}
		}
		if found != want {
			t.Errorf("%s: %q, want %q", name, found, want)
		}
	}
}
