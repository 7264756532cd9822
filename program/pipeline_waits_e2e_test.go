package program

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"kyrochat/internal/gemini"
	"kyrochat/internal/testdb"
)

// A document is canceled on a node that does not work on it, while its model says nothing: the call ends soon.
func TestACancelReachesAnotherNode(t *testing.T) {
	t.Parallel()
	u := startUpstreams(t, gemini.Options{})
	url := testdb.PostgresURL(t)
	settings := func(role string) map[string]string {
		env := node(t, role, url)
		maps.Copy(env, u.env())
		return env
	}
	door, _ := startServer(t, settings("api")), startServer(t, settings("worker"))
	p := door.signUp(t)
	bot := p.newBot()
	u.gemini.Script(gemini.Script{Kind: gemini.KindEmbed, Match: "Silence", Then: gemini.Hang})
	silent := p.upload(bot, "Silence.txt", []byte("Silence is golden.")).text("uploadDocument.document.id")
	u.gemini.MustAwait(t, func(list []gemini.Request) bool { return len(list) == 1 })
	began := time.Now()
	p.must(`mutation($d: ID!) { cancelDocument(input: {documentId: $d}) { document { status } errors { code } } }`, vars{"d": silent})
	u.gemini.MustAwait(t, func(list []gemini.Request) bool { return list[0].Gone != nil })
	t.Logf("the call ended after %s", time.Since(began))
	p.know(bot, "Other", "The ferry to Bregenz leaves at noon.")
	if calls := len(u.passageCalls()); calls != 2 {
		t.Errorf("passages were sent %d times, want 2", calls)
	}
}

// Every third call is refused, and then the quota of a day is used up: nothing fails, and nothing is embedded twice.
func TestAQuotaThatIsUsedUpAgainAndAgain(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		u := startUpstreams(t, gemini.Options{})
		w := u.serve(t, env)
		p := w.signUp(t)
		bot := p.newBot()
		for i := range 4 {
			w.gemini.Script(gemini.Script{Kind: gemini.KindEmbed, Skip: 2 * (i + 1), Times: 1, Status: 429, RetryAfter: 1500 * time.Millisecond, Message: bodyCanary})
		}
		stop := w.hurry(t)
		var documents []string
		for i := range 6 {
			documents = append(documents, p.upload(bot, fmt.Sprintf("ledger%d.txt", i), fmt.Appendf(nil, "Book %d. %s", i, bigText(96<<10))).text("uploadDocument.document.id"))
		}
		for _, d := range documents {
			if status := p.settled(d); status != "READY" {
				t.Errorf("%s is %s", d, status)
			}
		}
		stop()
		w.gemini.Script(gemini.Script{Kind: gemini.KindEmbed, Times: 1, Status: 429, Daily: true, Message: bodyCanary})
		last := p.upload(bot, "Tea Book.txt", []byte(teaText)).text("uploadDocument.document.id")
		told := p.waiting(last)
		if told.text("documentProgress.status") != "WAITING_QUOTA" || told.get("documentProgress.retryAt") == nil {
			t.Errorf("%s", told.body)
		}
		paidOnce(t, u.paid("gemini-embedding-001"))
		if refused := len(u.passageCalls()) - countOK(u.passageCalls()); refused < 3 {
			t.Errorf("%d calls were refused", refused)
		}
	})
}

func countOK(list []gemini.Request) (n int) {
	for _, q := range list {
		if q.Status == 200 {
			n++
		}
	}
	return n
}
