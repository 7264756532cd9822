package program

import (
	"fmt"
	"maps"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"kyrochat/internal/gemini"
	"kyrochat/internal/pinecone"
	"kyrochat/internal/racetest"
)

// marked are documents that all tenants have word by word, but for a mark: %s.
var marked = []struct{ title, text string }{
	{"Harbour %s", "The harbour master %s rings the brass bell at six in the evening. Ships wait outside the harbour until the bell is heard.\n\nA berth in the harbour costs nine crowns, payable to %s."},
	{"Library %s", "The library opens at eight on weekdays, says %s. Readers borrow seven books from the library for three weeks.\n\nLost books of the library are paid to the keeper %s."},
	{"%s about lamps", "The lamps of the bridge burn whale oil, which %s buys in autumn. Every lamp on the bridge is lit by hand.\n\nThe bridge itself belongs to %s."},
}

// asked are questions about them, some of which nobody understands alone.
var asked = []string{
	"When does the harbour master ring the brass bell?", "And what does it cost?", "How many books do readers borrow from the library?", "And when does it open?",
	"What do the lamps of the bridge burn?", "Who owns it?", "Who is paid for lost books of the library?", "How is every lamp on the bridge lit?",
}

// place is a tenant's bot, by numbers from 0.
type place struct{ tenant, bot int }

func (p place) mark(document int) string { return fmt.Sprintf("zq%d%d%dx", p.tenant, p.bot, document) }

// signs are what shows whose a text is: the marks of documents, and what the questions end with.
var signs = regexp.MustCompile(`zq(\d)(\d)\dx|\(no (\d)(\d)-\d+\)`)

func (p place) question(n int) string {
	return fmt.Sprintf("%s (no %d%d-%d)", asked[n%len(asked)], p.tenant, p.bot, n)
}

// wordsOf gives whose words a text has.
func wordsOf(text string) map[place]int {
	found := map[place]int{}
	for _, m := range signs.FindAllStringSubmatch(text, -1) {
		tenant, _ := strconv.Atoi(m[1] + m[3])
		bot, _ := strconv.Atoi(m[2] + m[4])
		found[place{tenant, bot}]++
	}
	return found
}

// tenant is a bot with its documents and a conversation.
type tenant struct {
	*person
	place
	id        string
	documents []string
	talks     []string
}

// TestTenantsWithTheSameDocuments asks ten bots of five people, whose documents differ by a mark alone, over an index that
// knows neither namespaces nor filters and holds vectors that lie about whose they are: a thousand questions over both
// databases and both ways to use the index.
func TestTenantsWithTheSameDocuments(t *testing.T) {
	eachOutside(t, func(t *testing.T, o *outside, env map[string]string) {
		for _, namespace := range []string{"bot", "shared"} {
			if racetest.On() && (namespace == "shared") != (env["DATABASE_URL"] == "") {
				continue
			}
			settings := maps.Clone(env)
			settings["KYRO_PINECONE_NAMESPACE"] = namespace
			s := startServer(t, settings)
			o.gemini.Forget()
			tenants := settle(t, s)
			forge(t, o.pinecone)
			if err := o.pinecone.Script(pinecone.Script{IgnoreNamespaces: true, IgnoreFilters: true}); err != nil {
				t.Fatal(err)
			}
			rounds := pick(racetest.On(), 2, 7)
			var all sync.WaitGroup
			for _, one := range tenants {
				all.Go(func() { one.askAll(rounds) })
			}
			all.Wait()
			asked := len(tenants) * rounds * atOnce
			onlyOwnPrompts(t, o.gemini.Requests(), tenants, asked)
			for _, one := range tenants {
				one.readsOnlyOwn()
			}
			strangersFindNothing(t, s, tenants[0])
			if n := len(o.pinecone.Calls("Query")); n < asked/4 {
				t.Errorf("the index was asked %d times", n)
			}
			o.pinecone.Behave()
			o.pinecone.Forget()
			if err := s.stop(); err != nil { // two would not share a folder
				t.Fatal(err)
			}
		}
	})
}

// settle makes the tenants with all that they have.
func settle(t *testing.T, s *testServer) (tenants []*tenant) {
	t.Helper()
	for i := range 5 {
		p := s.signUp(t)
		for j := range 2 {
			one := &tenant{person: p, place: place{i, j}, id: p.newBot()}
			tenants = append(tenants, one)
			for n, d := range marked {
				one.documents = append(one.documents, p.know(one.id, fmt.Sprintf(d.title, one.mark(n)), strings.ReplaceAll(d.text, "%s", one.mark(n))))
			}
		}
	}
	return tenants
}

// forge puts vectors into the index that are said to be of one bot's document, and lead to a passage of another's.
func forge(t *testing.T, index *pinecone.Emulator) {
	t.Helper()
	records := index.Records()
	for i, r := range records {
		other := records[(i+len(records)/2)%len(records)]
		lie := maps.Clone(r.Metadata)
		number := lie["seq"].(float64) + 500
		lie["seq"], lie["chunk"] = number, other.Metadata["chunk"]
		place := r.ID[:strings.LastIndex(r.ID, "#")+1]
		if err := index.Put(pinecone.Record{Namespace: r.Namespace, ID: fmt.Sprintf("%s%05d", place, int(number)), Values: other.Values, Metadata: lie}); err != nil {
			t.Fatal(err)
		}
	}
}

// askAll goes on with two conversations, in turns.
func (o *tenant) askAll(rounds int) {
	o.talks = []string{o.newTalk(o.id), o.newTalk(o.id)}
	for n := range rounds {
		var questions []string
		for i := range atOnce {
			questions = append(questions, o.question(n*atOnce+i))
		}
		answers := o.sayAll(o.talks[n%2], questions...)
		o.finish(answers[len(answers)-1])
	}
}

