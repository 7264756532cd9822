package answer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"kyrochat/answer"
	"kyrochat/kyro"
)

const (
	kilnText = "Kilns\n\nThe kiln reaches 1,260 degrees in four hours. It must cool down for a whole day before the door is opened. " +
		"Never open the door while the lamp is red.\nThe mainte-\nnance is done by Ms. Okafor in March."
	lakeText = "El lago tiene una profundidad de 84 metros. En invierno se congela."
	longText = "# Regeln\n\nDie Werkstatt öffnet um neun Uhr und schließt am Abend, wenn der letzte Gast gegangen ist. " +
		"Hunde dürfen nicht in die Werkstatt, auch nicht an der Leine, und Katzen ebenso wenig. " +
		"Wer den Ofen benutzen will, meldet sich vorher an, denn er ist oft für Wochen vergeben. Der Hof ist immer offen, auch im Winter."
)

func threePassages() []kyro.Passage {
	kiln, lake, long := passageOf("lead 🦉 ", kilnText), passageOf("", lakeText), passageOf("x", longText)
	kiln.Language, lake.Language, long.Language = "en", "es", "de"
	long.Chunk.HeadingPath = []string{"Regeln"}
	return []kyro.Passage{kiln, lake, long}
}

// cited says what an answer cites: for each citation its marker and quote.
func cited(citations []kyro.Citation) (all []string) {
	for _, c := range citations {
		all = append(all, fmt.Sprintf("%d %s", c.Marker, c.Quote))
	}
	return all
}

