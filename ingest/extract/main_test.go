package extract_test

import (
	"encoding/binary"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"kyrochat/ingest/extract"
	"kyrochat/kyro"
)

// TestMain makes the test binary its own extractor, as the server is: `extract` runs it, and a second argument
// makes it misbehave.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != "extract" {
		os.Exit(m.Run())
	}
	if len(os.Args) > 2 {
		misbehave(os.Args[2])
	}
	if err := extract.Main(os.Stdin, os.Stdout); err != nil {
		_, _ = io.WriteString(os.Stderr, err.Error()+"\n")
		os.Exit(1)
	}
	os.Exit(0)
}

func misbehave(how string) {
	var head [4]byte
	receive := func() {
		_, _ = io.ReadFull(os.Stdin, head[:])
		_, _ = io.CopyN(io.Discard, os.Stdin, int64(binary.BigEndian.Uint32(head[:])))
	}
	send := func(s string) {
		binary.BigEndian.PutUint32(head[:], uint32(len(s)))
		_, _ = os.Stdout.Write(append(head[:], s...))
	}
	receive()
	switch how {
	case "crash":
		panic("out of luck")
	case "progress-then-crash":
		send(`{"progress":{"done":1,"total":2}}`)
		os.Exit(3)
	case "hang":
		time.Sleep(time.Hour)
	case "huge":
		_, _ = os.Stdout.Write([]byte{0x7f, 0xff, 0xff, 0xff})
		time.Sleep(time.Hour)
	case "long-text":
		send(`{"result":{"mimeType":"text/plain","text":"` + strings.Repeat("x", 2000) + `","blocks":[]}}`)
	case "bad-blocks":
		send(`{"result":{"mimeType":"text/plain","text":"ä","blocks":[{"kind":"paragraph","start":1,"end":2}]}}`)
	case "garbage":
		send("garbage")
	case "empty":
		send("{}")
	case "once": // serves one file and dies
		send(`{"result":{"mimeType":"text/plain","text":"once","blocks":[]}}`)
		os.Exit(0)
	case "environment":
		send(`{"result":{"mimeType":"text/plain","text":"[` + strings.Join(os.Environ(), " ") + `]","blocks":[]}}`)
	}
	time.Sleep(time.Hour)
}

func newPool(t *testing.T, limits kyro.Limits, args ...string) *extract.Pool {
	t.Helper()
	p := extract.NewPool(append([]string{os.Args[0], "extract"}, args...), limits, discard())
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// file writes a file of the test's own.
func file(t *testing.T, content []byte) string {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "file-*")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
