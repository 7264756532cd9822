package program

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf16"

	"kyrochat/internal/gemini"
	"kyrochat/internal/racetest"
)

// fact is a sentence of a document. Answers quote it.
type fact = string

// library are the documents that are cited. Every one of them has what makes offsets go wrong.
var library = []struct {
	name, question string
	facts          []fact
	write          func(facts []fact) string
}{
	{"train.pdf", "What does the log of the night train say about its wagons?", trainFacts(), nil},
	{"observatory.md", "What does the handbook say about the observatory of Kestrel Hill?", []fact{
		"The observatory of Kestrel Hill was built in 1888 by the widow Anselm.", "Its **largest lens** was ground in Jena and weighs 212 kilograms.",
		"The dome of the observatory turns on `forty-two` iron balls.", "Visitors of the observatory see Saturn on clear nights in March.",
		"The second lens is kept in a box of cedar – nobody may touch it.", "The observatory's clock runs eleven seconds slow, and everyone knows it.",
	}, func(f []fact) string {
		return "# Kestrel Hill\n\n" + f[0] + " " + f[1] + "\n\n## The dome\n\n- " + f[2] + "\n- " + f[3] + "\n\n> " + f[4] + "\n\n| part | note |\n|---|---|\n| clock | 11 s |\n\n" + f[5] + "\n"
	}},
	{"museum.txt", "博物馆的规定对参观者说了什么？", []fact{
		"博物馆每周二至周日上午九点半开门。", "参观者不得在展厅内使用闪光灯拍照。", "儿童票的价格是成人票价格的一半。", "馆内最古老的青铜鼎出土于一九三四年。", "博物馆的图书室只对研究人员开放。", "雨天时庭院的侧门将会关闭。",
	}, func(f []fact) string {
		return "博物馆规定\n\n" + strings.Join(f[:3], "") + "\n\n" + strings.Join(f[3:], "")
	}},
	{"garden.txt", "Which signs stand in the garden of the emoji gardener?", []fact{
		"😀 The first sign of the garden says 🌷🌷 in letters of brass.", "Behind it 👩‍🌾 the gardener planted 𝔫𝔦𝔫𝔢 rows of beans in the garden.", "A𝒷c𝒹 is written on the sign of the greenhouse 🏡 since 1999.",
		"The garden 🌻 closes at dusk, when the gardener 𝕱ritz rings 🔔 twice.", "Mind the step ⚠️ says the last sign of the garden, 🐌 slowly.",
	}, func(f []fact) string {
		return "🌍🌍🌍\n\n" + strings.Join(f[:2], " ") + "\n\n" + strings.Join(f[2:], " 💠 ")
	}},
	{"letters.txt", "What do the old letters say about the lighthouse office?", []fact{
		"The old letters say that the light-\nhouse office burned for three days.", "Its ﬁrst oﬃcer ﬂed in a rowing boat, which the letters call “The Swift”.", "“Nobody was hurt,” wrote the keeper’s wife — “but the archive is lost.”",
		"The oﬃce   was rebuilt in stone by the com-\nmissioners of the northern coast.", "Letters about the lighthouse cost ½ crown, or 2‑3 crowns by night mail.",
	}, func(f []fact) string {
		return "Old letters\n\n" + f[0] + " " + f[1] + "\n\n" + f[2] + " " + f[3] + "\n\n" + f[4]
	}},
}

const trainPages, trainPage = 5, 7

func trainFacts() (facts []fact) {
	nouns := []string{"copper kettle", "velvet curtain", "spare lantern", "oak bench", "ticket stove", "brass whistle", "mail sack"}
	for page := 1; page <= trainPages; page++ {
		for i := range trainPage {
			facts = append(facts, fmt.Sprintf("Wagon %d of the night train carries the %s number %d, which the log book of the conductor counts among the goods of page %d.", page*10+i, nouns[i], page*100+i*7, page))
		}
	}
	return facts
}

// trainPDF has the facts on their pages.
func trainPDF(t *testing.T) []byte {
	var pages []string
	for page := range slices.Chunk(trainFacts(), trainPage) {
		pages = append(pages, strings.Join(page, " "))
	}
	return newPDF(t, pages...)
}

