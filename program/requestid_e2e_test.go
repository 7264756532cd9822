package program

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"kyrochat/client"
)

// TestRequestIDsAgree: the id that a client is told with an error is the one in the header, and every line of the log that was
// written for the request has it.
func TestRequestIDsAgree(t *testing.T) {
	t.Parallel()
	log := &journal{}
	s := startServerWriting(t, map[string]string{"KYRO_LOG_FORMAT": "json", "KYRO_LOG_LEVEL": "info"}, log)
	p := s.signUp(t)
	s.exec(t, "ALTER TABLE bots RENAME TO bots_away") // nothing of ours can go wrong so
	const query = `{ viewer { bots { nodes { id } } } }`

	ids := map[string]string{}
	for name, accept := range map[string]string{"http": "application/json", "sse": "text/event-stream"} {
		body, _ := json.Marshal(map[string]any{"query": query})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/graphql", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Accept", accept)
		req.Header.Set("Authorization", "Bearer "+p.token)
		req.Header.Set("X-Request-Id", "chosen-by-the-client")
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		_, told, _ := strings.Cut(string(text), `"requestId":"`)
		told, _, _ = strings.Cut(told, `"`)
		if told == "" || told != res.Header.Get("X-Request-Id") || told == "chosen-by-the-client" || !strings.Contains(string(text), "INTERNAL") {
			t.Errorf("%s: the header says %q, the error %s", name, res.Header.Get("X-Request-Id"), text)
		}
		ids[name] = told
	}
	for _, err := range p.api().Subscribe(t.Context(), query, nil) {
		if failed, told := errors.AsType[*client.Error](err); told {
			ids["websocket"] = failed.Extensions.RequestID
		}
	}

	logged := map[string]int{}
	for line := range strings.Lines(log.String()) {
		var entry struct {
			Msg, RequestID string
		}
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("no JSON: %s", line)
		}
		if entry.Msg == "request failed" {
			if entry.RequestID == "" {
				t.Errorf("an error without the request: %s", line)
			}
			if strings.Count(line, `"requestId"`) != 1 {
				t.Errorf("told twice: %s", line)
			}
			logged[entry.RequestID]++
		}
	}
	for transport, id := range ids {
		if id == "" || logged[id] == 0 {
			t.Errorf("%s told %q, which is not in the log: %v", transport, id, logged)
		}
	}
	if len(ids) != 3 || len(logged) != 3 {
		t.Errorf("three requests told %v, and the log has %v", ids, logged)
	}
}
