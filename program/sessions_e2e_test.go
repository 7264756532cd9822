package program

import (
	"strings"
	"sync"
	"testing"

	"kyrochat/internal/testdb"
)

// signIn signs the person in on another device.
func (p *person) signIn() (device *person, refreshToken string) {
	p.t.Helper()
	in := p.must(`mutation($e: String!, $p: String!) { logIn(input: {email: $e, password: $p}) { accessToken refreshToken errors { code } } }`,
		vars{"e": p.email, "p": password})
	return &person{t: p.t, s: p.s, token: in.text("logIn.accessToken"), email: p.email}, in.text("logIn.refreshToken")
}

func (p *person) refresh(token string) *reply {
	p.t.Helper()
	return p.ask(`mutation($t: String!) { refreshSession(input: {refreshToken: $t}) { refreshToken accessToken errors { code message } } }`, vars{"t": token})
}

// sessions are the ids of the person's sessions, and which of them is the person's own.
func (p *person) sessions() (ids []string, current string) {
	p.t.Helper()
	for _, each := range p.must(`{ viewer { sessions { id current createdAt lastUsedAt userAgent addressPrefix } } }`, nil).list("viewer.sessions") {
		s := each.(map[string]any)
		ids = append(ids, s["id"].(string))
		if s["current"] == true {
			current += s["id"].(string)
		}
		if s["addressPrefix"] != "127.0.0.0/24" || s["userAgent"] == nil {
			p.t.Errorf("the session %v", s)
		}
	}
	return ids, current
}

func TestSessions(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p, stranger := s.signUp(t), s.signUp(t)
		second, refresh := p.signIn()
		third, _ := p.signIn()
		ids, own := second.sessions()
		if len(ids) != 3 || own != ids[1] {
			t.Fatalf("the sessions %v, of which %s is the own", ids, own)
		}
		second.refresh(refresh).text("refreshSession.accessToken")
		if after, _ := second.sessions(); after[0] != own {
			t.Errorf("after one was used: %v", after)
		}
		_, last := third.sessions()
		revoke := func(p *person, id string) *reply {
			return p.ask(`mutation($s: ID!) { revokeSession(input: {sessionId: $s}) { deletedId errors { code } } }`, vars{"s": id})
		}
		node := func(p *person, id string) any {
			return p.must(`query($s: ID!) { node(id: $s) { id } }`, vars{"s": id}).get("node")
		}
		if node(second, last) == nil || node(stranger, last) != nil {
			t.Error("a session is to be seen by its own person alone")
		}
		revoke(stranger, last).wantCode("", "NOT_FOUND")
		revoke(second, "session_999").wantCode("", "NOT_FOUND")
		revoke(second, "bot_1").wantCode("", "BAD_USER_INPUT")
		third.must(`{ viewer { id } }`, nil)
		socket := third.socket(t)
		if r := revoke(second, last); r.text("revokeSession.deletedId") != last {
			t.Errorf("%s", r.body)
		}
		third.ask(`{ viewer { id } }`, nil).wantCode("", "UNAUTHENTICATED") // at once on this node
		socket.expect("4401 ")
		if node(second, last) != nil {
			t.Error("a session that ended is still there")
		}
		revoke(second, last).wantCode("", "NOT_FOUND")

		others := func(p *person, password string) *reply {
			return p.ask(`mutation($p: String!) { revokeOtherSessions(input: {password: $p}) { accepted errors { code field } } }`, vars{"p": password})
		}
		others(second, "wrong horse battery").wantCode("revokeOtherSessions", "INVALID_CREDENTIALS")
		p.must(`{ viewer { id } }`, nil)
		socket, mine := p.socket(t), second.socket(t)
		if r := others(second, password); r.get("revokeOtherSessions.accepted") != true {
			t.Errorf("%s", r.body)
		}
		p.ask(`{ viewer { id } }`, nil).wantCode("", "UNAUTHENTICATED")
		socket.expect("4401 ")
		if code := mine.ask(`{"query":"{viewer{email}}"}`); code != "" {
			t.Errorf("the socket of the session that asked: %s", code)
		}
		if ids, own := second.sessions(); len(ids) != 1 || ids[0] != own {
			t.Errorf("left are %v", ids)
		}
		stranger.must(`{ viewer { id } }`, nil)
		// The own one, by a socket: the lines of the audit log know which request it was.
		mine.send(`{"id":"own","type":"subscribe","payload":{"query":"mutation{revokeSession(input:{sessionId:\"` + own + `\"}){deletedId}}"}}`)
		for got := ""; !strings.HasPrefix(got, "4401 "); {
			if got = mine.receive(); strings.Contains(got, "errors") || got[0] != '{' && !strings.HasPrefix(got, "4401 ") {
				t.Fatalf("the socket of the session that ended itself: %s", got)
			}
		}
		second.untilRefused()
		if n := s.number(t, "SELECT count(*) FROM audit_log WHERE action IN ('SESSION_REVOKED', 'SESSIONS_REVOKED') AND request_id <> ''"); n != 4 { // with the one that was refused
			t.Errorf("%d lines of the audit log, want 4", n)
		}
	})
}