func TestResolve(t *testing.T) {
	t.Parallel()
	const heat, cool, door = "1 The kiln reaches 1,260 degrees in four hours.",
		"1 It must cool down for a whole day before the door is opened.", "1 Never open the door while the lamp is red."
	const depth, freeze = "2 El lago tiene una profundidad de 84 metros.", "2 En invierno se congela."
	for _, c := range []struct {
		name, text string
		want       []string
		grounding  kyro.Grounding
	}{
		{"the sentence it rests on", "The kiln gets as hot as 1,260 degrees [1].", []string{heat}, kyro.Grounded},
		{"behind the full stop", "The kiln gets as hot as 1,260 degrees. [1] The lake is 84 metros deep. [2]", []string{heat, depth}, kyro.Grounded},
		{"two neighbours", "It reaches 1,260 degrees in four hours and must cool for a day before the door is opened [1].",
			[]string{heat + " " + cool[2:]}, kyro.Grounded},
		{"the neighbour before", "It must cool for a whole day before the door is opened, after 1,260 degrees [1].", []string{heat + " " + cool[2:]}, kyro.Grounded},
		{"the neighbour before, which is the first", "En invierno se congela el lago [2].", []string{"2 " + lakeText}, kyro.Grounded},
		{"a neighbour that adds a word", "The kiln reaches 1,260 degrees in four hours, hotter than glass, iron and any door [1].", []string{heat}, kyro.Grounded},
		{"the first of two alike", "It is about the door [1].", []string{cool}, kyro.Grounded},
		{"two far apart are two", "It reaches 1,260 degrees [1]. The lamp is red: never open the door [1].", []string{heat, door}, kyro.Grounded},
		{"several passages", "The kiln reaches 1,260 degrees and the lake tiene 84 metros [1, 2].", []string{heat, depth}, kyro.Grounded},
		{"side by side", "The kiln reaches 1,260 degrees, the lake 84 metros [1][2].", []string{heat, depth}, kyro.Grounded},
		{"a range", "1,260 degrees in four hours, 84 metros de profundidad [1-2].", []string{heat, depth}, kyro.Grounded},
		{"wide brackets", "窑的温度达到1,260 degrees【1】。", []string{heat}, kyro.Grounded},
		{"another language, short", "The lake freezes over during winter [2].", []string{"2 " + lakeText}, kyro.Grounded},
		{"another language, long", "Pets are forbidden there [3].",
			[]string{"3 " + longText}, kyro.Grounded},
		{"a word alone beside more", "No [3]. Hunde und Katzen dürfen nicht hinein [3].",
			[]string{"3 Hunde dürfen nicht in die Werkstatt, auch nicht an der Leine, und Katzen ebenso wenig."}, kyro.Grounded},
		{"its own language", "Hunde und Katzen dürfen nicht hinein [3].",
			[]string{"3 Hunde dürfen nicht in die Werkstatt, auch nicht an der Leine, und Katzen ebenso wenig."}, kyro.Grounded},
		{"a list", "The rules:\n\n- [1] Never open the door at a red lamp.\n- En invierno se congela [2]\n", []string{door, freeze}, kyro.Grounded},

		{"lines that begin with markers", "[1] The kiln reaches 1,260 degrees.\n[2] En invierno se congela.", []string{heat, freeze}, kyro.Grounded},
		{"lines that are markers", "The kiln reaches 1,260 degrees.\n[1]\nEl lago tiene 84 metros.\n[2]\nEn invierno se congela.\n[2]", []string{heat, depth + " " + freeze[2:]}, kyro.Grounded},
		{"lines that are markers, and one before a line", "The kiln reaches 1,260 degrees.\n[1]\n[2] En invierno se congela.\n", []string{heat, freeze}, kyro.Grounded},
		{"a marker behind the line and one before the next", "The kiln reaches 1,260 degrees. [1]\n[2] En invierno se congela.", []string{heat, freeze}, kyro.Grounded},

		{"a quote", `The rule says "must cool down for a whole day" [1].`, []string{"1 must cool down for a whole day"}, kyro.Grounded},
		{"a quote behind the marker", `As [1] says, "must cool down for a whole day".`, []string{"1 must cool down for a whole day"}, kyro.Grounded},
		{"a quote over a line end", "“The maintenance is done by Ms. Okafor” [1].", []string{"1 The mainte-\nnance is done by Ms. Okafor"}, kyro.Grounded},
		{"a quote of two sentences", "„En invierno se congela.“ [2]", []string{freeze}, kyro.Grounded},
		{"a quote before code", "The rule says \"must cool down for a whole day\", so write `x` [1].", []string{"1 must cool down for a whole day"}, kyro.Grounded},
		{"quotation marks in code", "Write `say \"it never gets warm at all\"` where 1,260 degrees are reached [1].", []string{heat}, kyro.Grounded},
		{"a quote behind code", "Write `x` where the rule says \"must cool down for a whole day\" [1].", []string{"1 must cool down for a whole day"}, kyro.Grounded},
		{"a quote behind inches", `A pipe of 5" is of no use, and the rule says "must cool down for a whole day" [1].`, []string{"1 must cool down for a whole day"}, kyro.Grounded},
		{"a quote behind many words", strings.Repeat("What is said here? ", 30) + `The rule says "must cool down for a whole day" [1].`, []string{"1 must cool down for a whole day"}, kyro.Grounded},
		{"a quote without an end", `The rule says "must cool down for a whole day [1].`, []string{cool}, kyro.Grounded},
		{"a quote behind one without an end", `The rule says „must cool down. It says "for a whole day before the door" [1].`, []string{"1 for a whole day before the door"}, kyro.GroundedPartly},
		{"quotes with the answer's own stops", `It says "must cool down for a whole day." and "Never open the door." [1]`,
			[]string{"1 must cool down for a whole day", "1 Never open the door"}, kyro.Grounded},
		{"a quote with an ellipsis of two signs", `"The kiln reaches 1,260 degrees ... … for a whole day before" [1].`,
			[]string{"1 The kiln reaches 1,260 degrees", "1 for a whole day before"}, kyro.Grounded},
		{"a name of two words", `The "hot kilns" reach 1,260 degrees [1].`, []string{heat}, kyro.Grounded},
		{"a name of fourteen letters", `The "thermoregulato" reaches 1,260 degrees [1].`, []string{heat}, kyro.Grounded},
		{"a quote of fifteen letters", `The "thermoregulator" reaches 1,260 degrees [1].`, nil, kyro.GroundingNotFound},
		{"a quote of three words", `The kiln is "as hot as" 1,260 degrees [1].`, nil, kyro.GroundingNotFound},
		{"a quote of six signs", "窑的「最高温度千度」达到1,260 degrees【1】。", nil, kyro.GroundingNotFound},
		{"a name of five signs", "窑的「最高温度度」达到1,260 degrees【1】。", []string{heat}, kyro.Grounded},
		{"a quote over the end of a sentence", `It says "` + cool[2:] + " " + door[2:] + `" [1]. En invierno se congela [2].`, []string{cool + " " + door[2:], freeze}, kyro.Grounded},
		{"a quote in a later sentence", `It reaches 1,260 degrees [1]. The lamp is red. The rule says "for a whole day before the door" [1].`,
			[]string{heat, "1 for a whole day before the door"}, kyro.Grounded},
		{"a quote with an ellipsis", `"The kiln reaches 1,260 degrees … for a whole day before" [1].`,
			[]string{"1 The kiln reaches 1,260 degrees", "1 for a whole day before"}, kyro.Grounded},
		{"two quotes of two passages", `One says "reaches 1,260 degrees" [1], the other «una profundidad de 84» [2].`,
			[]string{"1 reaches 1,260 degrees", "2 una profundidad de 84"}, kyro.Grounded},
		{"two quotes of two passages together", `They say "reaches 1,260 degrees" and «una profundidad de 84» [1][2].`,
			[]string{"1 reaches 1,260 degrees", "2 una profundidad de 84"}, kyro.Grounded},
		{"a quote of one of two passages", `They say "reaches 1,260 degrees in four" [1][2].`, []string{"1 reaches 1,260 degrees in four"}, kyro.GroundedPartly},
		{"a quote of neither", `They say "reaches 1,260 degrees" and "never gets warm at all" [1][2].`, nil, kyro.GroundingNotFound},
		{"the name of the document", `The "Handbook" and the part "Regeln" say that dogs, Hunde, may not enter [3].`,
			[]string{"3 Hunde dürfen nicht in die Werkstatt, auch nicht an der Leine, und Katzen ebenso wenig."}, kyro.Grounded},
		{"a few words are no quote", `The so-called "kiln" reaches 1,260 degrees [1].`, []string{heat}, kyro.Grounded},
		{"a quote that is not there", `It says "the kiln may be opened at once" [1]. It reaches 1,260 degrees [1].`, []string{heat}, kyro.GroundedPartly},
		{"a quote of another passage", `It says "must cool down for a whole day" [2]. It reaches 1,260 degrees [1].`, []string{heat}, kyro.GroundedPartly},
		{"a quote in another case", `It says "MUST COOL DOWN FOR A WHOLE DAY" [1].`, nil, kyro.GroundingNotFound},
		{"half of a quote", `It says "must cool down for a whole week" [1].`, nil, kyro.GroundingNotFound},

		{"a marker as long as one can be", "It reaches 1,260 degrees [" + strings.Repeat("1, ", 21) + "1].", []string{heat}, kyro.Grounded},
		{"a longer one", "It reaches 1,260 degrees [" + strings.Repeat("1, ", 22) + "1].", nil, kyro.GroundingNotFound},
		{"no such passage", "It reaches 1,260 degrees [9].", nil, kyro.GroundingNotFound},
		{"a passage and none", "It reaches 1,260 degrees [1, 9].", []string{heat}, kyro.GroundedPartly},
		{"none and a passage", "It reaches 1,260 degrees [9, 1].", []string{heat}, kyro.GroundedPartly},
		{"a marker that ends nowhere", "It reaches 1,260 degrees [1", nil, kyro.GroundingNotFound},
		{"a reference before all else", "[1]: https://a.test", nil, kyro.GroundingNotFound},
		{"not markers", "See (1), [x], \\[1], [1](https://a.test), [1](b) and [].\n[1]: https://a.test", nil, kyro.GroundingNotFound},
		{"in a code span", "Write `a[1]` or ``b`[1]`` here.", nil, kyro.GroundingNotFound},
		{"in a block of code", "Look:\n\n```go\nx[1]\n```\n~~~\ny[2]\n", nil, kyro.GroundingNotFound},
		{"beside code", "Write `a[2]` where 1,260 degrees are reached [1].", []string{heat}, kyro.Grounded},
		{"nothing", "", nil, kyro.GroundingNotFound},
		{"a marker alone", "[2]", []string{"2 " + lakeText}, kyro.Grounded},
		{"a range that is none", "In the years [1914-1918] and [3-1].", nil, kyro.GroundingNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			passages := threePassages()
			r := answer.Resolve(passages, c.text)
			if got := cited(r.Citations); !slices.Equal(got, c.want) {
				t.Errorf("got %q\nwant %q", got, c.want)
			}
			if got := r.Grounding("I do not know."); got != c.grounding {
				t.Errorf("grounding %s, want %s", got, c.grounding)
			}
			checkSlices(t, passages, r.Citations)
		})
	}
}

