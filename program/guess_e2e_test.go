package program

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"kyrochat/internal/testdb"
)

// guarded is a server with all rates as they are by default, behind a proxy.
func guarded(t *testing.T, more map[string]string) *testServer {
	t.Helper()
	env := map[string]string{"KYRO_RATE_SCALE": "1", "KYRO_RATE_OPERATIONS": "100000", "KYRO_TRUSTED_PROXIES": "127.0.0.1", "KYRO_QUERY_MAX_AUTH_MUTATIONS": "5"}
	for name, value := range more {
		env[name] = value
	}
	return startServer(t, env)
}

func eachGuarded(t *testing.T, test func(t *testing.T, s *testServer)) {
	t.Helper()
	t.Parallel()
	for name, env := range map[string]func(t *testing.T) map[string]string{
		"sqlite": func(*testing.T) map[string]string { return nil },
		"postgres and redis": func(t *testing.T) map[string]string {
			return map[string]string{"DATABASE_URL": testdb.PostgresURL(t), "REDIS_URL": testdb.Redis(t).URL}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, guarded(t, env(t)))
		})
	}
}

// registered makes an account from an address, and gives the token of the device.
func (s *testServer) registered(t *testing.T, address, email string) (device string) {
	t.Helper()
	_, r := s.from(t, address, fmt.Sprintf(`mutation { registerUser(input: {email: %q, password: %q, name: "Ada"}) { deviceToken errors { code message } } }`, email, password))
	return r.text("registerUser.deviceToken")
}

func logInField(email, password, device string) string {
	token := ""
	if device != "" {
		token = fmt.Sprintf(", deviceToken: %q", device)
	}
	return fmt.Sprintf(`logIn(input: {email: %q, password: %q%s}) { deviceToken errors { code message field } }`, email, password, token)
}

// outcome is the code of a log-in from an address: "" where it succeeds.
func (s *testServer) outcome(t *testing.T, address, email, password, device string) (code string, r *reply) {
	t.Helper()
	_, r = s.from(t, address, "mutation { "+logInField(email, password, device)+" }")
	if errs, ok := r.tree["errors"].([]any); ok && len(errs) > 0 {
		return r.at("errors.0.extensions.code").(string), r
	}
	if len(r.list("logIn.errors")) > 0 {
		return r.text("logIn.errors.0.code"), r
	}
	return "", r
}

const (
	badLogin  = "INVALID_CREDENTIALS"
	overLimit = "RATE_LIMITED"
)

// Guessing at one account from everywhere, in every way that many guesses fit into few requests: ten are looked at, of an
// account that is there as of one that is not. The owner gets in all the while.
func TestGuessingIsLimitedInEveryWay(t *testing.T) {
	eachGuarded(t, func(t *testing.T, s *testServer) {
		device := s.registered(t, "192.0.2.7", "ada@example.com")
		for _, email := range []string{"ada@example.com", "nobody@example.com"} {
			looked := 0
			count := func(code string) {
				switch code {
				case badLogin:
					looked++
				case overLimit:
				default:
					t.Errorf("%s: got %q", email, code)
				}
			}
			var fields []string
			for i := range 5 {
				fields = append(fields, fmt.Sprintf("a%d: %s", i, logInField(email, "a wrong password", "")))
			}
			began, longest := time.Now(), 0.0
			for _, address := range []string{"198.51.100.1", "198.51.100.2"} { // two of one network
				_, r := s.from(t, address, "mutation { "+strings.Join(fields, " ")+" }")
				var answer struct {
					Data   map[string]*struct{ Errors []struct{ Code string } }
					Errors []struct {
						Path       []any
						Extensions struct {
							Code         string
							RetryAfterMs float64
						}
					}
				}
				if err := json.Unmarshal(r.body, &answer); err != nil {
					t.Fatal(err)
				}
				for _, payload := range answer.Data {
					if payload != nil {
						count(payload.Errors[0].Code)
					}
				}
				for _, e := range answer.Errors {
					count(e.Extensions.Code)
					if e.Extensions.RetryAfterMs <= 0 {
						t.Errorf("%s: not to wait: %s", email, r.body)
					}
					longest = max(longest, e.Extensions.RetryAfterMs)
				}
			}
			if looked != 5 {
				t.Errorf("%s: through aliases %d were looked at, want 5", email, looked)
			}
			// A machine that takes two seconds between both has a sixth looked at, of which only the longer wait of those after it tells.
			if longest > 2_000 {
				looked++
			}
			if took := time.Since(began); longest > 4_000 || longest > 2_000 && took < 2*time.Second {
				t.Errorf("%s: to wait %v ms after %s", email, longest, took)
			}
			aliased := looked
			socket := (&person{t: t, s: s}).socketOfNobody(t)
			for range 3 { // from 127.0.0.1
				body, _ := json.Marshal(map[string]string{"query": "mutation { " + logInField(email, "a wrong password", "") + " }"})
				count(socket.first(string(body)))
			}
			if looked != aliased+3 {
				t.Errorf("%s: with those on a socket %d were looked at, want %d", email, looked, aliased+3)
			}
			var mu sync.Mutex
			var wg sync.WaitGroup
			for i := range 12 {
				wg.Go(func() {
					code, _ := s.outcome(t, fmt.Sprintf("203.0.%d.1", i), email, "a wrong password", "rubbish")
					mu.Lock()
					defer mu.Unlock()
					count(code)
				})
			}
			wg.Wait()
			if looked != 10 {
				t.Errorf("%s: in all %d were looked at, want 10", email, looked)
			}
		}
		if code, _ := s.outcome(t, "100.64.0.1", "ada@example.com", password, ""); code != overLimit {
			t.Errorf("a stranger who has guessed it: %q", code)
		}
		if code, r := s.outcome(t, "100.64.0.1", "ada@example.com", password, device); code != "" || r.text("logIn.deviceToken") != device {
			t.Errorf("the owner on the move: %s", r.body)
		}
		if code, r := s.outcome(t, "192.0.2.99", "ada@example.com", password, ""); code != "" || !strings.HasPrefix(r.text("logIn.deviceToken"), "kyr_dt_") {
			t.Errorf("the owner at home: %s", r.body)
		}
		other := s.registered(t, "192.0.2.8", "bob@example.com")
		if code, _ := s.outcome(t, "100.99.0.1", "ada@example.com", password, other); code != overLimit {
			t.Errorf("with the device of another account: %q", code)
		}
		if code, _ := s.outcome(t, "100.64.0.1", "bob@example.com", password, ""); code != "" {
			t.Errorf("another account: %q", code)
		}
	})
}

