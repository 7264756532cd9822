package trace_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kyrochat/kyro"
	"kyrochat/trace"
)

// TestReachIsWhatACollectorTakes: a message without spans at the path of spans, with the headers.
func TestReachIsWhatACollectorTakes(t *testing.T) {
	t.Parallel()
	const secret = "canary8Vw8qLr3ZtYb6"
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-protobuf" || r.ContentLength > 0:
			w.WriteHeader(http.StatusBadRequest)
		case r.URL.Path != "/otlp/v1/traces":
			http.Redirect(w, r, "/otlp/v1/traces", http.StatusTemporaryRedirect)
		case r.Header.Get("X-Key") != secret:
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer collector.Close()
	headers := map[string]kyro.Secret{"x-key": secret}
	for _, c := range []struct {
		endpoint string
		headers  map[string]kyro.Secret
		want     int
	}{{collector.URL + "/otlp/", headers, 200}, {collector.URL + "/otlp", nil, 401}, {collector.URL, headers, 307}} {
		if got, err := trace.Reach(t.Context(), trace.Config{Endpoint: c.endpoint, Headers: c.headers}); err != nil || got != c.want {
			t.Errorf("%s: %d, %v", c.endpoint, got, err)
		}
	}
	collector.Close()
	_, err := trace.Reach(t.Context(), trace.Config{Endpoint: collector.URL, Headers: headers})
	if err == nil || strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "refused") {
		t.Error(err)
	}
}