// checkSlices sees that every citation is a slice of the stored text, by its offsets and in the chunk.
func checkSlices(t *testing.T, passages []kyro.Passage, citations []kyro.Citation) {
	t.Helper()
	for _, c := range citations {
		if c.Marker < 1 || c.Marker > len(passages) {
			t.Fatalf("marker %d of %d passages", c.Marker, len(passages))
		}
		chunk := passages[c.Marker-1].Chunk
		units := utf16.Encode([]rune(chunk.Text))
		from, to := c.CharStart-chunk.CharStart, c.CharEnd-chunk.CharStart
		if from < 0 || from >= to || to > len(units) {
			t.Fatalf("characters %d to %d of %d", from, to, len(units))
		}
		if got := string(utf16.Decode(units[from:to])); got != c.Quote || !strings.Contains(chunk.Text, c.Quote) || !c.Verified {
			t.Errorf("the text has %q there, the citation %q (verified %v)", got, c.Quote, c.Verified)
		}
	}
}

// TestQuotesOfMarkup: what the output filter makes inert is still a quote of the passage.
func TestQuotesOfMarkup(t *testing.T) {
	t.Parallel()
	const manual = "Put the <img src=\"x\"> tag into a <div> element. Write ![a kiln](https://kiln.test/a.png) for an image.\n\n[kiln]: https://kiln.test"
	passages := []kyro.Passage{passageOf("", manual)}
	for said, want := range map[string]string{
		"It says “tag into a <div> element” [1].":                                 "1 tag into a <div> element",
		"It says “Write ![a kiln](https://kiln.test/a.png) for an image.” [1]":    "1 Write ![a kiln](https://kiln.test/a.png) for an image.",
		"It ends with “for an image. [kiln]: https://kiln.test” [1].":             "1 for an image.\n\n[kiln]: https://kiln.test",
		"It says “tag into a <span> element”, which is not there at all, no [1].": "",
	} {
		f := answer.NewFilter()
		text := f.Write(said)
		rest, _ := f.Close()
		r := answer.Resolve(passages, text+rest)
		if got := strings.Join(cited(r.Citations), "|"); got != want {
			t.Errorf("%q: cited %q, want %q", text+rest, got, want)
		}
		checkSlices(t, passages, r.Citations)
	}
}

