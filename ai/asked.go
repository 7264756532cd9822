package ai

import (
	"math"
	"strings"

	"kyrochat/kyro"
	"kyrochat/text"
)

// How much words of a question weigh, beside how rare they are in the bot's documents.
const (
	weightName    = 1.6  // a name, code or number: the question is about it
	weightUnknown = 2.0  // a name, code or number that no document holds: what is asked about is not there
	weightSplit   = 0.35 // a pair of characters that no document holds: mostly the end of a word and the start of the next
	weightContext = 0.4  // a word of the question before, which this one leans on
	rareFloor     = 20   // documents added to the count, so that a bot with one document has rare words too
)

// asked is a question as the extractive model sees it.
type asked struct {
	terms []askedTerm
	total float64  // weight of the question's own terms
	words []string // all words of the question
	wants wants
}

type askedTerm struct {
	text.QueryTerm
	weight  float64
	context bool // of the question before
}

// newAsked weighs the words of a question: function words only where it has no others. Words of the question
// before count where the passages were searched by them, which the searched terms tell.
func newAsked(p kyro.Prompt) *asked {
	a := &asked{wants: wantsOf(p.Question)}
	own := text.Query(p.Question, p.Languages)
	allStop := true
	for i, t := range own {
		own[i].Stop = t.Stop || asking[t.Word]
		allStop = allStop && own[i].Stop
		a.words = append(a.words, t.Word)
	}
	for _, t := range own {
		if t.Stop && !allStop {
			continue
		}
		weight := rarity(t, p.Lexical)
		a.total += weight
		a.terms = append(a.terms, askedTerm{QueryTerm: t, weight: weight})
	}
	for _, t := range text.Query(lastQuestion(p.History), p.Languages) {
		if t.Stop || !searched(t, p.Lexical) || a.has(t.Word) {
			continue
		}
		weight := weightContext * rarity(t, p.Lexical)
		a.total += weight
		a.terms = append(a.terms, askedTerm{QueryTerm: t, weight: weight, context: true})
	}
	return a
}

// asking are words by which people greet, ask and thank: they say nothing about the subject, and no document need
// hold them; folded.
var asking = wordSet(`hi hello hey greetings dear thanks thank know like want wish wonder wondering explain describe curious question info information
	say says said mention mentions mentioned tell tells told
	hola buenos buenas gracias saber quiero quisiera queria gustaria necesito explica explicame explicar pregunta informacion dime dice dicen decir menciona mencionan
	hallo danke wissen mochte erklaren frage sagt steht erwahnt bonjour merci savoir voudrais expliquer question dit mentionne
	你好 您好 谢谢 知道 想知 想问 告诉 介绍 解释 了解 提到 说到 讲到`)

func (a *asked) has(word string) bool {
	for _, t := range a.terms {
		if t.Word == word {
			return true
		}
	}
	return false
}

func lastQuestion(history []kyro.Message) string {
	for i := len(history) - 1; i >= 0; i-- {
		if history[i].Role == kyro.RoleUser {
			return history[i].Text
		}
	}
	return ""
}

func searched(t text.QueryTerm, l kyro.LexicalResult) bool {
	return frequency(t, l) > 0
}

// frequency is how many chunks hold a term as a whole word, or its most common piece where it has no other form.
func frequency(t text.QueryTerm, l kyro.LexicalResult) int {
	most := 0
	for _, v := range t.Variants {
		if !text.IsGram(v) {
			most = max(most, l.Frequent[v])
		}
	}
	return most
}

// rarity is the inverse document frequency of BM25 over the bot's live chunks, raised for names. What no chunk
// holds is rarest.
func rarity(t text.QueryTerm, l kyro.LexicalResult) float64 {
	held := float64(frequency(t, l))
	idf := math.Log(1 + (float64(l.Total)+rareFloor-held+0.5)/(held+0.5))
	switch {
	case t.Name && held == 0:
		return idf * weightUnknown
	case t.Name:
		return idf * weightName
	case held == 0 && isDense([]rune(t.Word)[0]):
		return idf * weightSplit
	}
	return idf
}

// match says which terms of a question a text holds, and how surely: 1 as a whole word, less by pieces of words.
func (a *asked) match(s, language string) []float64 {
	held := make(map[string]bool)
	for _, t := range text.Terms(s, language) {
		held[t] = true
	}
	matched := make([]float64, len(a.terms))
	for i, t := range a.terms {
		matched[i] = matchTerm(t.QueryTerm, held)
	}
	return matched
}

// alikePieces is the share of a word's pieces from which on it counts as matched in part.
const alikePieces = 0.6

func matchTerm(t text.QueryTerm, held map[string]bool) float64 {
	pieces, same := 0, 0
	for _, v := range t.Variants {
		switch {
		case !text.IsGram(v):
			if held[v] {
				return 1
			}
		default:
			pieces++
			if held[v] {
				same++
			}
		}
	}
	if share := float64(same) / float64(max(1, pieces)); share >= alikePieces {
		return 0.7 * share
	}
	return 0
}

// share is how much of the question's weight is matched, 0 to 1.
func (a *asked) share(matched []float64) float64 {
	var sum float64
	for i, m := range matched {
		sum += m * a.terms[i].weight
	}
	return sum / a.total
}

// gain is how much more of the question itself, without the one before, is matched than was; or of its names alone.
func (a *asked) gain(before, matched []float64, names bool) float64 {
	var sum float64
	for i, m := range matched {
		if !a.terms[i].context && (a.terms[i].Name || !names) {
			sum += max(0, m-before[i]) * a.terms[i].weight
		}
	}
	return sum / a.total
}

// sameForms is the share of the question's words, function words too, that a text holds in the same form.
func (a *asked) sameForms(s string) float64 {
	folded := text.Fold(s)
	same := 0
	for _, word := range a.words {
		if strings.Contains(folded, word) {
			same++
		}
	}
	return float64(same) / float64(len(a.words))
}
