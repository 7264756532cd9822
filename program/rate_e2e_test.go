package program

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"kyrochat/client"
)

const askRate = `{ rateLimit { limit remaining resetAt cost maxCost } }`

// limited are settings under which nothing comes back while a test runs.
func limited(more map[string]string) map[string]string {
	env := map[string]string{"KYRO_RATE_SCALE": "1", "KYRO_RATE_OPERATIONS": "5", "KYRO_RATE_WINDOW": "5h"}
	for name, value := range more {
		env[name] = value
	}
	return env
}

// from sends an operation as a proxy does, for somebody else.
func (s *testServer) from(t *testing.T, address, query string) (*http.Response, *reply) {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"query": query})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/graphql", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", "http://localhost:3000")
	req.Header.Set("X-Forwarded-For", address)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	r := &reply{t: t, status: res.StatusCode}
	if r.body, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(r.body, &r.tree); err != nil {
		t.Fatalf("not JSON: %s", r.body)
	}
	return res, r
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	s := startServer(t, limited(nil))
	ada, eve := s.signUp(t), s.signUp(t)
	got := ada.must(`{ rateLimit { limit remaining resetAt cost maxCost } again: rateLimit { remaining } serverInfo { version } }`, nil)
	if got.number("rateLimit.limit") != 5 || got.number("rateLimit.remaining") != 4 || got.number("again.remaining") != 4 {
		t.Errorf("the first operation: %s", got.body)
	}
	if got.get("rateLimit.cost") != got.at("extensions.cost.requested") || got.number("rateLimit.cost") != 10 || got.get("rateLimit.maxCost") != got.at("extensions.cost.max") {
		t.Errorf("the cost: %s", got.body)
	}
	// One of five in five hours comes back in one hour.
	if at, err := time.Parse(time.RFC3339, got.text("rateLimit.resetAt")); err != nil || time.Until(at) > time.Hour || time.Until(at) < 50*time.Minute {
		t.Errorf("resetAt: %s, %v", got.body, err)
	}
	ada.ask(`{ nope }`, nil).wantCode("", "GRAPHQL_VALIDATION_FAILED")
	ada.ask(`{ __schema { queryType { name } } }`, nil)
	if err := ada.follow(askRate, nil, func(e *reply) bool { // another transport, the same user
		if e.number("rateLimit.remaining") != 1 {
			t.Errorf("over a websocket: %s", e.body)
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if left := ada.must(askRate, nil).number("rateLimit.remaining"); left != 0 {
		t.Errorf("the last operation leaves %v", left)
	}

	refused := ada.ask(askRate, nil)
	refused.wantCode("", "RATE_LIMITED")
	if ms, ok := refused.at("errors.0.extensions.retryAfterMs").(float64); !ok || refused.status != http.StatusTooManyRequests || ms <= 0 || ms > 3600_000 {
		t.Errorf("one too many: %d %s", refused.status, refused.body)
	}
	err := ada.follow(`subscription { documentProgress(botId: "bot_1") { status } }`, nil, func(*reply) bool { return true })
	if errs, ok := err.(client.Errors); !ok || errs[0].Extensions.Code != "RATE_LIMITED" || errs[0].RetryAfter() <= 0 {
		t.Errorf("one too many over a websocket: %v", err)
	}
	if left := eve.must(askRate, nil).number("rateLimit.remaining"); left != 4 {
		t.Errorf("somebody else has %v left", left)
	}
}

// Whoever is not signed in is counted by address, IPv6 by network; both may come from a proxy.
func TestRateLimitByAddress(t *testing.T) {
	t.Parallel()
	s := startServer(t, limited(map[string]string{"KYRO_TRUSTED_PROXIES": "127.0.0.1"}))
	left := func(address string) float64 {
		_, r := s.from(t, address, askRate)
		return r.number("rateLimit.remaining")
	}
	for _, c := range []struct {
		address string
		want    float64
	}{
		{"198.51.100.1", 4}, {"198.51.100.1", 3}, {"198.51.100.2", 4}, {"203.0.113.7, 198.51.100.1", 2},
		{"2001:db8:1:1::1", 4}, {"2001:db8:1:1:ffff::2", 3}, {"2001:db8:1:2::1", 4},
	} {
		if got := left(c.address); got != c.want {
			t.Errorf("%s has %v left, want %v", c.address, got, c.want)
		}
	}
	for left("192.0.2.1") > 0 {
	}
	res, refused := s.from(t, "192.0.2.1", askRate)
	refused.wantCode("", "RATE_LIMITED")
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") == "" || res.Header.Get("RateLimit-Limit") != "5" {
		t.Errorf("one too many: %d %v", res.StatusCode, res.Header)
	}
	for _, name := range []string{"Retry-After", "Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset"} {
		if exposed := res.Header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, name) {
			t.Errorf("pages cannot read %s: %q", name, exposed)
		}
	}
	if left := s.signUp(t).must(askRate, nil).number("rateLimit.remaining"); left != 4 {
		t.Errorf("a user has %v left at an address of others", left)
	}
}

func TestConnectsAreLimited(t *testing.T) {
	t.Parallel()
	s := startServer(t, limited(map[string]string{"KYRO_RATE_OPERATIONS": "1000", "KYRO_RATE_CONNECTS": "1", "KYRO_RATE_SCALE": "2"}))
	p := s.signUp(t)
	dial := func() error { return p.follow(askRate, nil, func(*reply) bool { return true }) }
	opened := 0
	for ; opened < 20 && dial() == nil; opened++ {
	}
	if opened < 2 || opened == 20 {
		t.Errorf("%d websockets were opened, of two at once and two a minute", opened)
	}
	p.must(askRate, nil)
}

func TestNoRates(t *testing.T) {
	t.Parallel()
	s := startServer(t, map[string]string{"KYRO_RATE_SCALE": "0", "KYRO_RATE_OPERATIONS": "1"})
	p := &person{t: t, s: s}
	for range 3 {
		if got := p.must(askRate, nil); got.number("rateLimit.limit") != 2147483647 || got.number("rateLimit.remaining") != 2147483647 {
			t.Errorf("without rates: %s", got.body)
		}
	}
}