// socketOfNobody opens a websocket without signing in.
func (p *person) socketOfNobody(t *testing.T) *rawSocket {
	t.Helper()
	c := p.s.dial(t)
	c.send(`{"type":"connection_init"}`)
	if got := c.receive(); got != acknowledged {
		t.Fatalf("got %s", got)
	}
	return c
}

// first runs a mutation and gives the code of its first error, wherever that is.
func (c *rawSocket) first(body string) string {
	c.send(`{"id":"m","type":"subscribe","payload":` + body + `}`)
	var message struct {
		Type    string
		Payload struct {
			Data struct {
				LogIn struct{ Errors []struct{ Code string } }
			}
			Errors []struct{ Extensions struct{ Code string } }
		}
	}
	got := c.receive()
	if err := json.Unmarshal([]byte(got), &message); err != nil {
		c.t.Fatalf("%v: %s", err, got)
	}
	for c.receive() != `{"type":"complete","id":"m"}` && message.Type == "next" {
	}
	if len(message.Payload.Errors) > 0 {
		return message.Payload.Errors[0].Extensions.Code
	}
	return message.Payload.Data.LogIn.Errors[0].Code
}

// What costs something is limited for each network or person, at the top level and with the time to wait, and the audit
// log has a line of each.
func TestSensitiveOperationsAreLimited(t *testing.T) {
	eachGuarded(t, func(t *testing.T, s *testServer) {
		for i := range 5 {
			s.registered(t, "192.0.2.7", fmt.Sprintf("p%d@example.com", i))
		}
		_, r := s.from(t, "192.0.2.7", fmt.Sprintf(`mutation { registerUser(input: {email: "p5@example.com", password: %q, name: "Ada"}) { user { id } errors { code } } }`, password))
		refused := func(what string, r *reply, least time.Duration) {
			t.Helper()
			r.wantCode("", overLimit)
			if ms, ok := r.at("errors.0.extensions.retryAfterMs").(float64); !ok || ms <= 0 || ms > float64(least.Milliseconds()) {
				t.Errorf("%s: %s", what, r.body)
			}
		}
		refused("sign-ups", r, 12*time.Minute)
		if message, _ := r.at("errors.0.message").(string); !strings.Contains(message, "KYRO_RATE_SCALE=0") {
			t.Errorf("a developer is not told what to do: %s", message)
		}
		p := s.signUp(t) // from elsewhere
		bot := p.newBot()
		text := `mutation($b: ID!) { addTextDocument(input: {botId: $b, title: "T", text: "Some text."}) { document { id } errors { code } } }`
		untilRefused := func(what string, ask func() *reply) { // some come back while others are asked for
			accepted := 0
			for ; accepted < 40; accepted++ {
				if r = ask(); r.tree["errors"] != nil {
					break
				}
			}
			refused(what, r, 6*time.Second)
			if (what == "texts") != (accepted >= 10) || accepted == 40 {
				t.Errorf("%d %s were accepted", accepted, what)
			}
		}
		untilRefused("texts", func() *reply { return p.ask(text, vars{"b": bot}) })
		untilRefused("uploads", func() *reply { return p.upload(bot, "a.txt", []byte("Some text.")) })
		accepted := 0
		for ; accepted < 40; accepted++ { // some come back while these are stored
			if r = p.send(vars{"botId": bot, "text": "Hello?"}); r.tree["errors"] != nil {
				break
			}
		}
		refused("messages", r, 3*time.Second)
		if accepted < 20 || accepted == 40 {
			t.Errorf("%d messages were accepted", accepted)
		}
		for _, line := range []string{"Too many sign-ups.", "Too many documents.", "Too many messages."} {
			s.eventually(t, line, 1, "SELECT count(*) FROM audit_log WHERE action = 'LIMIT_HIT' AND NOT succeeded AND detail = '"+line+"'")
		}
	})
}

// New passwords that are easy to guess are refused with a reason, at the field.
func TestWeakPasswordsAreRefused(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil)
	p := &person{t: t, s: s}
	for weak, why := range map[string]string{
		"short": "at least 12", "1qaz2wsx3edc": "on the list", "ada.lovelace 1815!": "your email address", "kyrochat forever": "name of this service",
		"zyxwvutsrqpo": "easy to guess",
	} {
		r := p.ask(`mutation($p: String!) { registerUser(input: {email: "ada.lovelace@example.com", password: $p, name: "Ada"}) { errors { code message field } } }`, vars{"p": weak})
		r.wantCode("registerUser", "WEAK_PASSWORD")
		if message := r.text("registerUser.errors.0.message"); !strings.Contains(message, why) || fmt.Sprint(r.get("registerUser.errors.0.field")) != "[input password]" && fmt.Sprint(r.get("registerUser.errors.0.field")) != "[password]" {
			t.Errorf("%s: %s", weak, r.body)
		}
	}
}
