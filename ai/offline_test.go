package ai_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"kyrochat/ai"
	"kyrochat/kyro"
	"kyrochat/text"
)

// promptOf asks a question of passages, with the frequencies that a bot of just these passages has.
func promptOf(question, language string, passages ...string) kyro.Prompt {
	p := kyro.Prompt{
		Bot: kyro.Bot{NoAnswerText: "I do not know."}, Question: question, Languages: []string{language},
		Lexical: kyro.LexicalResult{Total: len(passages), Frequent: map[string]int{}},
	}
	for _, s := range passages {
		p.Passages = append(p.Passages, kyro.Passage{Chunk: kyro.Chunk{Text: s}, Language: language})
		seen := map[string]bool{}
		for _, term := range text.Terms(s, language) {
			if !seen[term] {
				seen[term] = true
				p.Lexical.Frequent[term]++
			}
		}
	}
	return p
}

type reply struct {
	text   string
	pieces []string
	quotes []string
	at     []kyro.Quote
	finish kyro.Finish
}

func answered(t *testing.T, p kyro.Prompt) reply {
	t.Helper()
	var r reply
	ended := false
	for d, err := range (&ai.Extractive{}).Answer(t.Context(), p) {
		if err != nil {
			t.Fatal(err)
		}
		if ended {
			t.Fatal("something came after the end")
		}
		if !utf8.ValidString(d.Text) {
			t.Errorf("piece %q cuts a code point", d.Text)
		}
		r.text += d.Text
		if d.Text != "" {
			r.pieces = append(r.pieces, d.Text)
		}
		for _, q := range d.Quotes {
			r.at = append(r.at, q)
			r.quotes = append(r.quotes, p.Passages[q.Marker-1].Chunk.Text[q.ByteStart:q.ByteEnd])
		}
		if d.Finish != nil {
			r.finish, ended = *d.Finish, true
		}
	}
	if !ended {
		t.Fatal("the answer had no end")
	}
	return r
}

const (
	pool = "The pool opens at nine. It is heated to 27 degrees.\n\nDogs must stay outside."
	bus  = "The bus to the harbour leaves every\ntwenty minutes. A ticket costs 2.40."
)

func TestExtractiveQuotesTheSentenceThatAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, question, language string
		passages                 []string
		want                     string
	}{
		{"plain", "When does the pool open?", "en", []string{pool, bus}, "“The pool opens at nine.” [1]"},
		{"another passage", "How often does the bus to the harbour leave?", "en", []string{pool, bus}, "“The bus to the harbour leaves every twenty minutes.” [2]"},
		{"what it says of before", "Is it heated?", "en", []string{pool, bus}, "“The pool opens at nine. It is heated to 27 degrees.” [1]"},
		{"two parts", "Where must dogs stay and what does a ticket cost?", "en", []string{pool, bus}, "“Dogs must stay outside.” [1]\n\n“A ticket costs 2.40.” [2]"},
		{"a question in the text", "How do I reset the meter?", "en", []string{"How do I reset the meter? Hold the red key for five seconds."},
			"“How do I reset the meter? Hold the red key for five seconds.” [1]"},
		{"a lead to a list", "Which documents do I need?", "en", []string{"You need these documents:\n- a passport\n- a photo"}, "“You need these documents: - a passport - a photo” [1]"},
		{"Spanish", "¿Cuándo abre la piscina?", "es", []string{"La piscina abre a las nueve. Los perros esperan fuera."}, "«La piscina abre a las nueve.» [1]"},
		{"Chinese", "游泳池几点开门？", "zh", []string{"游泳池九点开门。狗不得入内。"}, "“游泳池九点开门。” [1]"},
		{"signs of Markdown", "What does the valve_open flag do?", "en", []string{"The valve_open flag sets `V1` to *open* [see <b>3</b>] when a < b."},
			"“The valve_open flag sets \\`V1\\` to \\*open\\* \\[see \\<b>3\\</b>\\] when a < b.” [1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := answered(t, promptOf(c.question, c.language, c.passages...))
			if r.text != c.want {
				t.Errorf("answered %q\n    want %q", r.text, c.want)
			}
			if r.finish.Reason != kyro.FinishStop || r.finish.Grounding == kyro.GroundingNotFound || !slices.Equal(r.finish.Notices, []kyro.MessageNotice{kyro.NoticeOfflineAnswer}) {
				t.Errorf("finish %+v", r.finish)
			}
			if u := r.finish.Usage; u.Model != "kyro-extractive-1" || u.PromptTokens == 0 || u.OutputTokens != text.Tokens(r.text) {
				t.Errorf("usage %+v", u)
			}
		})
	}
}

