package auth_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kyrochat/auth"
	"kyrochat/kyro"
)

// sessions is an Authenticator that always gives the same answer.
type sessions struct{ err error }

func (s sessions) CheckSession(_ context.Context, user, session kyro.ID, issued time.Time) error {
	if user != kyro.UserID(42) || session != kyro.SessionID(7) || !issued.Equal(start) {
		return errors.New("asked about somebody else")
	}
	return s.err
}

var ended = kyro.Errorf(kyro.CodeUnauthenticated, "The session has ended.")

func gate(t testing.TB, now time.Time, answer error) *auth.Gate {
	t.Helper()
	return auth.NewGate(newTokens(t, at(now), secretA), sessions{answer}, nil, slog.New(slog.DiscardHandler))
}

func through(g *auth.Gate, authorization ...string) (kyro.Viewer, int) {
	var seen kyro.Viewer
	h := g.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = kyro.ViewerFrom(r.Context()) }))
	r := httptest.NewRequest(http.MethodPost, "/graphql", nil)
	r.RemoteAddr = "198.51.100.23:4711"
	r.Header.Set("User-Agent", "test\x00/1")
	r.Header["Authorization"] = authorization
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return seen, w.Code
}

func TestMiddleware(t *testing.T) {
	t.Parallel()
	token := access(t, newTokens(t, at(start), secretA), start)
	for name, c := range map[string]struct {
		now      time.Time
		session  error
		headers  []string
		code     kyro.Code // "" for a signed-in viewer, "-" for nobody
		contains string
	}{
		"nobody":           {start, nil, nil, "-", ""},
		"good":             {start, nil, []string{"Bearer " + token}, "", ""},
		"any case":         {start, nil, []string{"bEARER  " + token}, "", ""},
		"expired":          {start.Add(time.Hour), nil, []string{"Bearer " + token}, kyro.CodeUnauthenticated, "is not valid, or no longer"},
		"malformed":        {start, nil, []string{"Bearer nonsense"}, kyro.CodeUnauthenticated, "is not valid, or no longer"},
		"no token":         {start, nil, []string{"Bearer"}, kyro.CodeUnauthenticated, "must be"},
		"empty":            {start, nil, []string{""}, kyro.CodeUnauthenticated, "must be"},
		"other scheme":     {start, nil, []string{"Basic dXNlcjpwYXNz"}, kyro.CodeUnauthenticated, "must be"},
		"two headers":      {start, nil, []string{"Bearer " + token, "Bearer " + token}, kyro.CodeUnauthenticated, "is not valid, or no longer"},
		"session ended":    {start, ended, []string{"Bearer " + token}, kyro.CodeUnauthenticated, "ended"},
		"database is down": {start, errors.New("dial tcp 10.0.0.5"), []string{"Bearer " + token}, kyro.CodeUnavailable, "right now"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, status := through(gate(t, c.now, c.session), c.headers...)
			if status != http.StatusOK {
				t.Errorf("status %d", status)
			}
			if want := (kyro.Device{UserAgent: "test/1", AddressPrefix: "198.51.100.0/24"}); got.Device != want {
				t.Errorf("device %+v", got.Device)
			}
			if got.Network.String() != "198.51.100.23/32" {
				t.Errorf("network %v", got.Network)
			}
			switch {
			case c.code == "":
				if !got.Is(kyro.UserID(42)) || got.SessionID != kyro.SessionID(7) || !got.Expires.Equal(start.Add(10*time.Minute)) {
					t.Errorf("viewer %+v", got)
				}
			case c.code == "-":
				if got.SignedIn() || got.Rejected != nil {
					t.Errorf("viewer %+v", got)
				}
			case got.SignedIn() || got.Rejected == nil || got.Rejected.Code != c.code || !strings.Contains(got.Rejected.Message, c.contains):
				t.Errorf("viewer %+v", got)
			case strings.Contains(got.Rejected.Error(), "10.0.0.5"):
				t.Errorf("leaks %v", got.Rejected)
			}
		})
	}
}

func TestWebsocketInit(t *testing.T) {
	t.Parallel()
	bearer := "Bearer " + access(t, newTokens(t, at(start), secretA), start)
	for name, c := range map[string]struct {
		now     time.Time
		session error
		payload map[string]any
		code    int // 0 for a viewer
		signed  bool
	}{
		"absent":         {start, nil, nil, 0, false},
		"null":           {start, nil, map[string]any{"authorization": nil}, 0, false},
		"other keys":     {start, nil, map[string]any{"token": bearer}, 0, false},
		"good":           {start, nil, map[string]any{"authorization": bearer}, 0, true},
		"capitalised":    {start, nil, map[string]any{"Authorization": bearer}, 0, true},
		"not a text":     {start, nil, map[string]any{"authorization": 42.0}, 4403, false},
		"malformed":      {start, nil, map[string]any{"authorization": "Bearer x"}, 4403, false},
		"expired":        {start.Add(time.Hour), nil, map[string]any{"authorization": bearer}, 4403, false},
		"session ended":  {start, ended, map[string]any{"authorization": bearer}, 4401, false},
		"database down":  {start, errors.New("refused"), map[string]any{"authorization": bearer}, 1013, false},
		"without Bearer": {start, nil, map[string]any{"authorization": bearer[7:]}, 4403, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			device := kyro.Device{UserAgent: "browser"}
			network := netip.MustParsePrefix("192.0.2.77/32")
			ctx := kyro.WithViewer(t.Context(), kyro.Viewer{Device: device, Network: network})
			viewer, err := gate(t, c.now, c.session).WebsocketInit(ctx, c.payload)
			var refused *auth.InitError
			if c.code == 0 {
				if err != nil || viewer.SignedIn() != c.signed || viewer.Device != device || viewer.Network != network {
					t.Errorf("viewer %+v, %v", viewer, err)
				}
			} else if !errors.As(err, &refused) || refused.Code != c.code {
				t.Errorf("got %v, want %d", err, c.code)
			}
		})
	}
}