// onlyOwnPrompts checks all that the model was told.
func onlyOwnPrompts(t *testing.T, requests []gemini.Request, tenants []*tenant, asked int) {
	t.Helper()
	kinds, seen := map[gemini.Kind]int{}, map[place]int{}
	for _, q := range requests {
		if q.Kind == gemini.KindEmbed {
			continue // batches join many bots; no vector knows of another
		}
		kinds[q.Kind]++
		whose := wordsOf(q.Words())
		if len(whose) != 1 {
			t.Errorf("the prompt %d (%s) has words of %v: %s", q.Number, q.Kind, whose, q.Words())
		}
		if q.Kind == gemini.KindAnswer && strings.Contains(q.Prompt, "zq") {
			for p := range whose {
				seen[p]++
			}
		}
	}
	if kinds[gemini.KindAnswer] < asked || // more where a node lost a claim
		kinds[gemini.KindRewrite] < asked/8 || kinds[gemini.KindTitle] == 0 || kinds[gemini.KindOther] > 0 {
		t.Errorf("%d questions, and the model was asked %v", asked, kinds)
	}
	for _, one := range tenants {
		if seen[one.place] < asked/len(tenants)/2 {
			t.Errorf("%d of the prompts of %v have a passage", seen[one.place], one.place)
		}
	}
}

// readsOnlyOwn checks all that the tenant is told.
func (o *tenant) readsOnlyOwn() {
	o.t.Helper()
	own, cited, found := 0, 0, 0
	only := func(what string) {
		whose := wordsOf(what)
		own += whose[o.place]
		if delete(whose, o.place); len(whose) > 0 {
			o.t.Errorf("%v reads words of %v: %s", o.place, whose, what)
		}
	}
	for _, talk := range o.talks {
		for _, m := range o.said(talk, `{ role status text citations { quote documentTitle document { id title } } }`) {
			if m.text("role") == "BOT" && m.text("status") != "COMPLETED" {
				o.t.Errorf("an answer is %s", m.text("status"))
			}
			cited += len(m.list("citations"))
			only(m.text("text") + fmt.Sprint(m.get("citations")))
		}
		only(o.must(`query($c: ID!) { conversation(id: $c) { title } }`, vars{"c": talk}).text("conversation.title"))
	}
	for _, question := range asked {
		hits := o.must(`query($b: ID!, $q: String!) { bot(id: $b) { search(query: $q, first: 50) { chunk { text document { title } } vectorRank } } }`, vars{"b": o.id, "q": question})
		found += len(hits.list("bot.search"))
		only(string(hits.body))
	}
	if own == 0 || cited == 0 || found == 0 {
		o.t.Errorf("%v reads %d own words, %d citations and %d hits", o.place, own, cited, found)
	}
}

// strangersFindNothing asks with the ids of others, which read like those of nothing.
func strangersFindNothing(t *testing.T, s *testServer, owner *tenant) {
	t.Helper()
	stranger := s.signUp(t)
	mine := stranger.newTalk(stranger.newBot())
	message := owner.must(`query($c: ID!) { conversation(id: $c) { messages(last: 1) { nodes { id } } } }`, vars{"c": owner.talks[0]}).text("conversation.messages.nodes.0.id")
	for id, operations := range map[string][]string{
		owner.id: {
			`{ bot(id: "%s") { name search(query: "harbour bell", first: 50) { chunk { text } } } }`, `{ node(id: "%s") { id ... on Bot { documents { nodes { text } } } } }`,
			`mutation { sendMessage(input: {botId: "%s", text: "When does the harbour bell ring?", clientMessageId: "x1"}) { botMessage { id } errors { code message } } }`,
			`mutation { createConversation(input: {botId: "%s"}) { conversation { id } errors { code message } } }`,
			`mutation { deleteBot(input: {botId: "%s"}) { deletedId errors { code message } } }`,
		},
		owner.documents[0]: {`{ document(id: "%s") { text } }`, `{ node(id: "%s") { id } }`, `subscription { documentProgress(documentId: "%s") { status } }`,
			`mutation { deleteDocument(input: {documentId: "%s"}) { deletedId errors { code message } } }`},
		owner.talks[0]: {
			`{ conversation(id: "%s") { title messages { nodes { text citations { quote } } } } }`, `subscription { conversationEvents(conversationId: "%s") { __typename } }`,
			`mutation { sendMessage(input: {conversationId: "%s", text: "Say it again.", clientMessageId: "x2"}) { botMessage { id } errors { code message } } }`,
		},
		message: {`{ message(id: "%s") { text citations { quote } } }`, `subscription { messageStream(messageId: "%s") { __typename } }`,
			`mutation { regenerateMessage(input: {messageId: "%s", clientMessageId: "x3"}) { botMessage { id } errors { code message } } }`},
	} {
		missing := id[:strings.Index(id, "_")] + "_888888888"
		for _, operation := range operations {
			if theirs, none := stranger.sayAnything(operation, id), stranger.sayAnything(operation, missing); theirs != none {
				t.Errorf("%s\nsomebody else's: %s\nnot there:       %s", operation, theirs, none)
			}
		}
	}
	// Nothing of others is in what they are answered either.
	finished, text := stranger.chat(vars{"conversationId": mine, "text": asked[0]})
	if len(wordsOf(string(finished.body)+text)) > 0 {
		t.Errorf("%s", finished.body)
	}
}
