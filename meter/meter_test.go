package meter

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
)

// scrape gives what a Prometheus would get.
func scrape(t *testing.T, m *Meter) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	text, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("status %d, %v: %s", w.Code, err, text)
	}
	return string(text)
}

func wantLines(t *testing.T, text string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(text, "\n"+line+"\n") {
			t.Errorf("there is no %q", line)
		}
	}
}

func TestWhatIsToldIsShown(t *testing.T) {
	t.Parallel()
	m := New()
	m.Operation("viewer", "http", "OK", 20*time.Millisecond, false)
	m.Operation("messageStream", "sse", "OK", time.Hour, true)
	m.Statement("SELECT", time.Millisecond, true)
	grounded, first, whole := kyro.Grounded, 120, 2300
	m.Answered(kyro.Outcome{
		FinishReason: kyro.FinishStop, Grounding: &grounded,
		Usage: &kyro.MessageUsage{PromptTokens: 70, OutputTokens: 7, TimeToFirstTokenMs: &first, DurationMs: &whole},
	})
	m.Answered(kyro.Outcome{FinishReason: kyro.FinishInterrupted}) // of a process that is gone
	text := scrape(t, m)
	wantLines(t, text,
		`kyrochat_operations_total{code="OK",operation="viewer",transport="http"} 1`,
		`kyrochat_operations_total{code="OK",operation="messageStream",transport="sse"} 1`,
		`kyrochat_operation_duration_seconds_bucket{operation="viewer",le="0.025"} 1`,
		`kyrochat_operation_duration_seconds_bucket{operation="viewer",le="0.01"} 0`,
		`kyrochat_sql_errors_total{statement="SELECT"} 1`,
		`kyrochat_answers_total{finish_reason="STOP",grounding="GROUNDED"} 1`,
		`kyrochat_answers_total{finish_reason="INTERRUPTED",grounding="NONE"} 1`,
		`kyrochat_answer_tokens_total{direction="prompt"} 70`, `kyrochat_answer_tokens_total{direction="output"} 7`,
		`kyrochat_answer_first_token_seconds_sum 0.12`, `kyrochat_answer_duration_seconds_sum 2.3`, `kyrochat_answer_duration_seconds_count 1`,
	)
	if strings.Contains(text, `kyrochat_operation_duration_seconds_count{operation="messageStream"}`) {
		t.Error("the time of a subscription is among those of queries")
	}
}

func TestLooks(t *testing.T) {
	t.Parallel()
	m := New()
	asked := 0
	var away error
	m.Look(Sources{
		Connections: func() (int, int, int) { return 3, 2, 9 },
		Answers:     func() (int, int) { return 4, 1 },
		Caches:      func() []Cache { return []Cache{{"bot", 10, 2}} },
		Pools: func() []Pool {
			return []Pool{{Name: "postgres", Max: 16, InUse: 5, Idle: 6, Waits: 7, Waited: 1500 * time.Millisecond}}
		},
		Breakers: func() []Breaker { return []Breaker{{"gemini", "answers", "open"}} },
		Jobs: func(ctx context.Context) ([]Jobs, error) {
			asked++
			if _, limited := ctx.Deadline(); !limited {
				t.Error("a scrape may wait for ever")
			}
			return []Jobs{{"ingest", "available", 12, 90 * time.Second}, {"ingest", "running", 4, time.Hour}}, away
		},
	})
	text := scrape(t, m)
	wantLines(t, text,
		`kyrochat_connections{transport="websocket"} 3`, `kyrochat_connections{transport="sse"} 2`, `kyrochat_websocket_operations 9`,
		`kyrochat_answers_running 4`, `kyrochat_answers_waiting 1`,
		`kyrochat_cache_requests_total{cache="bot",result="hit"} 10`, `kyrochat_cache_requests_total{cache="bot",result="miss"} 2`,
		`kyrochat_pool_connections{pool="postgres",state="in_use"} 5`, `kyrochat_pool_wait_seconds_total{pool="postgres"} 1.5`,
		`kyrochat_breaker_state{state="open",upstream="gemini",way="answers"} 1`,
		`kyrochat_breaker_state{state="closed",upstream="gemini",way="answers"} 0`,
		`kyrochat_jobs{kind="ingest",state="available"} 12`, `kyrochat_job_oldest_available_seconds{kind="ingest"} 90`,
		`kyrochat_look_failures_total{of="jobs"} 0`,
	)
	if scrape(t, m); asked != 1 {
		t.Errorf("the database was asked %d times for two scrapes at once", asked)
	}

	away = errors.New("away")
	m.looked.readAt = time.Now().Add(-time.Minute)
	text = scrape(t, m)
	if strings.Contains(text, "\nkyrochat_jobs{") {
		t.Error("what was read before an outage is shown as if it were so now")
	}
	scrape(t, m)
	away = nil // a scrape may count its own failure or not, as it collects all at once
	wantLines(t, scrape(t, m), `kyrochat_connections{transport="websocket"} 3`, `kyrochat_look_failures_total{of="jobs"} 2`)
}