func TestGrounding(t *testing.T) {
	t.Parallel()
	kiln := passageOf("", kilnText)
	const noAnswer = "I could not find that."
	for _, c := range []struct {
		name, text string
		want       kyro.Grounding
	}{
		{"the no-answer text", "I could not find that.", kyro.GroundingNotFound},
		{"the no-answer text, marked", "I could not find that! [1]", kyro.GroundingNotFound},
		{"the no-answer text, marked within", "*I could not* [1] find\n\"that\" [2].", kyro.GroundingNotFound},
		{"a greeting", "Hello! Happy to help.\n\nThe kiln reaches 1,260 degrees [1]. I hope this helps! Let me know if you have more questions.", kyro.Grounded},
		{"a lead", "Based on your documents, here is what the rules say about opening doors:\n\n- Never open the door at a red lamp [1].\n", kyro.Grounded},
		{"a heading", "## Heat and safety of kilns\n\nIt reaches 1,260 degrees [1].", kyro.Grounded},
		{"a question back", "It reaches 1,260 degrees [1]. Which of the other kilns in the workshop do you mean?", kyro.Grounded},
		{"a question in emphasis", "It reaches 1,260 degrees [1]. *Which of the other kilns in the workshop do you mean?*", kyro.Grounded},
		{"code", "It reaches 1,260 degrees [1].\n\n```\nheat the kiln slowly until the lamp burns\n```\n", kyro.Grounded},
		{"one statement more", "It reaches 1,260 degrees [1]. The glaze melts long before that temperature.", kyro.GroundedPartly},
		{"a statement between", "It reaches 1,260 degrees [1]. You must wear gloves near the furnace door. It cools for a day [1].", kyro.GroundedPartly},
		{"a number", "It reaches 1,260 degrees [1]. It weighs 90 kg.", kyro.GroundedPartly},
		{"an item of a list has a number", "1. It reaches 1,260 degrees [1].\n2. Yes.\n", kyro.Grounded},
		{"advice behind the last citation", "It reaches 1,260 degrees [1]. You should also bring a passport and a photo.", kyro.GroundedPartly},
		{"advice before the first", "Please bring a passport and a photo. It reaches 1,260 degrees [1].", kyro.GroundedPartly},
		{"what documents are said to say", "According to the handbook the pool is open all night. It reaches 1,260 degrees [1].", kyro.GroundedPartly},
		{"the owner's voice", "It reaches 1,260 degrees [1]. We offer free parking near the lake.", kyro.GroundedPartly},
		{"the first person for a long statement", "It reaches 1,260 degrees [1]. I know that guests pay the ministry a fee for gloves, furnaces, bricks and lamps.", kyro.GroundedPartly},
		{"general knowledge alone", "In general kilns are lined with bricks that resist heat.", kyro.GroundingNotFound},

		{"es: greeting", "¡Hola! Con mucho gusto te ayudo.\n\nEl horno alcanza 1,260 grados [1]. Espero que te sirva.", kyro.Grounded},
		{"es: lead", "Según tus documentos, las reglas para la puerta del taller son:\n\n- El horno alcanza 1,260 grados [1].", kyro.Grounded},
		{"es: one more", "El horno alcanza 1,260 grados [1]. El esmalte se funde mucho antes de esa temperatura.", kyro.GroundedPartly},
		{"de: greeting", "Gern helfe ich Ihnen weiter.\n\nDer Ofen erreicht 1,260 Grad [1]. Melden Sie sich gern bei weiteren Fragen.", kyro.Grounded},
		{"es: advice", "El horno alcanza 1,260 grados [1]. Usted debe llevar guantes gruesos cerca del horno.", kyro.GroundedPartly},
		{"de: advice", "Der Ofen erreicht 1,260 Grad [1]. Sie müssen dicke Handschuhe und eine Brille tragen.", kyro.GroundedPartly},
		{"zh: advice", "窑的温度达到1,260度[1]。您必须戴厚手套和护目镜进入车间。", kyro.GroundedPartly},
		{"de: one more", "Der Ofen erreicht 1,260 Grad [1]. Die Glasur schmilzt lange vor dieser Temperatur.", kyro.GroundedPartly},
		{"zh: greeting", "您好！很高兴为您服务。\n\n窑的温度达到1,260度[1]。希望这对您有帮助。", kyro.Grounded},
		{"zh: lead", "根据文档，打开窑门的规定如下：\n\n- 窑的温度达到1,260度[1]。", kyro.Grounded},
		{"zh: one more", "窑的温度达到1,260度[1]。釉料在这个温度之前早就融化流动变形。", kyro.GroundedPartly},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := answer.Resolve([]kyro.Passage{kiln}, c.text)
			if got := r.Grounding(noAnswer); got != c.want {
				t.Errorf("got %s, want %s; citations %q", got, c.want, cited(r.Citations))
			}
		})
	}
	if alone := answer.Resolve([]kyro.Passage{kiln}, "[1]"); alone.Grounding("…") != kyro.Grounded {
		t.Error("a no-answer text of signs is taken for a marker alone")
	}
}

