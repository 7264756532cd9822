package text_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"kyrochat/text"
)

// shape writes a question's terms as words: a stop word in brackets, a name with a star.
func shape(terms []text.QueryTerm) string {
	var b []string
	for _, t := range terms {
		w := t.Word
		if t.Stop {
			w = "(" + w + ")"
		}
		if t.Name {
			w += "*"
		}
		b = append(b, w)
	}
	return strings.Join(b, " ")
}

func TestQuery(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ question, want string }{
		{"What is the capital of France?", "(what) (is) (the) capital (of) france*"},
		{"Who was Marie Curie's husband?", "(who) (was) marie* curie's* husband"},
		{"Marie Curie was born when?", "marie* curie* (was) born (when)"},
		{"What's the price of the XK-400 in the US?", "(what's) (the) price (of) xk-400* (in) us*"},
		{"WHAT IS THE OPENING HOUR", "(what) (is) (the) opening hour"},
		{"How many people lived there in 1863?", "(how) (many) people lived (there) (in) 1863*"},
		{"¿Cuál es la capital de España?", "(cual) (es) (la) capital (de) espana*"},
		{"cual es la capital de espana", "(cual) (es) (la) capital (de) espana"},
		{"Qu'est-ce que le code de l'iPhone ?", "(qu'est-ce) (que) (le) code (de) l'iphone*"},
		{"Wie hoch ist der Eiffelturm?", "(wie) hoch (ist) (der) eiffelturm"},
		{"Кто написал роман Война и мир?", "(кто) написал роман война* (и) мир"},
		{"法国的首都是哪里？", "法国 国的 的首 首都 (都是) (是哪) (哪里)"},
		{"目的地有多少人", "目的 的地 (地有) (有多) (多少) (少人)"},
		{"什么是量子计算", "(什么) (么是) (是量) 量子 子计 计算"},
		{"東京タワーの高さは何メートルですか", "東京 京タ タワ ワー (ーの) (の高) 高さ (さは) (は何) (何メ) メー ート トル (ルで) (です) (すか)"},
		{"대한민국의 수도는 무엇입니까?", "대한 한민 민국 (국의) 수도 (도는) (무엇) (엇입) (입니) (니까)"},
		{"the the THE", "(the)"},
		{"", ""},
		{"?!", ""},
	} {
		if got := shape(text.Query(c.question, []string{"en"})); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.question, got, c.want)
		}
	}
}

func TestQueryVariants(t *testing.T) {
	t.Parallel()
	variants := func(question string, languages ...string) map[string]string {
		m := map[string]string{}
		for _, q := range text.Query(question, languages) {
			m[q.Word] = strings.Join(q.Variants, " ")
		}
		return m
	}
	got := variants("which companies", "en", "de")
	if want := "companies compani ʰanie ʰcomp ʰmpan ʰnies ʰompa ʰpani"; got["companies"] != want {
		t.Errorf("got %q, want %q", got["companies"], want)
	}
	got = variants("is node.js state-of-the-art?", "en")
	if want := "nodej node js"; got["node.js"] != want {
		t.Errorf("got %q, want %q", got["node.js"], want)
	}
	if want := "stateoftheart state art"; got["state-of-the-art"] != want {
		t.Errorf("got %q, want %q", got["state-of-the-art"], want)
	}
	if got = variants("los niños", "no"); !slices.Contains(strings.Fields(got["ninos"]), "nin") {
		t.Errorf("the question's own language is left out: %q", got["ninos"])
	}
}

func TestQueryIsBounded(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 100 {
		fmt.Fprintf(&b, "the word%d of ", i)
	}
	got := text.Query(b.String(), []string{"en"})
	if len(got) != text.MaxQueryTerms || got[0].Word != "word0" {
		t.Errorf("%d terms, first %+v", len(got), got[0])
	}
}
