package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kyrochat/client"
)

// serve starts a fake server and gives a client of it.
func serve(t *testing.T, h http.HandlerFunc, o client.Options) *client.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	o.HTTPClient = server.Client()
	c, err := client.New(server.URL, o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/graphql-response+json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func TestNewRefusesBadAddresses(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "127.0.0.1:8080", "ftp://host", "http://", "http://a b", "%"} {
		if _, err := client.New(u, client.Options{}); err == nil {
			t.Errorf("%q was taken", u)
		}
	}
}

func TestDo(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var got struct {
			Query     string
			Variables map[string]any
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Errorf("body: %v", err)
		}
		if r.URL.Path != "/graphql" || r.Header.Get("Content-Type") != "application/json" || !strings.Contains(r.Header.Get("Accept"), "application/graphql-response+json") {
			t.Errorf("%s with %v", r.URL.Path, r.Header)
		}
		if got.Query != "{ viewer }" || got.Variables["n"] != 1.0 {
			t.Errorf("got %+v", got)
		}
		answer(w, 200, `{"data":{"viewer":"`+r.Header.Get("Authorization")+`"}}`)
	}, client.Options{Token: "old"})
	c.SetToken("new")
	var data struct{ Viewer string }
	if err := c.Do(t.Context(), "{ viewer }", map[string]any{"n": 1}, &data); err != nil {
		t.Fatal(err)
	}
	if data.Viewer != "Bearer new" {
		t.Errorf("the token was sent as %q", data.Viewer)
	}
	c.SetToken("")
	if err := c.Do(t.Context(), "{ viewer }", map[string]any{"n": 1}, &data); err != nil || data.Viewer != "" {
		t.Errorf("without a token: %q, %v", data.Viewer, err)
	}
}