func TestCitationsAreBounded(t *testing.T) {
	t.Parallel()
	var passage, text strings.Builder
	for i := range 3_000 {
		fmt.Fprintf(&passage, "Word%d stands here. Nothing is between. ", i)
		fmt.Fprintf(&text, "Here stands word%d [1]. ", i)
	}
	p := passageOf("", passage.String())
	if n := len(answer.Resolve([]kyro.Passage{p}, text.String()).Citations); n != 200 {
		t.Errorf("%d citations", n)
	}
}

// TestResolvingTakesNoLongerThanItMust gives answers as long as they can be, as of models that got stuck: their attempt
// has the rest of its lease for what is done at its end. Each took half a minute where work grew with the square of the length.
func TestResolvingTakesNoLongerThanItMust(t *testing.T) {
	t.Parallel()
	const whole = 128 << 10
	for _, stuck := range []string{"[1]", "[1] ", "[9]", "[1]:", "a [1]: ", "[", "【", "[1]\n", "| a [1] | 2 |\n", `"reaches 1,260 degrees" [1-3] `, "Dr. ", "` `` ``` ", "\n ", " "} {
		text := strings.Repeat(stuck, whole/len(stuck)) + " The kiln reaches 1,260 degrees [1]."
		done := make(chan struct{})
		go func() {
			defer close(done)
			r := answer.Resolve(threePassages(), text)
			r.Grounding("no")
		}()
		select {
		case <-done:
		case <-time.After(15 * time.Second):
			t.Fatalf("%q again and again takes too long", stuck)
		}
	}
}

