package ai

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"kyrochat/text"
)

// wants is what kind of thing a question asks for.
type wants struct {
	number, time, person bool
}

// Words by which questions ask for something, folded, in the languages most asked in.
var (
	asksNumber = []string{"how many", "how much", "how long", "how often", "how far", "how high", "how old", "how large", "how big", "how fast", "how tall", "how heavy",
		"how deep", "how wide", "cuanto", "cuanta", "combien", "wie viel", "wieviel", "wie lange", "wie oft", "wie hoch", "wie gross", "quanto", "quanta", "多少", "几", "多久", "多长", "多高", "多大", "多重", "多远"}
	asksTime = []string{"when", "what year", "which year", "what time", "what date", "which day", "what day", "until what", "cuando", "que ano", "que hora", "que dia", "quand", "wann",
		"quando", "什么时候", "何时", "哪年", "哪一年", "哪天", "几点", "几月"}
	asksPerson = []string{"who", "whom", "whose", "quien", "qui ", "wer ", "wen ", "wem ", "chi ", "quem", "谁", "哪位"}
)

func wantsOf(question string) wants {
	folded := " " + strings.TrimLeft(text.Fold(question), "¿¡\"'“«(") + " "
	contains := func(words []string) bool {
		for _, w := range words {
			if isDense([]rune(w)[0]) && strings.Contains(folded, w) || strings.Contains(folded, " "+w) {
				return true
			}
		}
		return false
	}
	return wants{number: contains(asksNumber), time: contains(asksTime), person: contains(asksPerson)}
}

// metBy reports whether a text holds the kind of thing that is asked for; false where no kind is.
func (w wants) metBy(s string) bool {
	switch {
	case w.number && holdsNumber(s):
		return true
	case w.time && (holdsNumber(s) || holdsTime(s)):
		return true
	}
	return w.person && holdsName(s)
}

// numberWords and timeWords are words that answer how many and when; folded.
var numberWords, timeWords = wordSet(`one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
	sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million half quarter dozen once twice
	dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis diecisiete dieciocho diecinueve veinte veintiuno veintidos veinticinco
	treinta cuarenta cincuenta sesenta setenta ochenta noventa cien ciento doscientos trescientos quinientos novecientos mil millon millones mitad medio media
	deux trois quatre cinq sept huit neuf dix cent mille zwei drei vier funf sechs sieben acht neun zehn hundert tausend`),
	wordSet(`january february march april may june july august september october november december monday tuesday wednesday thursday friday saturday sunday mondays
	tuesdays wednesdays thursdays fridays saturdays sundays noon midnight morning evening dusk dawn day week month year daily weekly monthly
	enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre lunes martes miercoles jueves viernes sabado sabados domingo domingos
	mediodia medianoche manana tarde noche dia semana mes ano amanecer atardecer`)

func wordSet(s string) map[string]bool {
	set := make(map[string]bool)
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

func holdsNumber(s string) bool {
	return strings.ContainsFunc(s, unicode.IsNumber) || strings.ContainsAny(s, "一二三四五六七八九十百千万两半") || holdsWord(s, numberWords)
}

func holdsTime(s string) bool {
	return strings.ContainsAny(s, "年月日点周晨晚") || holdsWord(s, timeWords)
}

func holdsWord(s string, words map[string]bool) bool {
	for _, w := range strings.FieldsFunc(text.Fold(s), func(r rune) bool { return !unicode.IsLetter(r) }) {
		if words[w] {
			return true
		}
	}
	return false
}

// holdsName reports two words in a row that begin with a capital, of which the first does not begin the sentence.
func holdsName(s string) bool {
	words := strings.Fields(s)
	for i := 1; i+1 < len(words); i++ {
		if capital(words[i]) && capital(words[i+1]) {
			return true
		}
	}
	return false
}

func capital(word string) bool {
	r, _ := utf8.DecodeRuneInString(word)
	return unicode.IsUpper(r)
}