// claims is what an answer quotes, and whether the server may believe it.
type claims struct {
	kind          string
	true, fake    []string // quotes that stand in the passage named, and those that do not
	nothing, some bool     // of citations there must be none, or any
}

// quoter answers with quotes that are right, nearly right, and wrong, and notes them by the question's number.
type quoter struct {
	mu    sync.Mutex
	notes map[int]claims
}

// shelf are the facts that stand in a passage.
type shelf struct {
	marker string
	text   string
	facts  []fact
}

func shelvesOf(q gemini.Request) (all []shelf) {
	for _, p := range passageBlock.FindAllStringSubmatch(q.Prompt, -1) {
		_, text, _ := strings.Cut(p[2], "\n") // behind the title
		s := shelf{marker: p[1], text: text}
		for _, d := range library {
			for _, f := range d.facts {
				if strings.Contains(text, f) {
					s.facts = append(s.facts, f)
				}
			}
		}
		if len(s.facts) > 0 {
			all = append(all, s)
		}
	}
	return all
}

// retyped is a quote as another typesetter would write it.
var retyped = strings.NewReplacer("-\n", "", "“", "„", "”", "“", "’", "'", "—", "–", "–", "-", "ﬁ", "fi", "ﬃ", "ffi", "ﬂ", "fl", "½", "1⁄2", "‑", "-", "**", "", "`", "", "   ", "\n", " the ", "  the\t").Replace

func (c *quoter) say(q gemini.Request) string {
	shelves, number := shelvesOf(q), questionLine.FindStringSubmatch(q.Prompt)
	if len(shelves) == 0 || number == nil {
		return "There is nothing of it in the passages."
	}
	n, _ := strconv.Atoi(number[2])
	said, note := quote(n, shelves)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes[n] = note
	return said
}

const manners = 17

// quote makes an answer to the nth question.
func quote(n int, shelves []shelf) (said string, c claims) {
	from := shelves[n/manners%len(shelves)]
	for _, s := range shelves {
		if slices.Contains(library[n%len(library)].facts, s.facts[0]) {
			from = s // what was asked about
		}
	}
	f, m := from.facts[n/3%len(from.facts)], from.marker
	other := from.facts[(n/3+1)%len(from.facts)]
	far := shelves[(n/manners+1)%len(shelves)]
	outer := func(s string) string { return "»" + s + "«" }
	if strings.ContainsAny(f, "。，") {
		outer = func(s string) string { return "「" + s + "」" }
	} else if !strings.ContainsAny(f, `"`) {
		outer = func(s string) string { return `"` + s + `"` }
	}
	runes := []rune(f)
	fake := string(runes[:len(runes)/2]) + " never " + string(runes[len(runes)/2:])
	switch n % manners {
	case 0:
		return fmt.Sprintf("It says %s [%s].", outer(f), m), claims{kind: "exact", true: []string{f}}
	case 1:
		return fmt.Sprintf("It says %s [%s].", outer(retyped(f)), m), claims{kind: "retyped", true: []string{f}}
	case 2:
		return fmt.Sprintf("It says %s [%s].", outer(fake), m), claims{kind: "fabricated", fake: []string{fake}, nothing: true}
	case 3:
		if far.marker == m || strings.Contains(far.text, f) {
			return "Nothing is said.", claims{kind: "nothing", nothing: true}
		}
		return fmt.Sprintf("It says %s [%s].", outer(f), far.marker), claims{kind: "wrong marker", nothing: true}
	case 4:
		return fmt.Sprintf("It says %s [99] [0] [%d].", outer(f), len(shelves)+50), claims{kind: "bogus marker", nothing: true}
	case 5:
		if far.marker == m {
			return fmt.Sprintf("It says %s [%s].", outer(f), m), claims{kind: "exact", true: []string{f}}
		}
		low, high := min(m, far.marker), max(m, far.marker)
		return fmt.Sprintf("It says %s and also %s [%s-%s].", outer(f), outer(far.facts[0]), low, high), claims{kind: "range", true: []string{f, far.facts[0]}}
	case 6:
		return strings.Trim(f, ".。") + " [" + m + "].", claims{kind: "told", some: true}
	case 7:
		return fmt.Sprintf("One thing is %s [%s]. Another is %s [%s].", outer(f), m, outer(fake), m), claims{kind: "half fabricated", true: []string{f}, fake: []string{fake}}
	case 8:
		return fmt.Sprintf("【%s】 It is written: %s", m, outer(string(runes[3:len(runes)-2]))), claims{kind: "inside", true: []string{strings.TrimSpace(string(runes[3 : len(runes)-2]))}}
	case 9:
		return "All of it: " + outer(f), claims{kind: "no marker", nothing: true}
	case 10:
		return fmt.Sprintf("- %s [%s]\n- %s [%s]\n", outer(f), m, outer(other), m), claims{kind: "list", true: []string{f, other}}
	case 11:
		return fmt.Sprintf("See `[%s]` and ```\n%s [%s]\n``` only.", m, f, m), claims{kind: "in code", nothing: true}
	case 12:
		return fmt.Sprintf("It says %s [%s][%s, 98].", outer(f), m, m), claims{kind: "doubled", true: []string{f}}
	case 13:
		return "😀𝔘 " + outer(f) + " 🌍 [" + m + "] and [x](https://example.com/" + m + ").", claims{kind: "astral", true: []string{f}}
	case 14:
		return fmt.Sprintf("It says %s [%s].", outer(strings.ToUpper(fake)), m), claims{kind: "shouted", fake: []string{fake}, nothing: true}
	}
	if n%manners == 15 {
		for _, from := range shelves {
			for i, f := range from.facts[1:] {
				if tens := f[len("Wagon "):]; strings.HasPrefix(f, "Wagon ") && strings.HasPrefix(tens[1:], "0 ") {
					both := from.facts[i] + " " + f
					return fmt.Sprintf("It says %q [%s].", both, from.marker), claims{kind: "over two pages", true: []string{from.facts[i] + "\n\n" + f}}
				}
			}
		}
	}
	unquoted := strings.NewReplacer("“", "", "”", "").Replace(strings.ToLower(strings.Trim(other, ".。")))
	return fmt.Sprintf("Something of %s stands in [%s].", unquoted, m), claims{kind: "about", some: true}
}

