package transport_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"kyrochat/kyro"
	"kyrochat/transport"
)

// TestFieldErrors sees what clients and what the log get of each kind of error.
func TestFieldErrors(t *testing.T) {
	t.Parallel()
	for how, c := range map[string]struct {
		code, message, log string
		retryAfter         any
	}{
		"not found": {"NOT_FOUND", "Bot not found.", "", nil},
		"internal":  {"INTERNAL", "Something went wrong on our side.", "10.0.0.5", nil},
		"panic":     {"INTERNAL", "Something went wrong on our side.", "secret of the panic", nil},
		"busy":      {"UNAVAILABLE", "Busy.", "pool is empty", 1500.0},
		"deadline":  {"TIMEOUT", "The request took too long.", "read a bot", nil},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
			got := s.send(t, s.request(t, "POST", "", fmt.Sprintf(`{"query":"{fail(how:\"%s\")}"}`, how)))
			if got.code() != c.code || !strings.HasPrefix(got.Errors[0].Message, c.message) || got.Errors[0].Extensions["retryAfterMs"] != c.retryAfter {
				t.Errorf("got %s", got.text)
			}
			log := s.log.String()
			if c.log == "" && log != "" || c.log != "" && (strings.Count(log, "requestId=req-id") != 1 || !strings.Contains(log, c.log)) {
				t.Errorf("log %q", log)
			}
			if c.log != "" && strings.Contains(got.text, c.log) {
				t.Errorf("leaks: %s", got.text)
			}
			if how == "panic" && !strings.Contains(log, "schema_test.go") {
				t.Errorf("no stack: %s", log)
			}
		})
	}
}

func TestArgumentErrors(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	got := s.send(t, s.request(t, "POST", "", `{"query":"{limit(n:4294967296)}"}`))
	if got.code() != "BAD_USER_INPUT" || got.Errors[0].Message != "Argument n: 4294967296 overflows signed 32-bit integer." || len(got.Errors[0].Path) != 1 {
		t.Errorf("got %s", got.text)
	}
	got = s.send(t, s.request(t, "POST", "", `{"query":"query($n:Int!){limit(n:$n)}","variables":{"n":"x"}}`))
	if got.code() != "BAD_USER_INPUT" || got.Errors[0].Message != "Variable $n: expected an Int, got a text." || len(got.Errors[0].Path) != 0 {
		t.Errorf("got %s", got.text)
	}
	if s.log.String() != "" {
		t.Errorf("logged: %s", s.log)
	}
}

func TestPresent(t *testing.T) {
	t.Parallel()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Unix(0, 0))
	defer cancel()
	wrapped := gqlerror.WrapPath(ast.Path{ast.PathName("bot")}, fmt.Errorf("read: %w", kyro.NotFound(kyro.KindBot)))
	for name, c := range map[string]struct {
		ctx     context.Context
		err     error
		code    string
		message string
		level   string
	}{
		"through gqlerror":      {t.Context(), wrapped, "NOT_FOUND", "Bot not found.", ""},
		"known though gone":     {gone, wrapped, "NOT_FOUND", "Bot not found.", ""},
		"gone":                  {gone, errors.New("driver: statement canceled"), "INTERRUPTED", "The request ended", ""},
		"late":                  {late, errors.New("driver: statement canceled"), "TIMEOUT", "The request took too long", "WARN"},
		"canceled though alive": {t.Context(), context.Canceled, "INTERNAL", "Something went wrong", "ERROR"},
		"own code":              {t.Context(), &gqlerror.Error{Message: "Too deep.", Extensions: map[string]any{"code": "TOO_DEEP"}}, "TOO_DEEP", "Too deep.", ""},
		"unavailable":           {t.Context(), kyro.Errorf(kyro.CodeUnavailable, "Later.").Because(errors.New("x")), "UNAVAILABLE", "Later.", "WARN"},
		"caused internal":       {t.Context(), kyro.Errorf(kyro.CodeInternal, "Sorry.").Because(errors.New("x")), "INTERNAL", "Sorry.", "ERROR"},
		"payload code at top":   {t.Context(), kyro.Errorf(kyro.CodeConflict, "Conflict.").Because(errors.New("x")), "CONFLICT", "Conflict.", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &lockedBuffer{}
			got := transport.NewPresenter(slog.New(slog.NewTextHandler(log, nil))).Present(c.ctx, c.err)
			if got.Extensions["code"] != c.code || !strings.HasPrefix(got.Message, c.message) {
				t.Errorf("got %+v", got)
			}
			if text := log.String(); (c.level == "") != (text == "") || !strings.Contains(text, c.level) {
				t.Errorf("log %q", text)
			}
		})
	}
	given := &gqlerror.Error{Message: strings.Repeat("é", 2000), Extensions: map[string]any{"code": "LONG"}}
	if got := transport.NewPresenter(slog.New(slog.DiscardHandler)).Present(t.Context(), given); len(got.Message) != 1003 || len(given.Message) != 4000 || given.Extensions["requestId"] != nil {
		t.Errorf("%d bytes of message; given %v", len(got.Message), given.Extensions)
	}
}

// TestDenied: whoever wants to know hears who was forbidden something, and of nothing else.
func TestDenied(t *testing.T) {
	t.Parallel()
	p := transport.NewPresenter(slog.New(slog.DiscardHandler))
	viewer := kyro.Viewer{UserID: kyro.UserID(1), KeyID: kyro.APIKeyID(2)}
	ctx := kyro.WithViewer(t.Context(), viewer)
	p.Present(ctx, viewer.MustBePerson()) // nobody wants to know
	var heard []kyro.ID
	p.Denied = func(_ context.Context, viewer kyro.Viewer) { heard = append(heard, viewer.KeyID) }
	for _, err := range []error{
		kyro.NotFound(kyro.KindBot), errors.New("x"), kyro.Viewer{}.MustSignIn(), fmt.Errorf("list: %w", viewer.Must(kyro.ScopeChat)), viewer.MustBePerson(),
	} {
		p.Present(ctx, err)
	}
	if len(heard) != 2 || heard[0] != viewer.KeyID || heard[1] != viewer.KeyID {
		t.Errorf("heard of %v", heard)
	}
}

// A client that goes away in the middle is no error of ours.
func TestClientLeaves(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r := s.request(t, "POST", "", `{"query":"{fail(how:\"wait\")}"}`).WithContext(ctx)
	if answer, err := http.DefaultTransport.RoundTrip(r); err == nil {
		answer.Body.Close()
		t.Fatal("got an answer")
	}
	s.Close() // waits for the handler
	if log := s.log.String(); log != "" {
		t.Errorf("logged: %s", log)
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	var seen []string
	h := transport.RequestID(nil)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		seen = append(seen, transport.RequestIDFrom(r.Context()))
	}))
	for range 2 {
		r, _ := http.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("X-Request-Id", "forged")
		h.ServeHTTP(nopWriter{http.Header{}}, r)
	}
	if len(seen) != 2 || seen[0] == seen[1] || len(seen[0]) < 20 || seen[0] == "forged" {
		t.Errorf("ids %q", seen)
	}
	if id := transport.RequestIDFrom(t.Context()); id != "" {
		t.Errorf("id %q outside of a request", id)
	}
}

type nopWriter struct{ header http.Header }

func (w nopWriter) Header() http.Header       { return w.header }
func (nopWriter) Write(p []byte) (int, error) { return len(p), nil }
func (nopWriter) WriteHeader(int)             {}
