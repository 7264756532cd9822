package gemini

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// What goes over the wire, as far as it is emulated. A field that is not here is refused, as by the real API.

type generateRequest struct {
	Model             string            `json:"model"`
	Contents          []content         `json:"contents"`
	SystemInstruction *content          `json:"systemInstruction"`
	GenerationConfig  *generationConfig `json:"generationConfig"`
	SafetySettings    []struct {
		Category  string `json:"category"`
		Threshold string `json:"threshold"`
	} `json:"safetySettings"`
	ContinuationToken string `json:"continuationToken"`
}

type content struct {
	Role  string `json:"role,omitempty"`
	Parts []part `json:"parts,omitempty"`
}

type part struct {
	Text             *string `json:"text,omitempty"`
	Thought          bool    `json:"thought,omitempty"`
	ThoughtSignature []byte  `json:"thoughtSignature,omitempty"`
}

func (c content) text() string {
	var b strings.Builder
	for _, p := range c.Parts {
		if p.Text != nil {
			b.WriteString(*p.Text)
		}
	}
	return b.String()
}

type generationConfig struct {
	Temperature      *float64        `json:"temperature"`
	TopP             *float64        `json:"topP"`
	TopK             *float64        `json:"topK"`
	Seed             *int            `json:"seed"`
	CandidateCount   *int            `json:"candidateCount"`
	MaxOutputTokens  *int            `json:"maxOutputTokens"`
	StopSequences    []string        `json:"stopSequences"`
	ResponseMIMEType string          `json:"responseMimeType"`
	ResponseSchema   json.RawMessage `json:"responseJsonSchema"`
	ThinkingConfig   *struct {
		IncludeThoughts bool    `json:"includeThoughts"`
		ThinkingBudget  *int    `json:"thinkingBudget"`
		ThinkingLevel   *string `json:"thinkingLevel"`
	} `json:"thinkingConfig"`
}

type generateResponse struct {
	Candidates     []candidate     `json:"candidates,omitempty"`
	PromptFeedback *promptFeedback `json:"promptFeedback,omitempty"`
	Usage          usage           `json:"usageMetadata"`
	ModelVersion   string          `json:"modelVersion"`
	ResponseID     string          `json:"responseId"`
}

type candidate struct {
	Content      *content `json:"content,omitempty"`
	FinishReason string   `json:"finishReason,omitempty"`
	Index        int      `json:"index"`
	Continuation []byte   `json:"continuationToken,omitempty"`
}

type promptFeedback struct {
	BlockReason string `json:"blockReason"`
}

// usage counts from the start of the answer, in every chunk.
type usage struct {
	Prompt    int `json:"promptTokenCount"`
	Candidate int `json:"candidatesTokenCount,omitempty"`
	Thoughts  int `json:"thoughtsTokenCount,omitempty"`
	Total     int `json:"totalTokenCount"`
}

type embedRequest struct {
	Requests []struct {
		Model                string  `json:"model"`
		Content              content `json:"content"`
		TaskType             string  `json:"taskType"`
		Title                string  `json:"title"`
		OutputDimensionality *int    `json:"outputDimensionality"`
	} `json:"requests"`
}

type embedding struct {
	Values []float32 `json:"values"`
}

type countRequest struct {
	Contents               []content        `json:"contents"`
	GenerateContentRequest *generateRequest `json:"generateContentRequest"`
}

// apiError is an error of the API.
type apiError struct {
	Code    int              `json:"code"`
	Message string           `json:"message"`
	Status  string           `json:"status"`
	Details []map[string]any `json:"details,omitempty"`
}

func (a *apiError) write(w http.ResponseWriter) { writeJSON(w, a.Code, a.body()) }

func (a *apiError) body() map[string]any { return map[string]any{"error": a} }

// because adds an ErrorInfo with the reason.
func (a *apiError) because(reason string) *apiError {
	a.Details = append(a.Details, map[string]any{
		"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com",
		"metadata": map[string]any{"service": "generativelanguage.googleapis.com"},
	})
	return a
}

func invalid(format string, args ...any) *apiError {
	return &apiError{Code: http.StatusBadRequest, Status: "INVALID_ARGUMENT", Message: fmt.Sprintf(format, args...)}
}

func notFound(format string, args ...any) *apiError {
	return &apiError{Code: http.StatusNotFound, Status: "NOT_FOUND", Message: fmt.Sprintf(format, args...)}
}

// quotaError is RESOURCE_EXHAUSTED: with the quota that is used up, and how long to wait where that is told.
func quotaError(model, method string, daily bool, retry time.Duration) *apiError {
	metric, id := "generate_content_free_tier_requests", "GenerateRequestsPerMinutePerProjectPerModel"
	if method == "batchEmbedContents" {
		metric, id = "embed_content_free_tier_requests", "EmbedContentRequestsPerMinutePerProjectPerModel"
	}
	if daily {
		id = strings.Replace(id, "PerMinute", "PerDay", 1)
	}
	a := &apiError{Code: http.StatusTooManyRequests, Status: "RESOURCE_EXHAUSTED",
		Message: "You exceeded your current quota, please check your plan and billing details."}
	a.Details = append(a.Details, map[string]any{
		"@type": "type.googleapis.com/google.rpc.QuotaFailure",
		"violations": []map[string]any{{
			"quotaMetric": "generativelanguage.googleapis.com/" + metric, "quotaId": id,
			"quotaDimensions": map[string]string{"location": "global", "model": model}, "quotaValue": "10",
		}},
	})
	if retry > 0 {
		a.Details = append(a.Details, map[string]any{
			"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": fmt.Sprintf("%gs", retry.Seconds()),
		})
	}
	return a
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the client may be gone
}

// maxBody bounds a request, as the real API does.
const maxBody = 20 << 20

var unknownField = regexp.MustCompile(`unknown field "([^"]*)"`)

// readJSON reads a body by the letter: one value, without unknown fields.
func readJSON(r *http.Request, into any) *apiError {
	d := json.NewDecoder(http.MaxBytesReader(nil, r.Body, maxBody))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		if _, more := d.Token(); more != io.EOF {
			err = fmt.Errorf("unexpected token after the end")
		}
	}
	if err == nil {
		return nil
	}
	if m := unknownField.FindStringSubmatch(err.Error()); m != nil {
		return invalid("Invalid JSON payload received. Unknown name %q: Cannot find field.", m[1])
	}
	return invalid("Invalid JSON payload received. %v", err)
}
