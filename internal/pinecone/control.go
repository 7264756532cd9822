package pinecone

import (
	"cmp"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
)

// control is the control plane, with the admin paths beside it.
func (e *Emulator) control() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /indexes", e.asked("ListIndexes", e.listIndexes))
	mux.Handle("POST /indexes", e.asked("CreateIndex", e.createIndex))
	mux.Handle("GET /indexes/{name}", e.asked("DescribeIndex", e.describeIndex))
	mux.HandleFunc("POST /_emulator/script", e.takeScript)
	mux.HandleFunc("GET /_emulator/calls", e.giveCalls)
	mux.HandleFunc("DELETE /_emulator/calls", func(w http.ResponseWriter, _ *http.Request) {
		e.Forget()
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

// asked notes a request, checks its key, and lets the script have its say.
func (e *Emulator) asked(method string, do http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.note(Call{Method: method, Index: r.PathValue("name")})
		e.mu.Lock()
		away := e.script.Away
		e.mu.Unlock()
		if away {
			panic(http.ErrAbortHandler) // cuts the connection
		}
		if r.Header.Get("Api-Key") != e.APIKey {
			refuse(w, http.StatusUnauthorized, "UNAUTHENTICATED", "Invalid API Key")
			return
		}
		f := e.fault(method)
		f.wait(r.Context())
		switch {
		case f.Cut:
			panic(http.ErrAbortHandler)
		case f.Hang:
			<-r.Context().Done()
		case f.Code != "":
			code, _ := codeOf(f.Code)
			refuse(w, statusOf(code), wireName(code), cmp.Or(f.Message, "scripted misbehaviour"))
		default:
			do(w, r)
		}
	})
}

func (e *Emulator) listIndexes(w http.ResponseWriter, _ *http.Request) {
	e.mu.Lock()
	names := slices.Sorted(maps.Keys(e.indexes))
	e.mu.Unlock()
	all := make([]any, 0, len(names))
	for _, name := range names {
		all = append(all, e.described(name))
	}
	answer(w, http.StatusOK, map[string]any{"indexes": all})
}

func (e *Emulator) describeIndex(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	described := e.described(name)
	if described == nil {
		refuse(w, http.StatusNotFound, "NOT_FOUND", "Resource "+name+" not found")
		return
	}
	answer(w, http.StatusOK, described)
}

var indexName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,43}[a-z0-9])?$`)

func (e *Emulator) createIndex(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Name       string `json:"name"`
		Dimension  int    `json:"dimension"`
		Metric     string `json:"metric"`
		VectorType string `json:"vector_type"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&asked); err != nil {
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "the body is no index: "+err.Error())
		return
	}
	asked.Metric, asked.VectorType = cmp.Or(asked.Metric, "cosine"), cmp.Or(asked.VectorType, "dense")
	switch {
	case !indexName.MatchString(asked.Name):
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "the name must be 1 to 45 of a-z, 0-9 and -")
		return
	case asked.Dimension < 1 || asked.Dimension > 20_000:
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "the dimension must be 1 to 20000")
		return
	case !slices.Contains([]string{"cosine", "dotproduct", "euclidean"}, asked.Metric) || asked.VectorType != "dense":
		refuse(w, http.StatusBadRequest, "INVALID_ARGUMENT", "the metric must be cosine, dotproduct or euclidean, the vectors dense")
		return
	}
	_, err := e.open(asked.Name, asked.Dimension, asked.Metric, anyPort)
	switch {
	case errors.Is(err, errTaken):
		refuse(w, http.StatusConflict, "ALREADY_EXISTS", "Resource already exists")
	case err != nil:
		refuse(w, http.StatusInternalServerError, "INTERNAL", err.Error())
	default:
		answer(w, http.StatusCreated, e.described(asked.Name))
	}
}

// described is an index as the control plane shows it; nil where there is none.
func (e *Emulator) described(name string) map[string]any {
	e.mu.Lock()
	defer e.mu.Unlock()
	x := e.indexes[name]
	if x == nil {
		return nil
	}
	capacity := map[string]any{"mode": "OnDemand", "status": map[string]any{"state": "Ready"}}
	return map[string]any{
		"name": name, "dimension": x.dims(), "metric": x.measure(), "host": x.host(), "vector_type": "dense",
		"deletion_protection": "disabled",
		"spec": map[string]any{
			"serverless": map[string]any{"cloud": "aws", "region": "us-east-1", "read_capacity": capacity},
		},
		"status": map[string]any{"ready": true, "state": "Ready"},
	}
}

func (e *Emulator) takeScript(w http.ResponseWriter, r *http.Request) {
	var s Script
	body := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	body.DisallowUnknownFields()
	err := body.Decode(&s)
	if err == nil {
		err = e.Script(s)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (e *Emulator) giveCalls(w http.ResponseWriter, r *http.Request) {
	calls := e.Calls(r.URL.Query()["method"]...)
	if calls == nil {
		calls = []Call{}
	}
	answer(w, http.StatusOK, calls)
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, code int, name, message string) {
	answer(w, code, map[string]any{"status": code, "error": map[string]any{"code": name, "message": message}})
}

// statusOf is what the control plane answers where the data plane would use the code.
func statusOf(c codes.Code) int {
	switch c {
	case codes.InvalidArgument, codes.OutOfRange, codes.FailedPrecondition:
		return http.StatusBadRequest
	case codes.Unauthenticated:
		return http.StatusUnauthorized
	case codes.PermissionDenied:
		return http.StatusForbidden
	case codes.NotFound:
		return http.StatusNotFound
	case codes.AlreadyExists:
		return http.StatusConflict
	case codes.ResourceExhausted:
		return http.StatusTooManyRequests
	case codes.Unavailable:
		return http.StatusServiceUnavailable
	case codes.DeadlineExceeded:
		return http.StatusGatewayTimeout
	}
	return http.StatusInternalServerError
}

// wireName writes a code as JSON has it: RESOURCE_EXHAUSTED.
func wireName(c codes.Code) string {
	return strings.ToUpper(betweenWords.ReplaceAllString(c.String(), "${1}_${2}"))
}

var betweenWords = regexp.MustCompile(`([a-z])([A-Z])`)