func FuzzResolve(f *testing.F) {
	f.Add("The kiln “reaches 1,260 degrees” [1][2]. ```a[1]``` „El lago“ 【3】", kilnText)
	f.Add("[1-3] \"«»\" `[1]\n\n[2]: (1) [ 1 , 2 ]", lakeText)
	f.Add("~~~\n[1]\n> ~~~\n「窑的温度很高很高」[1]", "窑的温\n度很高很高。")
	f.Fuzz(func(t *testing.T, text, passage string) {
		if !utf8.ValidString(passage) {
			return
		}
		passages := []kyro.Passage{passageOf("🦉", passage), passageOf("", lakeText)}
		r := answer.Resolve(passages, text)
		checkSlices(t, passages, r.Citations)
		r.Grounding("no")
	})
}

// What stands above a passage in the prompt is not its text: who quotes that has named the place, and cites what is in it.
func TestHeadsOfPassagesAreNoQuotes(t *testing.T) {
	t.Parallel()
	p := passageOf("", "| Fjell 3 | 449 EUR |\n| Sarek 60 | 219 EUR |")
	p.DocumentTitle = "Price list of the summer"
	p.Chunk.HeadingPath = []string{"All about our tents", "Product of the summer | Price with all taxes"}
	for answered, want := range map[string]string{
		"By the “Price with all taxes” the Sarek 60 is at 219 EUR [1].":                      "| Sarek 60 | 219 EUR |",
		"Under “All about our tents” the Fjell 3 is at 449 EUR [1].":                         "| Fjell 3 | 449 EUR |",
		"The table has “Product of the summer | Price with all taxes”, such as 219 EUR [1].": "| Sarek 60 | 219 EUR |",
		"It says “Columns: Product of the summer | Price with all taxes” [1].":               "",
		"It says “Section: All about our tents” [1].":                                        "",
	} {
		var quotes []string
		for _, c := range answer.Resolve([]kyro.Passage{p}, answered).Citations {
			quotes = append(quotes, c.Quote)
			if !c.Verified || !strings.Contains(p.Chunk.Text, c.Quote) {
				t.Errorf("%s cites %q, verified %v", answered, c.Quote, c.Verified)
			}
		}
		if got := strings.Join(quotes, "; "); got != want {
			t.Errorf("%s cites %q, want %q", answered, got, want)
		}
	}
}

// TestANeighbourThatRepeatsAddsNothing to what a statement rests on.
func TestANeighbourThatRepeatsAddsNothing(t *testing.T) {
	t.Parallel()
	p := passageOf("", "The lamp burns red. The lamp burns red again and again.")
	p.Language = "en"
	if got := cited(answer.Resolve([]kyro.Passage{p}, "The lamp burns red [1].").Citations); !slices.Equal(got, []string{"1 The lamp burns red."}) {
		t.Errorf("cited %q", got)
	}
}

// TestMarkersBeyondTheMostCiteNothing: an answer of markers without end is looked up a thousand times.
func TestMarkersBeyondTheMostCiteNothing(t *testing.T) {
	t.Parallel()
	for before, want := range map[int]bool{999: true, 1_000: false} {
		r := answer.Resolve(threePassages(), strings.Repeat("Yes [1].\n", before)+"El lago tiene 84 metros [2].")
		if got := slices.ContainsFunc(r.Citations, func(c kyro.Citation) bool { return c.Marker == 2 }); got != want {
			t.Errorf("behind %d markers another is looked up: %t", before, got)
		}
	}
}

func TestMarkersOfManyPassages(t *testing.T) {
	t.Parallel()
	var passages []kyro.Passage
	for i := range 12 {
		passages = append(passages, passageOf("", fmt.Sprintf("Passage %d.", i+1)))
	}
	for text, want := range map[string][]int{
		"[10]": {10}, "[9]": {9}, "[12]": {12}, "[13]": nil, "[9-11]": {9, 10, 11}, "[0]": nil, "[1-2-3]": nil, "[00010]": nil, "[12, 3 and 4]": nil, "[12; 3、4]": {3, 4, 12}, "[11–13]": nil,
	} {
		var got []int
		for _, c := range answer.Resolve(passages, "This stands there "+text+".").Citations {
			got = append(got, c.Marker)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s cites %v, want %v", text, got, want)
		}
	}
}