// refreshAtOnce sends a refresh token 20 times at once, to the servers in turn, and gives the one successor.
func refreshAtOnce(t *testing.T, token string, servers ...*testServer) (next string) {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	nexts := map[string]bool{}
	for i := range 20 {
		p := &person{t: t, s: servers[i%len(servers)]}
		all.Go(func() {
			r := p.refresh(token)
			mu.Lock()
			defer mu.Unlock()
			nexts[r.text("refreshSession.refreshToken")] = true
		})
	}
	all.Wait()
	if len(nexts) != 1 {
		t.Fatalf("the successors %v", nexts)
	}
	for next = range nexts {
	}
	return next
}

func TestParallelRefreshesAgree(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		_, token := s.signUp(t).signIn()
		for range 3 {
			next := refreshAtOnce(t, token, s)
			if next == token {
				t.Fatal("the token was not replaced")
			}
			token = next
		}
	})
}

func TestParallelRefreshesAgreeOnEveryNode(t *testing.T) {
	withAndWithoutRedis(t, nil, func(t *testing.T, w *town) {
		_, token := w.servers[0].signUp(t).signIn()
		for range 3 {
			token = refreshAtOnce(t, token, &w.servers[0].testServer, &w.servers[1].testServer)
		}
	})
}

// TestReuseEndsTheSession with what it has open; its owner is told by one letter.
func TestReuseEndsTheSession(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]map[string]string{"sqlite": nil, "postgres": {"DATABASE_URL": testdb.PostgresURL(t)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startServer(t, env)
			p := s.signUp(t)
			device, token := p.signIn()
			next := device.refresh(token).text("refreshSession.refreshToken")
			socket, other := device.socket(t), p.socket(t)
			if again := device.refresh(token); again.text("refreshSession.refreshToken") != next {
				t.Errorf("within the grace: %s", again.body)
			}
			s.exec(t, ageRotations(s)) // as if the grace were over
			thief := &person{t: t, s: s}
			var all sync.WaitGroup
			for range 5 {
				all.Go(func() { thief.refresh(token).wantCode("refreshSession", "INVALID_TOKEN") })
			}
			all.Wait()
			socket.expect("4401 ")
			device.ask(`{ viewer { id } }`, nil).wantCode("", "UNAUTHENTICATED")
			device.refresh(next).wantCode("refreshSession", "INVALID_TOKEN")
			if code := other.ask(`{"query":"{viewer{email}}"}`); code != "" {
				t.Errorf("another session of the person: %s", code)
			}
			if letters, lines := s.number(t, "SELECT count(*) FROM letters WHERE kind = 'refresh-reused' AND recipient = '"+p.email+"'"), s.number(t, "SELECT count(*) FROM audit_log WHERE action = 'REFRESH_REUSED'"); letters != 1 || lines != 1 {
				t.Errorf("%d letters and %d lines, want one each", letters, lines)
			}
		})
	}
}

// ageRotations is a statement after which the grace of every rotation is over.
func ageRotations(s *testServer) string {
	if s.env["DATABASE_URL"] == "" {
		return "UPDATE sessions SET rotated_at = '2020-01-01 00:00:00+00:00'"
	}
	return "UPDATE sessions SET rotated_at = '2020-01-01 00:00:00+00'"
}