func TestClientAddr(t *testing.T) {
	t.Parallel()
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/48")}
	for _, c := range []struct{ peer, forwarded, want string }{
		{"203.0.113.9:1", "", "203.0.113.9"},
		{"203.0.113.9:1", "198.51.100.1", "203.0.113.9"},
		{"10.0.0.1:1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:1", "1.1.1.1, 198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
		{"10.0.0.1:1", "10.0.0.3, 10.0.0.2", "10.0.0.3"},
		{"10.0.0.1:1", "198.51.100.1:4711", "198.51.100.1"},
		{"10.0.0.1:1", "[2001:db8:2::1]:4711", "2001:db8:2::1"},
		{"[2001:db8:1::1]:1", "2001:db8:2::1", "2001:db8:2::1"},
		{"10.0.0.1:1", "198.51.100.1, unknown", "10.0.0.1"},
		{"10.0.0.1:1", "198.51.100.1, unknown, 10.0.0.2", "10.0.0.2"},
		{"10.0.0.1:1", "", "10.0.0.1"},
		{"[::ffff:10.0.0.1]:1", "::ffff:198.51.100.1", "198.51.100.1"},
		{"[fe80::1%eth0]:1", "", "fe80::1"},
		{"@", "198.51.100.1", "invalid IP"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		if c.forwarded != "" {
			for _, hop := range strings.SplitN(c.forwarded, ", ", 2) {
				r.Header.Add("X-Forwarded-For", hop)
			}
		}
		if got := auth.ClientAddr(r, trusted).String(); got != c.want {
			t.Errorf("%s for %q: got %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}

func TestDeviceNeverHoldsTheAddress(t *testing.T) {
	t.Parallel()
	g := gate(t, start, nil)
	var seen kyro.Viewer
	h := g.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = kyro.ViewerFrom(r.Context()) }))
	for remote, want := range map[string]string{
		"[2001:db8:aaaa:bbbb::1]:9": "2001:db8:aaaa::/48", "192.0.2.77:9": "192.0.2.0/24", "somewhere": "",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = remote
		r.Header.Set("User-Agent", strings.Repeat("é", 200))
		h.ServeHTTP(httptest.NewRecorder(), r)
		if seen.Device.AddressPrefix != want || seen.Device.UserAgent != strings.Repeat("é", 127) {
			t.Errorf("%s: %+v", remote, seen.Device)
		}
	}
}

// Limits count a whole IPv6 network, of which one household has all addresses, as one.
func TestNetworkOfTheViewer(t *testing.T) {
	t.Parallel()
	proxy := []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}
	g := auth.NewGate(newTokens(t, at(start), secretA), sessions{}, proxy, slog.New(slog.DiscardHandler))
	var seen kyro.Viewer
	h := g.Middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = kyro.ViewerFrom(r.Context()) }))
	for _, c := range []struct{ peer, forwarded, want string }{
		{"192.0.2.77:9", "", "192.0.2.77/32"},
		{"192.0.2.77:9", "198.51.100.1", "192.0.2.77/32"},
		{"10.0.0.1:9", "198.51.100.1", "198.51.100.1/32"},
		{"10.0.0.1:9", "2001:db8:aaaa:bbbb:cccc::1", "2001:db8:aaaa:bbbb::/64"},
		{"[2001:db8:aaaa:bbbb::1]:9", "", "2001:db8:aaaa:bbbb::/64"},
		{"[2001:db8:aaaa:bbbb:ffff::2]:9", "", "2001:db8:aaaa:bbbb::/64"},
		{"[2001:db8:aaaa:bbbc::1]:9", "", "2001:db8:aaaa:bbbc::/64"},
		{"[::ffff:192.0.2.77]:9", "", "192.0.2.77/32"},
		{"somewhere", "", "invalid Prefix"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		h.ServeHTTP(httptest.NewRecorder(), r)
		if got := seen.Network.String(); got != c.want {
			t.Errorf("%s for %q: %s, want %s", c.peer, c.forwarded, got, c.want)
		}
	}
}
