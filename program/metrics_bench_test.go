package program

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"

	"kyrochat/auth"
	"kyrochat/client"
	"kyrochat/config"
	"kyrochat/internal/envtest"
)

// BenchmarkMeasuring compares a server that is measured with one that is not, where most is asked of it: a query that the
// caches answer, one that takes statements, and the pieces of an answer. The two take turns, so that what else the machine
// does is the same for both; "ratio" is the median of one by that of the other.
//
//	go test -run '^$' -bench Measuring -benchtime 2000x ./program
func BenchmarkMeasuring(b *testing.B) {
	compareSides(b, [2]*measuredSide{startMeasuredSide(b, 0, hooks{}), startMeasuredSide(b, 0, hooks{unmeasured: true})})
}

// BenchmarkTracing compares a server that sends traces, to a collector that takes and drops them, with one that does not: where
// nothing of what is asked is recorded, where a tenth is, and where everything is.
//
//	go test -run '^$' -bench Tracing -benchtime 2000x ./program
func BenchmarkTracing(b *testing.B) {
	without := startMeasuredSide(b, 0, hooks{})
	for name, ratio := range map[string]float64{"none": 0, "tenth": 0.1, "all": 1} {
		with := startMeasuredSide(b, ratio, hooks{spans: dropped{}})
		b.Run(name, func(b *testing.B) { compareSides(b, [2]*measuredSide{with, without}) })
	}
}

// dropped is a collector that keeps nothing.
type dropped struct{}

func (dropped) ExportSpans(context.Context, []sdk.ReadOnlySpan) error { return nil }
func (dropped) Shutdown(context.Context) error                        { return nil }

// compareSides has both servers do what is asked most.
func compareSides(b *testing.B, sides [2]*measuredSide) {
	for _, query := range []struct{ name, text string }{
		{"cached", `{ viewer { id email name } }`},
		{"list", `{ viewer { bots(first: 20) { nodes { id name documents(first: 5) { nodes { id title } } } } } }`},
	} {
		body, err := json.Marshal(map[string]any{"query": query.text})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(query.name, func(b *testing.B) { takeTurns(b, sides, func(s *measuredSide) error { return s.post(body) }) })
	}
	b.Run("answer", func(b *testing.B) {
		takeTurns(b, sides, func(s *measuredSide) error { return s.answer(b) })
	})
}

// takeTurns has both sides do the same in turns.
func takeTurns(b *testing.B, sides [2]*measuredSide, do func(*measuredSide) error) {
	var took [2][]time.Duration
	for i := range b.N {
		for turn := range sides {
			side := (i + turn) % 2
			began := time.Now()
			if err := do(sides[side]); err != nil {
				b.Fatal(err)
			}
			took[side] = append(took[side], time.Since(began))
		}
	}
	for _, list := range took {
		slices.Sort(list)
	}
	with, without := took[0][len(took[0])/2], took[1][len(took[1])/2]
	b.ReportMetric(float64(with)/float64(without), "ratio")
	b.ReportMetric(float64(with.Nanoseconds()), "ns/with")
	b.ReportMetric(float64(without.Nanoseconds()), "ns/without")
}

// measuredSide is one of the two servers, and somebody who uses it.
type measuredSide struct {
	url, token string
	bot        string
	client     *client.Client
	asked      int
}

func startMeasuredSide(b *testing.B, traced float64, h hooks) *measuredSide {
	b.Helper()
	env := map[string]string{
		"KYRO_ADDR": "127.0.0.1:0", "KYRO_ADMIN_ADDR": "127.0.0.1:0", "KYRO_DATA_DIR": b.TempDir(), "KYRO_RATE_SCALE": "0", "KYRO_OFFLINE_PACE": "0",
		"KYRO_CACHE_TTL": "10m",
	}
	cfg, err := config.Read(envtest.Of(env))
	if err != nil {
		b.Fatal(err)
	}
	cfg.Traces.Ratio, h.hasher = traced, auth.HasherOptions{Memory: 64, Passes: 1}
	app, err := build(b.Context(), cfg, h, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	url, stop, err := app.runInBackground(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = stop() })
	s := &measuredSide{url: url}
	if s.client, err = client.New(url, client.Options{}); err != nil {
		b.Fatal(err)
	}
	s.token = s.field(b, `mutation { registerUser(input: {email: "ada@example.com", password: "correct horse battery", name: "Ada"}) { accessToken errors { code } } }`, "accessToken")
	s.client.SetToken(s.token)
	for range 20 {
		s.bot = s.field(b, `mutation { createBot(input: {name: "Helper"}) { bot { id } errors { code } } }`, "id")
	}
	text, _ := json.Marshal(strings.Repeat("The harbour rules of Lindau say much about lamps, and a little about oars and ropes of every length. ", 30))
	document := s.field(b, fmt.Sprintf(`mutation { addTextDocument(input: {botId: %q, title: "Rules", text: %s}) { document { id } errors { code } } }`, s.bot, text), "id")
	for event, err := range s.client.Subscribe(b.Context(), `subscription($d: ID!) { documentProgress(documentId: $d) { status } }`, vars{"d": document}) {
		if err != nil {
			b.Fatal(err)
		}
		_ = event
	}
	return s
}

// field asks and gives the first text of that name in what comes.
func (s *measuredSide) field(b *testing.B, query, name string) string {
	b.Helper()
	body, _ := json.Marshal(map[string]any{"query": query})
	answer, err := s.send(body)
	if err != nil {
		b.Fatal(err)
	}
	_, rest, found := strings.Cut(string(answer), `"`+name+`":"`)
	value, _, ends := strings.Cut(rest, `"`)
	if !found || !ends {
		b.Fatalf("no %s in %s", name, answer)
	}
	return value
}

func (s *measuredSide) send(body []byte) ([]byte, error) {
	req, err := http.NewRequest(http.MethodPost, s.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

func (s *measuredSide) post(body []byte) error {
	answer, err := s.send(body)
	if err == nil && bytes.Contains(answer, []byte(`"errors"`)) {
		err = fmt.Errorf("%s", answer)
	}
	return err
}

// answer asks for an answer and listens to the end of it.
func (s *measuredSide) answer(b *testing.B) error {
	s.asked++
	message := s.field(b, fmt.Sprintf(
		`mutation { sendMessage(input: {botId: %q, text: "What do the rules say about lamps?", clientMessageId: "k%d"}) { botMessage { id } errors { code } } }`, s.bot, s.asked), "id")
	for _, err := range s.client.Subscribe(b.Context(), `subscription($m: ID!) { messageStream(messageId: $m) { __typename ... on MessageDelta { text } } }`, vars{"m": message}) {
		if err != nil {
			return err
		}
	}
	return nil
}
