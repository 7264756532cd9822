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

// Grounding works out how far an answer rests on its passages:
//
//   - NOT_FOUND: it has no citation, or is the bot's no-answer text.
//   - PARTIAL: a sentence that states something has no citation, or a marker cites nothing: it names no passage, or what
//     it quotes is not there.
//   - GROUNDED: all other answers.
//
// A sentence states something where it has at least three words of substance, or a number. Headings, code, questions, and
// what ends in a colon state nothing. Neither do the sentences before the first that has a citation and those behind the
// last, where they speak to the reader ("I hope this helps", "Melden Sie sich gern") and hold no number.
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

// says reports an answer that is the text, markers, case, white space and the signs at its ends aside.
func (r *Resolved) says(what string) bool {
	var said []string
	for i := range r.statements {
		said = append(said, r.statements[i].said)
	}
	plain := func(s string) string {
		return strings.TrimFunc(text.Fold(s), func(r rune) bool { return !isWordRune(r) })
	}
	return plain(what) != "" && plain(strings.Join(said, " ")) == plain(what)
}

// states reports a sentence that says something which could be right or wrong.
func (s *statement) states() bool {
	said := strings.TrimRightFunc(s.said, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("*_\"”“»)", r) })
	last, _ := utf8.DecodeLastRuneInString(said)
	if strings.ContainsRune(":：?？", last) || strings.HasPrefix(said, "#") {
		return false
	}
	if hasNumber(said) {
		return true
	}
	substance := 0.0
	for _, w := range s.wordsFor("") {
		if isDense(w.Word) {
			substance += 0.5
		} else {
			substance++
		}
	}
	return substance >= leastSubstance
}

// frames reports a sentence that speaks to the reader rather than of the matter.
func (s *statement) frames() bool {
	if hasNumber(s.said) {
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

// addressing are words of the first and second person, and such as answers begin and end with, in the languages most asked
// in; folded.
var addressing = wordSet(`i i'm i'd i'll i've me my we our us you your you're yours hope happy glad welcome hello hi thanks thank sorry please
	based according
	yo me mi nosotros nos te ti tu tus usted ustedes le espero hola gracias siento encantado claro avisame aviseme digame dime puedo segun
	ich mir mich mein wir uns unser du dir dich dein ihnen sie ihr ihre hallo danke gern gerne hoffe bitte leider laut
	je moi mon nous notre tu toi vous votre bonjour merci desole espere volontiers selon`)

// denseAddressing are the same of scripts without spaces.
var denseAddressing = []string{"我", "您", "你", "希望", "请", "谢谢", "根据", "ください", "お役に"}

func wordSet(words string) map[string]bool {
	set := make(map[string]bool)
	for w := range strings.FieldsSeq(words) {
		set[w] = true
	}
	return set
}
