package program

import (
	"context"
	"math"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kyrochat/config"
	"kyrochat/kyro"
)

// forget empties the caches of what is a person's.
func (s *testServer) forget(p *person) {
	p.t.Helper()
	owner, err := kyro.ParseID(p.must(`{ viewer { id } }`, nil).text("viewer.id"))
	if err != nil {
		p.t.Fatal(err)
	}
	s.app.caches.users.ForgetAll(owner)
	s.app.caches.bots.ForgetAll(owner)
	s.app.caches.documents.ForgetAll(owner)
}

// startRemembering starts a server for a test that counts statements: what it remembers does not get too old while a busy machine counts,
// as it would within a second where other processes may change it.
func startRemembering(t *testing.T, env map[string]string) *testServer {
	t.Helper()
	const long = 10 * time.Minute
	env["KYRO_CACHE_TTL"] = long.String()
	return startServerWith(t, env, testLog{t}, hooks{unheard: long})
}

// eachRemembering is eachDatabase with such servers.
func eachRemembering(t *testing.T, test func(t *testing.T, s *testServer)) {
	t.Helper()
	eachSettings(t, func(t *testing.T, env map[string]string) { test(t, startRemembering(t, env)) })
}

// TestWhatWasReadIsNotReadAgain, by any field that leads there.
func TestWhatWasReadIsNotReadAgain(t *testing.T) {
	eachRemembering(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		document := p.know(bot, "Tea", "Green tea is brewed at 80 degrees.")
		for _, query := range []string{
			`{ viewer { id name email } }`,
			`query($b: ID!) { bot(id: $b) { name suggestedQuestions owner { name } } }`,
			`query($d: ID!) { document(id: $d) { title status warnings { code } bot { name owner { name } } } }`,
			`query($b: ID!, $d: ID!) { nodes(ids: [$b, $d]) { id ... on Bot { name } ... on Document { title } } }`,
		} {
			s.forget(p)
			v := vars{"b": bot, "d": document}
			cold := p.must(query, v)
			before := s.statements.Load()
			warm := p.must(query, v)
			if n := s.statements.Load() - before; n != 0 {
				t.Errorf("%d statements for %s", n, query)
			}
			if string(cold.body[:strings.Index(string(cold.body), "extensions")]) != string(warm.body[:strings.Index(string(warm.body), "extensions")]) {
				t.Errorf("%s became %s", cold.body, warm.body)
			}
		}
	})
}

// TestWhoIsAskingIsNotReadAgain: whoever has been seen within a second costs no statement, by a session or by a key.
func TestWhoIsAskingIsNotReadAgain(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		bot := p.newBot()
		_, program := p.newAPIKey(nil, "READ")
		var statements atomic.Int64
		hear := func(_ context.Context, statement string) {
			if strings.Contains(statement, "sessions") || strings.Contains(statement, "api_keys") {
				statements.Add(1)
			}
		}
		s.overhear.Store(&hear)
		for name, who := range map[string]*person{"session": p, "key": program} {
			least := int64(math.MaxInt64)
			for end := time.Now().Add(20 * time.Second); least > 0 && time.Now().Before(end); { // a second may end between the two
				who.must(`query($b: ID!) { bot(id: $b) { id } }`, vars{"b": bot})
				before := statements.Load()
				who.must(`query($b: ID!) { bot(id: $b) { id } }`, vars{"b": bot})
				least = min(least, statements.Load()-before)
			}
			if least != 0 {
				t.Errorf("to know a %s takes %d statements each time", name, least)
			}
		}
	})
}

// TestTextOfWhatAnotherProcessDeleted: a row that is still remembered has no text any more, which costs nothing else of
// the answer.
func TestTextOfWhatAnotherProcessDeleted(t *testing.T) {
	eachRemembering(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		document := p.know(p.newBot(), "Tea", "Green tea is brewed at 80 degrees.")
		query := `query($d: ID!) { document(id: $d) { title text } }`
		p.must(query, vars{"d": document})
		s.exec(t, "UPDATE documents SET deleted_at = updated_at WHERE title = 'Tea'")
		if r := p.must(query, vars{"d": document}); r.text("document.title") != "Tea" || r.get("document.text") != nil {
			t.Errorf("%s", r.body)
		}
	})
}

