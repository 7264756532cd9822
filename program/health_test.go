package program

import (
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"kyrochat/command"
)

// askedHealth runs the command against an admin address.
func askedHealth(t *testing.T, addr string, args ...string) (said string, err error) {
	t.Helper()
	var out strings.Builder
	err = run(t.Context(), append([]string{"health"}, args...), func(name string) string {
		if name == "KYRO_ADMIN_ADDR" {
			return addr
		}
		return ""
	}, nil, nil, &out, nil)
	return strings.TrimSpace(out.String()), err
}

func TestHealth(t *testing.T) {
	t.Parallel()
	var questions atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/healthz" {
			_, _ = w.Write([]byte("ok\n"))
		} else if questions.Add(1) < 4 {
			http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		} else {
			_, _ = w.Write([]byte("ready\n"))
		}
	}))
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	if said, err := askedHealth(t, addr, "--live"); err != nil || said != "ok" {
		t.Errorf("alive: %q, %v", said, err)
	}
	if said, err := askedHealth(t, addr); err == nil || !strings.Contains(err.Error(), "the database does not answer") || said != "" {
		t.Errorf("not ready: %q, %v", said, err)
	} else if command.Status(err) != 1 {
		t.Errorf("the status is %d", command.Status(err))
	}
	if said, err := askedHealth(t, addr, "--wait", "5m"); err != nil || said != "ready" {
		t.Errorf("waited for: %q, %v", said, err)
	}
	// One that listens everywhere is asked on this machine.
	_, port, _ := net.SplitHostPort(addr)
	if said, err := askedHealth(t, "0.0.0.0:"+port); err != nil || said != "ready" {
		t.Errorf("listens everywhere: %q, %v", said, err)
	}
	server.Close()
	if said, err := askedHealth(t, addr, "--live"); err == nil || said != "" {
		t.Errorf("gone: %q, %v", said, err)
	}
	for _, wrong := range [][]string{{"now"}, {"--wait", "long"}, {"--what"}} {
		if _, err := askedHealth(t, addr, wrong...); err == nil || command.Status(err) != 2 {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}
