package answer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"kyrochat/kyro"
	"kyrochat/text"
)

// leastSubstance is how many words of substance a sentence has that states something. A pair of characters of a script
// without spaces counts half.
const leastSubstance = 3

// mostFraming is how many of them a sentence may have that greets, introduces or offers help.
const mostFraming = 6

// Grounding works out how far an answer rests on its passages:
//
//   - NOT_FOUND: it has no citation, or is the bot's no-answer text.
//   - PARTIAL: a sentence that states something has no citation, or a marker cites nothing: it names no passage, or what
//     it quotes is not there.
//   - GROUNDED: all other answers.
//
// A sentence states something where it has at least three words of substance, or a number. Headings, code, questions, and
// what ends in a colon state nothing. Neither do the sentences before the first that has a citation and those behind the
// last, where they greet, introduce or offer help in a few words ("I hope this helps", "Melden Sie sich gern") and hold no
// number. To tell the reader what to do, or what the documents say, is a statement.
func (r *Resolved) Grounding(noAnswer string) kyro.Grounding {
	if len(r.Citations) == 0 || r.says(noAnswer) {
		return kyro.GroundingNotFound
	}
	first, last := len(r.statements), -1
	for i := range r.statements {
		if r.statements[i].dropped {
			return kyro.GroundedPartly
		}
		if r.statements[i].cited {
			first, last = min(first, i), i
		}
	}
	for i := range r.statements {
		s := &r.statements[i]
		outside := i < first || i > last
		if !s.cited && s.states() && !(outside && s.frames()) {
			return kyro.GroundedPartly
		}
	}
	return kyro.Grounded
}

// says reports an answer that is the text, markers, case, white space and signs aside.
func (r *Resolved) says(what string) bool {
	words := func(s string) []string {
		return strings.FieldsFunc(text.Fold(s), func(r rune) bool { return !isWordRune(r) })
	}
	var said []string
	for i := range r.statements {
		said = append(said, words(r.statements[i].said)...)
	}
	wanted := words(what)
	return len(wanted) > 0 && strings.Join(said, " ") == strings.Join(wanted, " ")
}

// states reports a sentence that says something which could be right or wrong.
func (s *statement) states() bool {
	said := strings.TrimRightFunc(s.said, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("*_\"”“»)", r) })
	last, _ := utf8.DecodeLastRuneInString(said)
	if strings.ContainsRune(":：?？", last) || strings.HasPrefix(said, "#") {
		return false
	}
	return hasNumber(said) || s.substance() >= leastSubstance
}

// substance counts the words of substance.
func (s *statement) substance() (sum float64) {
	for _, w := range s.wordsFor("") {
		if isDense(w.Word) {
			sum += 0.5
		} else {
			sum++
		}
	}
	return sum
}

// frames reports a short sentence in which the answer speaks of itself, rather than of the matter.
func (s *statement) frames() bool {
	if hasNumber(s.said) || s.substance() > mostFraming {
		return false
	}
	for _, w := range text.Query(s.said, nil) {
		if addressing[w.Word] {
			return true
		}
	}
	for _, sign := range denseAddressing {
		if strings.Contains(s.said, sign) {
			return true
		}
	}
	return false
}

// hasNumber reports a number other than that of an item of a list.
func hasNumber(said string) bool {
	said = strings.TrimLeft(said, " \t-*+•")
	item := strings.TrimLeft(said, "0123456789")
	if strings.HasPrefix(item, ". ") || strings.HasPrefix(item, ") ") {
		said = item
	}
	return strings.ContainsFunc(said, unicode.IsNumber)
}

// addressing are words of the first person, and such as answers begin and end with, in the languages most asked in; folded.
// The second person is none of them, and "we" neither, which is the bot's owner: what follows them may be right or wrong.
var addressing = wordSet(`i i'm i'd i'll i've me my hope happy glad hello hi thanks thank sorry feel
	yo me mi espero hola gusto gracias siento encantado avisame aviseme digame dime dudes dude
	ich mir mich mein hallo danke gern gerne hoffe leider
	je moi mon bonjour merci desole espere volontiers hesitez hesite`)

// denseAddressing are the same of scripts without spaces.
var denseAddressing = []string{"我", "您好", "你好", "高兴", "希望", "谢谢", "随时", "お役に", "ありがとう", "喜んで"}

func wordSet(words string) map[string]bool {
	set := make(map[string]bool)
	for w := range strings.FieldsSeq(words) {
		set[w] = true
	}
	return set
}
