package transport_test

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/kyro"
	"kyrochat/transport"
)

// holders are who opens connections by the credentials they give.
var holders = map[string]kyro.Viewer{
	"":        {},
	"session": {UserID: kyro.UserID(1), SessionID: kyro.SessionID(7), Expires: time.Now().Add(time.Hour)},
	"key":     {UserID: kyro.UserID(1), KeyID: kyro.APIKeyID(7), Scopes: []kyro.Scope{kyro.ScopeRead}},
	"far":     {UserID: kyro.UserID(1), KeyID: kyro.APIKeyID(8), Expires: time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)},
	"expired": {UserID: kyro.UserID(1), KeyID: kyro.APIKeyID(9), Expires: time.Now().Add(-time.Hour)},
}

// TestConnectionsEndWithTheirCredentials, each with its own: a session and an API key may have the same number.
func TestConnectionsEndWithTheirCredentials(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{
		ExpiryGrace: time.Millisecond,
		Init: func(_ context.Context, payload map[string]any) (kyro.Viewer, error) {
			who, _ := payload["authorization"].(string)
			return holders[who], nil
		},
	})
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r.WithContext(kyro.WithViewer(r.Context(), holders[r.Header.Get("Authorization")])))
	})
	open := func(who string) *peer {
		p := s.dial(t, nil)
		text, _ := json.Marshal(map[string]any{"type": "connection_init", "payload": map[string]any{"authorization": who}})
		p.send(string(text))
		p.expect(ack)
		return p
	}
	session, key, nobody := open("session"), open("key"), open("")
	stream := s.events(t, t.Context(), "POST", "", `{"query":"subscription{forever}"}`, "Authorization: key")
	eventually(t, "the stream", func() bool { return s.fields.active() == 1 })
	got := s.connections.Credentials()
	slices.SortFunc(got, func(a, b kyro.ID) int { return strings.Compare(a.String(), b.String()) })
	if !slices.Equal(got, []kyro.ID{kyro.APIKeyID(7), kyro.SessionID(7)}) {
		t.Errorf("open are the connections of %v", got)
	}
	s.connections.CloseCredential(kyro.ID{})
	s.connections.CloseCredential(kyro.APIKeyID(8))
	s.connections.CloseCredential(kyro.UserID(1))
	s.connections.CloseCredential(kyro.APIKeyID(7))
	key.expect("4401 Unauthorized")
	if got := told(t, stream); len(got) != 2 || !strings.Contains(got[0], "UNAUTHENTICATED") || !strings.Contains(got[0], "API key") || !strings.Contains(got[1], "complete") {
		t.Errorf("the event stream of a key that ended: %q", got)
	}
	for _, p := range []*peer{session, nobody} {
		p.send(`{"type":"ping"}`)
		p.expect(`{"type":"pong"}`)
	}
	s.connections.CloseCredential(kyro.SessionID(7))
	session.expect("4401 Unauthorized")
	nobody.send(`{"type":"ping"}`)
	nobody.expect(`{"type":"pong"}`)
	open("expired").expect("4403 token expired")
}

// TestAKeyForThousandsOfYears is more than a time.Duration holds.
func TestAKeyForThousandsOfYears(t *testing.T) {
	t.Parallel()
	s := newServer(t, transport.HTTP{}, transport.Multipart{}, &transport.Websocket{
		Init: func(context.Context, map[string]any) (kyro.Viewer, error) { return holders["far"], nil },
	})
	inner := s.Config.Handler
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		inner.ServeHTTP(w, r.WithContext(kyro.WithViewer(r.Context(), holders["far"])))
	})
	p := s.open(t)
	p.send(subscribe("a", "{viewer}"))
	p.expect(next("a", `{"viewer":"user_1"}`), complete("a"))
	if got := told(t, s.events(t, t.Context(), "POST", "", `{"query":"{viewer}"}`)); len(got) != 2 || !strings.Contains(got[0], "user_1") {
		t.Errorf("the event stream: %q", got)
	}
}