// TestChangesAreSeenAtOnce: as soon as a change is acknowledged, no query gives what was there before, however many
// read at the time.
func TestChangesAreSeenAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, s *testServer) {
		p := s.signUp(t)
		const changes, readers = 12, 3
		bot := p.must(`mutation { createBot(input: {name: "0"}) { bot { id } errors { code } } }`, nil).text("createBot.bot.id")
		talk := p.must(`mutation($b: ID!) { createConversation(input: {botId: $b}) { conversation { id } errors { code } } }`, vars{"b": bot}).text("createConversation.conversation.id")
		alone := p.know(bot, "Tea", "Green tea is brewed at 80 degrees.")
		withBot := p.know(bot, "Coffee", "Coffee is brewed at 95 degrees.")

		var renamed atomic.Int64 // the name that was acknowledged last
		var aloneGone, botGoing, botGone atomic.Bool
		query := `query($b: ID!, $c: ID!, $d: ID!, $e: ID!) { bot: node(id: $b) { ... on Bot { name } } talk: node(id: $c) { ... on Conversation { bot { name } } }
			alone: node(id: $d) { id } withBot: node(id: $e) { id } }`
		read := func() (over bool) {
			least, noAlone, over := renamed.Load(), aloneGone.Load(), botGone.Load()
			r := p.ask(query, vars{"b": bot, "c": talk, "d": alone, "e": withBot})
			talk, _ := r.get("talk").(map[string]any)
			for _, found := range []any{r.get("bot"), talk["bot"]} {
				found, there := found.(map[string]any)
				name, _ := found["name"].(string)
				if n, err := strconv.ParseInt(name, 10, 64); there && (over || err != nil || n < least) {
					t.Errorf("the bot is %q after %d was acknowledged (deleted: %t)", name, least, over)
				}
			}
			if !botGoing.Load() && (r.get("bot") == nil || r.get("withBot") == nil) {
				t.Errorf("nothing was read: %s", r.body)
			}
			if noAlone && r.get("alone") != nil || over && r.get("withBot") != nil {
				t.Errorf("a deleted document is there: %s", r.body)
			}
			return over
		}
		var all sync.WaitGroup
		for range readers {
			all.Go(func() {
				for !read() && !t.Failed() {
				}
			})
		}
		for n := int64(1); n <= changes; n++ {
			p.must(`mutation($b: ID!, $n: String!) { updateBot(input: {botId: $b, name: $n}) { bot { id } errors { code } } }`, vars{"b": bot, "n": strconv.FormatInt(n, 10)})
			renamed.Store(n)
		}
		p.must(`mutation($d: ID!) { deleteDocument(input: {documentId: $d}) { deletedId errors { code } } }`, vars{"d": alone})
		aloneGone.Store(true)
		read()
		botGoing.Store(true)
		p.must(`mutation($b: ID!) { deleteBot(input: {botId: $b}) { deletedId errors { code } } }`, vars{"b": bot})
		botGone.Store(true)
		all.Wait()
	})
}

// TestSessionsAreRememberedForASecond at the most, since another node may end them.
func TestSessionsAreRememberedForASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCaches(config.Config{CacheEntries: 10, CacheTTL: time.Minute}, false, nil, alone)
		defer c.close()
		user, id, reads := kyro.UserID(1), kyro.SessionID(1), 0
		read := func(context.Context, kyro.ID, []kyro.ID) ([]kyro.Session, error) {
			reads++
			return []kyro.Session{{ID: id, UserID: user}}, nil
		}
		for i, want := range []int{1, 1, 2} {
			if got, err := c.sessions.Read(t.Context(), user, []kyro.ID{id}, read); err != nil || len(got) != 1 || reads != want {
				t.Errorf("after %d half seconds: %v, %v, %d reads", i, got, err, reads)
			}
			time.Sleep(time.Second / 2)
		}
	})
}