// TestCitationsAreSlices has a model answer with quotes of every kind from documents of every kind: 520 answers over both
// databases.
func TestCitationsAreSlices(t *testing.T) {
	eachOutside(t, func(t *testing.T, o *outside, env map[string]string) {
		maps.Copy(env, allDay)
		s := startServer(t, env)
		p := s.signUp(t)
		bot := p.must(`mutation { createBot(input: {name: "Library", topK: 8}) { bot { id } errors { code message } } }`, nil).text("createBot.bot.id")
		texts, pdf := map[string]string{}, ""
		for _, d := range library {
			content := trainPDF(t)
			if d.write != nil {
				content = []byte(d.write(d.facts))
			}
			id := p.upload(bot, d.name, content).text("uploadDocument.document.id")
			if status := p.settled(id); status != "READY" {
				t.Fatalf("%s is %s", d.name, status)
			}
			texts[id] = p.must(`query($d: ID!) { document(id: $d) { text } }`, vars{"d": id}).text("document.text")
			if d.write == nil {
				pdf = id
			}
			for _, f := range d.facts {
				if !strings.Contains(texts[id], f) {
					t.Fatalf("%s does not hold %q: %q", d.name, f, texts[id])
				}
			}
		}
		c := &quoter{notes: map[int]claims{}}
		o.gemini.Script(gemini.Script{Kind: gemini.KindAnswer, Say: c.say})
		answers := pick(racetest.On(), 100, 260)
		const askers, talkative = 5, 20
		talks := make(chan string, answers)
		var asking sync.WaitGroup
		for a := range askers {
			asking.Go(func() {
				for first := a * talkative; first < answers; first += askers * talkative {
					talk := p.newTalk(bot)
					talks <- talk
					for n := first; n < first+talkative; n += atOnce {
						var questions []string
						for i := n; i < n+atOnce; i++ {
							questions = append(questions, fmt.Sprintf("%s (no 0-%d)", library[i%len(library)].question, i))
						}
						all := p.sayAll(talk, questions...)
						p.finish(all[len(all)-1])
					}
				}
			})
		}
		asking.Wait()
		close(talks)
		l := &librarian{t: t, texts: texts, pdf: pdf, notes: c.notes, kinds: map[string]int{}, documents: map[string]int{}, pages: map[int]int{}}
		for talk := range talks {
			number := 0
			for _, m := range p.said(talk, `{ role text status grounding citations { marker quote charStart charEnd pageStart pageEnd verified documentVersion document { id version } } }`) {
				if m.text("role") == "USER" {
					number, _ = strconv.Atoi(strings.TrimSuffix(m.text("text")[strings.LastIndex(m.text("text"), "-")+1:], ")"))
					continue
				}
				l.check(number, m)
			}
		}
		l.sum(answers)
	})
}