func TestDoErrors(t *testing.T) {
	t.Parallel()
	t.Run("GraphQL errors, with data beside them", func(t *testing.T) {
		t.Parallel()
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 400, `{"data":{"a":1,"b":null},"errors":[
				{"message":"There is no such bot.","path":["b"],"extensions":{"code":"NOT_FOUND","requestId":"r1"}},
				{"message":"Wait.","extensions":{"code":"RATE_LIMITED","retryAfterMs":1500}}]}`)
		}, client.Options{})
		var data struct{ A int }
		err := c.Do(t.Context(), "{ a b }", nil, &data)
		var all client.Errors
		if !errors.As(err, &all) || len(all) != 2 || client.Code(err) != "NOT_FOUND" || data.A != 1 {
			t.Fatalf("got %v, data %+v", err, data)
		}
		if all[1].RetryAfter() != 1500*time.Millisecond || all[0].Extensions.RequestID != "r1" || all[0].Path[0] != "b" {
			t.Errorf("got %+v %+v", all[0], all[1])
		}
		if want := "There is no such bot. (NOT_FOUND); Wait. (RATE_LIMITED)"; err.Error() != want {
			t.Errorf("got %q, want %q", err, want)
		}
	})
	for name, reply := range map[string]func(w http.ResponseWriter){
		"a proxy's page": func(w http.ResponseWriter) { http.Error(w, "<h1>Bad gateway</h1>", http.StatusBadGateway) },
		"broken JSON":    func(w http.ResponseWriter) { answer(w, http.StatusBadGateway, `{"data":`) },
		"empty JSON":     func(w http.ResponseWriter) { answer(w, http.StatusBadGateway, `{}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) { reply(w) }, client.Options{})
			err := c.Do(t.Context(), "{ a }", nil, nil)
			var status *client.StatusError
			if !errors.As(err, &status) || status.Status != http.StatusBadGateway || !strings.Contains(err.Error(), "502 Bad Gateway") || client.Code(err) != "" {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("too large", func(t *testing.T) {
		t.Parallel()
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			answer(w, 200, `{"data":"`+strings.Repeat("x", 100)+`"}`)
		}, client.Options{MaxResponseBytes: 50})
		if err := c.Do(t.Context(), "{ a }", nil, nil); err == nil || !strings.Contains(err.Error(), "larger than 50") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("data of another shape", func(t *testing.T) {
		t.Parallel()
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{"data":{"a":"x"}}`) }, client.Options{})
		var data struct{ A int }
		if err := c.Do(t.Context(), "{ a }", nil, &data); err == nil || !strings.Contains(err.Error(), "decode") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("variables that are no JSON", func(t *testing.T) {
		t.Parallel()
		c := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") }, client.Options{})
		if err := c.Do(t.Context(), "{ a }", map[string]any{"c": make(chan int)}, nil); err == nil {
			t.Error("no error")
		}
	})
	t.Run("canceled", func(t *testing.T) {
		t.Parallel()
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{"data":{}}`) }, client.Options{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Do(ctx, "{ a }", nil, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestUpload(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789", 100_000)
	for name, size := range map[string]int64{"known size": int64(len(content)), "unknown size": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if (r.ContentLength >= 0) != (size >= 0) || r.Header.Get("Apollo-Require-Preflight") != "true" || r.Header.Get("Authorization") != "Bearer tok" {
					t.Errorf("length %d, headers %v", r.ContentLength, r.Header)
				}
				parts, err := r.MultipartReader()
				if err != nil {
					t.Error(err)
					return
				}
				want := [][2]string{
					{"operations", `{"query":"mutation","variables":{"input":{"botId":"bot_1","file":null}}}`},
					{"map", `{"0":["variables.input.file"]}`}, {"0", content},
				}
				for _, w := range want {
					part, err := parts.NextPart()
					if err != nil {
						t.Error(err)
						return
					}
					got, err := io.ReadAll(part)
					if err != nil || part.FormName() != w[0] || string(got) != w[1] {
						t.Errorf("part %q: %.80q, %v", part.FormName(), got, err)
					}
					if w[0] == "0" && part.FileName() != `Größe "1".txt` {
						t.Errorf("file name %q", part.FileName())
					}
				}
				if _, err := parts.NextPart(); err != io.EOF {
					t.Errorf("after the file: %v", err)
				}
				answer(w, 200, `{"data":{"id":"doc_1"}}`)
			}, client.Options{Token: "tok"})
			input := map[string]any{"input": map[string]any{"botId": "bot_1"}}
			var sent int64
			var data struct{ ID string }
			err := c.Upload(t.Context(), "mutation", input, client.File{
				Variable: "input.file", Name: `Größe "1".txt`, Size: size, Reader: strings.NewReader(content),
				Progress: func(n int64) { sent = n },
			}, &data)
			if err != nil || data.ID != "doc_1" || sent != int64(len(content)) {
				t.Errorf("%v, %+v, %d bytes", err, data, sent)
			}
			if _, there := input["input"].(map[string]any)["file"]; there {
				t.Error("the caller's variables were changed")
			}
		})
	}
}

// TestUploadRefusedEarly has a server that answers without reading the file.
func TestUploadRefusedEarly(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		answer(w, 413, `{"errors":[{"message":"Too large.","extensions":{"code":"FILE_TOO_LARGE"}}]}`)
	}, client.Options{})
	reads := 0
	endless := readerFunc(func(p []byte) (int, error) { reads++; return len(p), nil })
	err := c.Upload(t.Context(), "mutation", nil, client.File{Variable: "file", Name: "a", Size: 1 << 40, Reader: endless}, nil)
	if err == nil {
		t.Fatal("no error")
	}
	_ = reads // the race detector says if the transport still reads after Upload returned
	if code := client.Code(err); code != "" && code != "FILE_TOO_LARGE" {
		t.Errorf("got %v", err)
	}
}

func TestUploadErrors(t *testing.T) {
	t.Parallel()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		answer(w, 200, `{"data":{}}`)
	}, client.Options{})
	broken := errors.New("disk on fire")
	err := c.Upload(t.Context(), "m", nil, client.File{Variable: "file", Size: 10, Reader: readerFunc(func([]byte) (int, error) { return 0, broken })}, nil)
	if !errors.Is(err, broken) {
		t.Errorf("a reader that fails: %v", err)
	}
	err = c.Upload(t.Context(), "m", map[string]any{"input": 1}, client.File{Variable: "input.file", Reader: strings.NewReader("")}, nil)
	if err == nil || !strings.Contains(err.Error(), `no object "input"`) {
		t.Errorf("a variable that is not there: %v", err)
	}
	if err := c.Upload(t.Context(), "m", map[string]any{"c": make(chan int)}, client.File{Variable: "file"}, nil); err == nil {
		t.Error("variables that are no JSON were taken")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