func TestExtractiveCitesVerbatim(t *testing.T) {
	t.Parallel()
	r := answered(t, promptOf("How often does the bus to the harbour leave?", "en", pool, bus))
	if !slices.Equal(r.quotes, []string{"The bus to the harbour leaves every\ntwenty minutes."}) || r.at[0].Marker != 2 {
		t.Errorf("quotes %q at %v", r.quotes, r.at)
	}
	if len(r.pieces) < 8 {
		t.Errorf("came in %d pieces: %q", len(r.pieces), r.pieces)
	}
}

func TestExtractiveSaysHowSureItIs(t *testing.T) {
	t.Parallel()
	if r := answered(t, promptOf("When does the pool open?", "en", pool, bus)); r.finish.Grounding != kyro.Grounded {
		t.Errorf("a full match is %s", r.finish.Grounding)
	}
	if r := answered(t, promptOf("Who fitted the heated pool?", "en", pool, bus)); r.finish.Grounding != kyro.GroundedPartly {
		t.Errorf("a match in part is %s: %s", r.finish.Grounding, r.text)
	}
}

func TestExtractiveAbstains(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]kyro.Prompt{
		"no passages":           promptOf("When does the pool open?", "en"),
		"another subject":       promptOf("Which museum shows paintings by children?", "en", pool, bus),
		"a name nobody knows":   promptOf("When does the Zanzibar Aquadome open?", "en", pool, bus),
		"a number nobody knows": promptOf("Where does line 4711 leave?", "en", pool, bus),
		"a greeting":            promptOf("Hello!", "en", pool, bus),
		"no words":              promptOf("???", "en", pool, bus),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := answered(t, p)
			if r.text != "I do not know." || len(r.quotes) != 0 || r.finish.Grounding != kyro.GroundingNotFound || r.finish.Reason != kyro.FinishStop {
				t.Errorf("answered %q, %+v", r.text, r.finish)
			}
		})
	}
}

func TestExtractiveLooksThroughPoliteness(t *testing.T) {
	t.Parallel()
	r := answered(t, promptOf("Hello, I would like to know when the pool opens, thanks!", "en", pool, bus))
	if !slices.Equal(r.quotes, []string{"The pool opens at nine."}) {
		t.Errorf("answered %q", r.text)
	}
}

// A heading names what is asked about, and what stands below it is the answer.
func TestExtractiveAnswersWithWhatStandsBelowAHeading(t *testing.T) {
	t.Parallel()
	const returns = "Returns\n\nUnused goods may be sent back within 45 days. The postage is paid by the customer.\n\n"
	const below = "“Unused goods may be sent back within 45 days. The postage is paid by the customer.” [1]"
	for _, c := range []struct {
		name, question, passage string
		headings                []string
		want                    string
	}{
		{"a heading of the passage", "What about returns?", "2 " + returns + "Zips are covered for three years.", []string{"Handbook", "2 Returns"}, below},
		{"a marked heading", "What about returns?", "## " + returns + "## Zips\n\nThey are covered for three years.", nil, below},
		{"what it says about something", "What does it say about returns?", "## " + returns, nil, below},
		{"an unmarked heading", "What about returns?", "2. " + returns, nil, "“2. Returns Unused goods may be sent back within 45 days.” [1]"},
		{"nothing below", "What about returns?", "## Returns", nil, "“## Returns” [1]"},
		{"a row of a table", "How much does the Sarek 60 cost?", "Prices\n\nTent Fjell 449 EUR\n\nPack Sarek 60 219 EUR\n\nStove 89 EUR\n\n5 Shipping\n\nOrders leave at noon.", nil,
			"“Pack Sarek 60 219 EUR” [1]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := promptOf(c.question, "en", c.passage)
			p.Passages[0].Chunk.HeadingPath = c.headings
			if r := answered(t, p); r.text != c.want {
				t.Errorf("answered %q\n    want %q", r.text, c.want)
			}
		})
	}
}