// librarian checks what is cited.
type librarian struct {
	t     *testing.T
	texts map[string]string // by document
	pdf   string
	notes map[int]claims

	answers   int
	kinds     map[string]int // answers by kind of quote
	documents map[string]int // citations
	pages     map[int]int
}

func (l *librarian) check(number int, m *reply) {
	note, known := l.notes[number]
	text := m.text("text")
	wrong := func(format string, args ...any) {
		l.t.Errorf("answer %d (%s) %q: "+format, append([]any{number, note.kind, text}, args...)...)
	}
	if m.text("status") != "COMPLETED" || !known {
		wrong("%s, known: %t", m.text("status"), known)
		return
	}
	l.answers++
	l.kinds[note.kind]++
	var quotes []string
	for i := range m.list("citations") {
		at := fmt.Sprintf("citations.%d.", i)
		id, quote, start, end := m.text(at+"document.id"), m.text(at+"quote"), m.number(at+"charStart"), m.number(at+"charEnd")
		quotes = append(quotes, quote)
		l.documents[id]++
		if end > float64(len(utf16.Encode([]rune(l.texts[id])))) || slice(l.texts[id], start, end) != quote || quote == "" {
			wrong("%g to %g is not %q", start, end, quote)
			continue
		}
		if m.get(at+"verified") != true || m.number(at+"documentVersion") != m.number(at+"document.version") {
			wrong("verified %v, version %g", m.get(at+"verified"), m.number(at+"documentVersion"))
		}
		if id != l.pdf {
			if m.get(at+"pageStart") != nil || m.get(at+"pageEnd") != nil {
				wrong("a page of what has none: %v", m.get(at+"pageStart"))
			}
			continue
		}
		first, last := l.pageAt(int(start)), l.pageAt(int(end)-1)
		if l.pages[first]++; m.number(at+"pageStart") != float64(first) || m.number(at+"pageEnd") != float64(last) {
			wrong("pages %v to %v for %q, which is on %d to %d", m.get(at+"pageStart"), m.get(at+"pageEnd"), quote, first, last)
		}
	}
	listed := func(quote string) bool {
		return slices.ContainsFunc(quotes, func(q string) bool { return strings.Contains(q, quote) })
	}
	for _, quote := range note.true {
		if !listed(quote) {
			wrong("%q is not cited, but %q", quote, quotes)
		}
	}
	if slices.ContainsFunc(note.fake, listed) || note.nothing && len(quotes) > 0 || note.some && len(quotes) == 0 {
		wrong("cited is %q", quotes)
	}
	if note.nothing && m.text("grounding") != "NOT_FOUND" || len(note.fake) > 0 && m.text("grounding") == "GROUNDED" {
		wrong("it is %s", m.text("grounding"))
	}
}

// pageAt is the page of the PDF, whose text is plain, that a place of it is on: each begins with its own first fact.
func (l *librarian) pageAt(place int) (page int) {
	for first := range slices.Chunk(trainFacts(), trainPage) {
		if strings.Index(l.texts[l.pdf], first[0]) <= place {
			page++
		}
	}
	return page
}

func (l *librarian) sum(answers int) {
	l.t.Logf("%d answers: %v; citations by document: %v, by page: %v", l.answers, l.kinds, l.documents, l.pages)
	if l.answers != answers || len(l.kinds) < manners || len(l.documents) != len(library) || len(l.pages) != trainPages {
		l.t.Errorf("%d of %d answers: %v; citations by document: %v, by page: %v", l.answers, answers, l.kinds, l.documents, l.pages)
	}
}
