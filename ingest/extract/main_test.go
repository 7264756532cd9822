package extract_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kyrochat/ingest/extract"
	"kyrochat/kyro"
)

// TestMain makes the test binary its own extractor, as the server is: `extract` runs it, and a second argument
// makes it misbehave.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != "extract" {
		goleak.VerifyTestMain(m) // which ends the process
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
	result := func(blocks, text string) {
		send(fmt.Sprintf(`{"result":{"mimeType":"text/plain","blocks":%s},"textBytes":%d}`, blocks, len(text)))
		_, _ = os.Stdout.WriteString(text)
	}
	receive()
	switch how {
	case "crash":
		panic("out of luck")
	case "progress-then-crash":
		send(`{"progress":{"done":1,"total":2}}`)
		os.Exit(3)
	case "stall": // before it comes to the file
		for begin := time.Now(); time.Since(begin) < time.Hour; {
		}
	case "hang":
		send(`{"begun":true}`)
		time.Sleep(time.Hour)
	case "spin":
		send(`{"begun":true}`)
		for begin := time.Now(); time.Since(begin) < time.Hour; {
		}
	case "huge":
		_, _ = os.Stdout.Write([]byte{0x7f, 0xff, 0xff, 0xff})
		time.Sleep(time.Hour)
	case "long-text":
		result(`[]`, strings.Repeat("x", 2000))
	case "bad-blocks":
		result(`[{"kind":"paragraph","start":1,"end":2}]`, "ä")
	case "garbage":
		send("garbage")
	case "empty":
		send("{}")
	case "once": // serves one file and dies
		result(`[]`, "once")
		os.Exit(0)
	case "environment":
		result(`[]`, "["+strings.Join(os.Environ(), " ")+"]")
	case "taken-over":
		var a aims
		if err := json.Unmarshal([]byte(os.Args[3]), &a); err != nil {
			panic(err)
		}
		result(`[]`, attempt(a))
	case "half-a-text":
		send(`{"result":{"mimeType":"text/plain","blocks":[]},"textBytes":500}`)
		os.Exit(0)
	case "fat":
		var kept [][]byte
		for range 1_000 {
			kept = append(kept, bytes.Repeat([]byte{1}, 1<<20))
			time.Sleep(time.Millisecond)
		}
		result(`[]`, fmt.Sprint(len(kept)))
	case "bad-pages":
		send(`{"result":{"mimeType":"text/plain","blocks":[],"pages":1,"pageChars":[1,2]}}`)
	case "no-utf8":
		result(`[]`, "a\xffb")
	case "nul":
		result(`[]`, "a\x00b")
	case "not-composed":
		result(`[]`, "a\u0301")
	case "unseen":
		result(`[]`, "a\U000E0041b")
	case "odd-block":
		result(`[{"kind":"script","start":0,"end":1}]`, "a")
	case "block-of-no-page":
		result(`[{"kind":"paragraph","start":0,"end":1,"page":7}]`, "a")
	case "negative-pages":
		send(`{"result":{"blocks":[],"pages":-1}}`)
	case "odd-warning":
		send(`{"result":{"blocks":[],"warnings":[{"code":"<b>","message":"x"}]}}`)
	case "warning-of-no-page":
		send(`{"result":{"blocks":[],"warnings":[{"code":"A_CODE","message":"x","page":-3}]}}`)
	case "endless-progress":
		for {
			send(`{"progress":{"done":1,"total":1}}`)
		}
	case "more-done-than-there-is":
		send(`{"progress":{"done":2,"total":1}}`)
	case "run-is-over":
		send(`{"failure":{"code":"CONFLICT","message":"x"}}`)
	case "come-again":
		send(`{"failure":{"code":"UNAVAILABLE","message":"x"}}`)
	case "silent-failure":
		send(`{"failure":{"code":"VALIDATION","message":"\u0000"}}`)
	case "long-story":
		send(`{"failure":{"code":"VALIDATION","message":"` + strings.Repeat(`a\r\n\u202e`, 20_000) + `"}}`)
	case "tall-tales":
		send(`{"result":{"mimeType":"text/html","title":"` + strings.Repeat(`t\u0007`, 20_000) + `","blocks":[],"warnings":[{"code":"A_CODE","message":"` +
			strings.Repeat(`w\n`, 20_000) + `"}]}}`)
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