// The question before says what is meant, and is not answered again.
func TestExtractiveAnswersTheLastQuestionAlone(t *testing.T) {
	t.Parallel()
	p := promptOf("What does it say about the warranty?", "en", "Goods are returned by post. The warranty is ten years.")
	p.History = []kyro.Message{{Role: kyro.RoleUser, Text: "How are goods returned?"}, {Role: kyro.RoleBot, Text: "By post."}}
	if r := answered(t, p); !slices.Equal(r.quotes, []string{"The warranty is ten years."}) {
		t.Errorf("answered %q", r.text)
	}
}

func TestExtractiveFollowsTheConversation(t *testing.T) {
	t.Parallel()
	p := promptOf("And how many degrees does it have?", "en", "The library opens at ten. Its rooms are heated to 20 degrees.", pool)
	p.Passages[0], p.Passages[1] = p.Passages[1], p.Passages[0]
	p.History = []kyro.Message{{Role: kyro.RoleUser, Text: "When does the library open?"}, {Role: kyro.RoleBot, Text: "At ten."}}
	if r := answered(t, p); len(r.quotes) == 0 || !strings.Contains(r.quotes[0], "20 degrees") {
		t.Errorf("answered %q", r.text)
	}
}

func TestExtractiveKeepsToItsLimit(t *testing.T) {
	t.Parallel()
	p := promptOf("How often does the bus to the harbour leave?", "en", pool, bus)
	full := answered(t, p)
	for limit := 1; limit <= text.Tokens(full.text)+20; limit++ {
		p.Bot.MaxOutputTokens = &limit
		r := answered(t, p)
		if r.text == full.text {
			if r.finish.Reason != kyro.FinishStop || limit < text.Tokens(full.text) {
				t.Errorf("limit %d: whole, but %+v", limit, r.finish)
			}
			continue
		}
		if r.finish.Reason != kyro.FinishLength || !strings.HasSuffix(r.text, "…” [2]") || len(r.quotes) != 1 || !strings.HasPrefix(bus, r.quotes[0]) {
			t.Errorf("limit %d: %q quotes %q, %+v", limit, r.text, r.quotes, r.finish)
		}
		if limit > 12 && r.finish.Usage.OutputTokens > limit {
			t.Errorf("limit %d: %d tokens", limit, r.finish.Usage.OutputTokens)
		}
	}
}

func TestExtractiveStopsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		e := &ai.Extractive{Pace: time.Hour}
		time.AfterFunc(90*time.Minute, cancel)
		began, pieces := time.Now(), 0
		for _, err := range e.Answer(ctx, promptOf("When does the pool open?", "en", pool, bus)) {
			if err != nil {
				if !errors.Is(err, context.Canceled) || pieces != 1 || time.Since(began) != 90*time.Minute {
					t.Errorf("%v after %d pieces and %s", err, pieces, time.Since(began))
				}
				return
			}
			pieces++
		}
		t.Error("it did not stop")
	})
}

func TestExtractiveLetsItsReaderLeave(t *testing.T) {
	t.Parallel()
	pieces := 0
	for range (&ai.Extractive{}).Answer(t.Context(), promptOf("When does the pool open?", "en", pool, bus)) {
		if pieces++; pieces == 2 {
			break
		}
	}
	if pieces != 2 {
		t.Errorf("%d pieces", pieces)
	}
}

func FuzzExtractive(f *testing.F) {
	f.Add("When does the pool open?", pool)
	f.Add("游泳池几点开门？", "游泳池九点开门。\n\n狗不得入内")
	f.Add("a", "\xff a\xff b _* [1] ")
	f.Fuzz(func(t *testing.T, question, passage string) {
		if !utf8.ValidString(question) || !utf8.ValidString(passage) {
			return
		}
		p := promptOf(question, "en", passage)
		limit := 1 + len(question)%40
		p.Bot.MaxOutputTokens = &limit
		for _, q := range answered(t, p).quotes {
			if q == "" || !utf8.ValidString(q) {
				t.Errorf("quote %q", q)
			}
		}
	})
}

func BenchmarkExtractive(b *testing.B) {
	long := strings.Repeat(pool+" "+bus+" ", 15)
	p := promptOf("How often does the bus to the harbour leave?", "en", long, long, long, long, long)
	for b.Loop() {
		for range (&ai.Extractive{}).Answer(b.Context(), p) {
		}
	}
}
