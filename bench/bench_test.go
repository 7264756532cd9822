package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/testdb"
)

// TestMain lets the test binary be the hand-written servers and the upstream too.
func TestMain(m *testing.M) {
	serve, found := map[string]func(context.Context, io.Reader, io.Writer) error{
		baselineArgument: serveByHand, relayArgument: serveRelay, upstreamArgument: serveUpstream,
	}[os.Args[len(os.Args)-1]]
	if !found || len(os.Args) != 2 {
		os.Exit(m.Run())
	}
	if serve(context.Background(), os.Stdin, os.Stdout) != nil {
		os.Exit(1)
	}
}

// TestBothSidesGiveTheSame runs everything once, briefly: the answers are compared, and the page has all its figures.
func TestBothSidesGiveTheSame(t *testing.T) {
	t.Parallel()
	file, profiles := filepath.Join(t.TempDir(), "page.md"), t.TempDir()
	var out bytes.Buffer
	err := run(t.Context(), []string{
		"-database", testdb.PostgresURL(t), "-people", "2", "-connections", "3", "-duration", "50ms", "-rounds", "2",
		"-o", file, "-profile", profiles,
	}, &out, t.Output()) // which processes may write to at once
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range queries {
		if !strings.Contains(string(page), "**"+q.name+"**: ") {
			t.Errorf("the page does not speak of %s:\n%s", q.name, page)
		}
	}
	if n := strings.Count(string(page), "| ratio |"); n != len(queries) {
		t.Errorf("the page has %d ratios, want %d:\n%s", n, len(queries), page)
	}
	if saved, _ := filepath.Glob(filepath.Join(profiles, "nested-3-*.pprof")); len(saved) != 4 {
		t.Errorf("saved profiles of the nested query: %v", saved)
	}
}

// TestStreamsAreExactAndCounted runs a few streams, briefly, on both sides.
func TestStreamsAreExactAndCounted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := run(t.Context(), []string{"-database", testdb.PostgresURL(t), "-streams=6x100-2,4x100+documents+once,5x0", "-rounds", "1", "-latency", "20ms"}, &out, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	page := out.String()
	for _, want := range []string{
		"**6 streams of 100 tokens/s, of which 2 never read**", "**4 streams of 100 tokens/s, bots with documents, all begun at once**", "**5 idle sockets**",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %s:\n%s", want, page)
		}
	}
	exact := 0
	for line := range strings.Lines(page) {
		cells := strings.Split(strings.TrimSpace(line), "|")
		if len(cells) < 11 || cells[1] != " KyroChat " && cells[1] != " relay " {
			continue
		}
		if strings.TrimSpace(cells[len(cells)-2]) != "0.00" {
			t.Errorf("a side was not exact: %s", line)
		}
		exact++
	}
	if exact != 4 {
		t.Errorf("the page has %d rows of streams:\n%s", exact, page)
	}
}

func TestConnectionReadsWholeAnswers(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("many words ", 20_000)
	mux := http.NewServeMux()
	mux.HandleFunc("/short", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("short")) })
	mux.HandleFunc("/long", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(long)) }) // in chunks
	mux.HandleFunc("/empty", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/bye", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Connection", "close") })
	server := httptest.NewServer(mux)
	defer server.Close()
	address := strings.TrimPrefix(server.URL, "http://")
	c, err := connect(address, time.Now().Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	ask := func(path string) (string, error) {
		body, err := c.do([]byte("GET " + path + " HTTP/1.1\r\nHost: " + address + "\r\n\r\n"))
		return string(body), err
	}
	for range 2 {
		for path, want := range map[string]string{"/short": "short", "/long": long, "/empty": ""} {
			if got, err := ask(path); err != nil || got != want {
				t.Errorf("%s: %d bytes, %v", path, len(got), err)
			}
		}
	}
	if _, err := ask("/nowhere"); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("a missing page: %v", err)
	}
	if _, err := ask("/bye"); err == nil {
		t.Error("a connection that ends passes for one that stays")
	}
}

func TestDataIsComparedByMeaning(t *testing.T) {
	t.Parallel()
	graphQL := `{"data": {"bot": {"name": "<b>\u00e9", "id": "bot_1"}}, "extensions": {"cost": 3}}`
	a, err1 := normal([]byte(graphQL), true)
	b, err2 := normal([]byte(`{"bot":{"id":"bot_1","name":"<b>é"}}`), false)
	if err1 != nil || err2 != nil || !bytes.Equal(a, b) {
		t.Errorf("%s and %s, %v, %v", a, b, err1, err2)
	}
	for _, wrong := range []string{`{"data": null, "errors": [{"message": "no"}]}`, `{"data": null}`, `{`} {
		if data, err := normal([]byte(wrong), true); err == nil {
			t.Errorf("%s passes as %s", wrong, data)
		}
	}
}

func TestStringsAreWrittenAsJSON(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "plain", `"quoted" \ back`, "line\nline\r\ttab\x00\x1f\x7f", "é 漢 🙂 \u2028"} {
		var back string
		if err := json.Unmarshal(appendString(nil, s), &back); err != nil || back != s {
			t.Errorf("%q comes back as %q, %v", s, back, err)
		}
	}
}

func TestRatiosAreOfRounds(t *testing.T) {
	t.Parallel()
	c := cell{samples: [2][]sample{{{10}, {100}, {30}}, {{20}, {100}, {120}}}}
	if got := c.ratio(throughput); got != 0.5 {
		t.Errorf("the ratio is %v", got)
	}
	if got := c.median(1, throughput); got != 100 {
		t.Errorf("the median is %v", got)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("the median of four is %v", got)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"-queries nothing", "-connections 0", "-connections x", "-rounds 0", "-pool 2", "more", "-streams=100", "-streams=10x20-10", "-streams=0x20", "-streams=10x20+more", "-latency -1s"} {
		if _, err := readOptions(strings.Fields(wrong), new(bytes.Buffer)); err == nil {
			t.Errorf("%s is taken", wrong)
		}
	}
	o, err := readOptions([]string{"-queries", "list, nested", "-connections", "2"}, new(bytes.Buffer))
	if err != nil || len(o.queries) != 2 || o.queries[1].name != "nested" || len(o.connections) != 1 {
		t.Errorf("%+v, %v", o, err)
	}
}
