package ai_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kyrochat/ai"
)

// TestExamineBehindAGateway: one that passes questions on and nothing else tells of no model, which is told apart from a model that
// Gemini does not know; the embedding is tried in any case.
func TestExamineBehindAGateway(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refuse func(w http.ResponseWriter)
		want   ai.Trouble
		dims   int
	}{
		"a gateway": {func(w http.ResponseWriter) { http.Error(w, "no such route", http.StatusNotFound) }, ai.TroubleUntold, 128},
		"one that speaks JSON": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusMethodNotAllowed)
			_, _ = w.Write([]byte(`{"detail": "Method Not Allowed"}`))
		}, ai.TroubleUntold, 128},
		"Gemini": {func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"error": {"code": 404, "message": "models/x is not found for API version v1beta.", "status": "NOT_FOUND"}}`))
		}, ai.TroubleModel, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					c.refuse(w)
					return
				}
				if !strings.Contains(r.URL.Path, "mbedContent") {
					t.Errorf("asked for %s", r.URL.Path)
				}
				w.Header().Set("Content-Type", "application/json")
				values := `{"values": [1` + strings.Repeat(", 0", 127) + `]}`
				_, _ = w.Write([]byte(`{"embedding": ` + values + `, "embeddings": [` + values + `]}`))
			}))
			defer server.Close()
			answers, embeddings, err := ai.ExamineGemini(t.Context(), ai.GeminiConfig{APIKey: "key", URL: server.URL, Model: "x", EmbeddingModel: "y", EmbeddingDims: 128})
			if err != nil || answers.Trouble != c.want || embeddings.Dims != c.dims || (embeddings.Trouble == ai.TroubleNone) != (c.dims > 0) {
				t.Errorf("%+v, %+v, %v", answers, embeddings, err)
			}
		})
	}
}
