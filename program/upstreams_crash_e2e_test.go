package program

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
)

// onAgain starts a server process on what another one left when it was killed.
func onAgain(t *testing.T, p *person, env map[string]string) *process {
	t.Helper()
	if url := env["DATABASE_URL"]; url != "" {
		ageJobs(t, url)
		ageLeases(t, url)
	}
	again := startProcess(t, env)
	p.s = &again.testServer
	return again
}

// TestKillWhileAskingForEmbeddings kills the server while passages are embedded, and again while they are put into the
// index: what was paid for is not paid for again, but for the batch that was under way.
func TestKillWhileAskingForEmbeddings(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		u := startUpstreams(t, gemini.Options{})
		maps.Copy(env, u.env())
		server := startProcess(t, env)
		p := server.signUp(t)
		bot := p.newBot()
		u.gemini.Script(gemini.Script{Kind: gemini.KindEmbed, Skip: 3, Then: gemini.Hang})
		document := p.upload(bot, "ledger.txt", ledger).text("uploadDocument.document.id")
		u.gemini.MustAwait(t, func(list []gemini.Request) bool { return len(list) > 3 })
		server.kill()

		u.gemini.Reset()
		u.pinecone.Misbehave(pinecone.Fault{Method: "Upsert", Hang: true})
		server = onAgain(t, p, env)
		waitUntil(t, "vectors are put into the index", func() bool { return len(u.pinecone.Calls("Upsert")) > 0 })
		server.kill()

		u.pinecone.Behave()
		onAgain(t, p, env)
		if status := p.settled(document); status != "READY" {
			t.Fatalf("the document is %s", status)
		}
		chunks := int(p.must(`query($d: ID!) { document(id: $d) { chunkCount } }`, vars{"d": document}).number("document.chunkCount"))
		paid := u.paid("gemini-embedding-001")
		slices.Sort(paid)
		if once := len(slices.Compact(slices.Clone(paid))); once != chunks || len(paid) > chunks+100 {
			t.Errorf("%d passages were paid for, %d of them different, of %d", len(paid), once, chunks)
		}
		if n := len(u.pinecone.Records()); n != chunks {
			t.Errorf("the index has %d vectors of %d", n, chunks)
		}
	})
}

// TestKillWhileGeminiAnswers kills the server in the middle of an answer: what was written is kept, nobody asks for the
// rest, and what waited behind it is answered.
func TestKillWhileGeminiAnswers(t *testing.T) {
	eachSettings(t, func(t *testing.T, env map[string]string) {
		u := startUpstreams(t, gemini.Options{})
		maps.Copy(env, u.env())
		maps.Copy(env, map[string]string{"KYRO_ANSWER_LEASE": "10s", "KYRO_ANSWER_HEARTBEAT": "1s", "KYRO_ANSWER_SWEEP": "1s"})
		server := startProcess(t, env)
		p := server.signUp(t)
		bot := p.newBot()
		p.know(bot, "Tea Book", teaText)
		pieces := slices.Repeat([]string{"The tea house ", "opens at nine, ", "and again "}, 2000)
		u.gemini.Script(
			gemini.Script{Kind: gemini.KindAnswer, Times: 1, Pieces: pieces, Pace: 20 * time.Millisecond},
			gemini.Script{Kind: gemini.KindAnswer, Text: "It opens at nine in the morning [1]."},
		)
		sent := p.send(vars{"botId": bot, "text": "When does the tea house on Pepper Lane open?"})
		answer, conversation := sent.text("sendMessage.botMessage.id"), sent.text("sendMessage.conversation.id")
		behind := p.send(vars{"conversationId": conversation, "text": "When does the tea house on Pepper Lane open, I said?"}).text("sendMessage.botMessage.id")
		p.storedText(answer)
		server.kill()
		u.gemini.MustAwait(t, func(list []gemini.Request) bool { // the upstream hears that nobody listens
			return slices.ContainsFunc(list, func(q gemini.Request) bool { return q.Kind == gemini.KindAnswer && q.Gone != nil })
		})

		onAgain(t, p, env)
		finished, text := p.hear(answer)
		if got := finished.text("messageStream.message.status"); got != "INTERRUPTED" || text == "" || !strings.HasPrefix(strings.Join(pieces, ""), text) {
			t.Errorf("the answer is %s with %q", got, text)
		}
		newer := p.must(`mutation($m: ID!) { regenerateMessage(input: {messageId: $m, clientMessageId: "re"}) { botMessage { id } errors { code } } }`, vars{"m": answer}).text("regenerateMessage.botMessage.id")
		for _, message := range []string{behind, newer} {
			finished, text := p.hear(message)
			if text != "It opens at nine in the morning [1]." {
				t.Errorf("%q", text)
			}
			p.grounded(finished, u)
		}
		if n := len(u.gemini.RequestsOf(gemini.KindAnswer)); n != 3 {
			t.Errorf("an answer was asked for %d times, want 3", n)
		}
	})
}
