package gemini

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"kyrochat/text"
)

// say answers as a careful model would, though it reads letters rather than meaning.
func say(q Request) string {
	p := understand(q)
	switch q.Kind {
	case KindRewrite:
		return p.rewritten()
	case KindTitle:
		return p.titled()
	case KindAnswer:
		return p.answered()
	}
	return "Understood."
}

// answered quotes one to three sentences, each with the marker of its passage, or says what the prompt asks for where
// the passages hold no answer.
func (p prompt) answered() string {
	if reply := greeting(p.question); reply != "" {
		return reply
	}
	picked := p.pick()
	switch {
	case len(picked) > 0:
		return strings.Join(picked, " ")
	case p.noAnswer != "":
		return p.noAnswer
	}
	return "My documents say nothing about that, and I know nothing certain about it either."
}

var greetings = map[string]string{
	"hi": english, "hello": english, "hey": english, "thanks": english, "good morning": english, "good evening": english, "thank you": english,
	"hola": spanish, "buenos dias": spanish, "gracias": spanish, "你好": chinese, "您好": chinese, "谢谢": chinese,
	"hallo": german, "guten tag": german, "danke": german, "bonjour": french, "merci": french,
}

const (
	english = "Hello! Ask me anything about the documents."
	spanish = "¡Hola! Pregúntame lo que quieras sobre los documentos."
	chinese = "你好！关于这些文档，请随便问。"
	german  = "Hallo! Frag mich alles zu den Dokumenten."
	french  = "Bonjour ! Posez-moi vos questions sur les documents."
)

// greeting gives the reply to a message that only greets, or thanks.
func greeting(question string) string {
	return greetings[strings.TrimFunc(text.Fold(question), func(r rune) bool { return !unicode.IsLetter(r) })]
}

// What share of a question's words a passage must hold, at most how many sentences are quoted, and how near to the best
// one the others must be.
const (
	leastShare = 0.5
	mostQuotes = 3
	nearBest   = 0.8
)

type sentence struct {
	marker int
	text   string
	score  float64
}

// pick chooses the sentences that share most with the question.
func (p prompt) pick() []string {
	var found []sentence
	for _, passage := range p.passages {
		language := text.Detect(passage.text)
		w := weigh(p.question, language)
		if w.share(passage.title+"\n"+passage.text, language) < leastShare {
			continue
		}
		for _, span := range text.Sentences(passage.text) {
			s := strings.Join(strings.Fields(passage.text[span.Start:span.End]), " ")
			score := w.share(s, language)
			if !ends(s) {
				score /= 2 // a heading names what is asked for, and says nothing about it
			}
			if score > 0 && !slices.ContainsFunc(found, func(f sentence) bool { return f.text == s }) {
				found = append(found, sentence{passage.marker, s, score})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b sentence) int {
		switch {
		case a.score > b.score:
			return -1
		case a.score < b.score:
			return 1
		}
		return 0
	})
	var picked []string
	for _, s := range found {
		if len(picked) < mostQuotes && s.score >= nearBest*found[0].score {
			picked = append(picked, s.cited())
		}
	}
	return picked
}

const stops = ".!?。！？…"

// ends reports a whole sentence.
func ends(s string) bool {
	trimmed := strings.TrimRight(s, `"'”’)»`)
	return strings.TrimRight(trimmed, stops) != trimmed
}

// cited is the sentence with its marker before the full stop.
func (s sentence) cited() string {
	bare := strings.TrimRight(s.text, stops)
	stop := s.text[len(bare):]
	if stop == "" {
		stop = "."
	}
	return fmt.Sprintf("%s [%d]%s", bare, s.marker, stop)
}

// weighed is a question's words.
type weighed struct {
	terms []text.QueryTerm
	total float64
}

func weigh(question, language string) weighed {
	all := text.Query(question, []string{language})
	w := weighed{terms: slices.DeleteFunc(slices.Clone(all), func(t text.QueryTerm) bool { return t.Stop })}
	if len(w.terms) == 0 {
		w.terms = all
	}
	for _, t := range w.terms {
		w.total += weight(t)
	}
	return w
}

func weight(t text.QueryTerm) float64 {
	if t.Name {
		return 1.5
	}
	return 1
}

// share is how much of the question a text holds, 0 to 1.
func (w weighed) share(s, language string) float64 {
	if w.total == 0 {
		return 0
	}
	held := map[string]bool{}
	for _, t := range text.Terms(s, language) {
		held[t] = true
	}
	sum := 0.0
	for _, t := range w.terms {
		if slices.ContainsFunc(t.Variants, func(v string) bool { return held[v] && !text.IsGram(v) }) {
			sum += weight(t)
		}
	}
	return sum / w.total
}

// rewritten is the question with what the one before was about.
func (p prompt) rewritten() string {
	if len(p.earlier) == 0 {
		return p.question
	}
	said := text.Fold(p.question)
	var subject []string
	for _, word := range subjectOf(p.earlier[len(p.earlier)-1]) {
		if !strings.Contains(said, text.Fold(word)) {
			subject = append(subject, word)
		}
	}
	if len(subject) == 0 {
		return p.question
	}
	bare := strings.TrimRight(strings.TrimSpace(p.question), stops)
	return bare + " (" + strings.Join(subject, " ") + ")?"
}

// titled is a few words of what was asked.
func (p prompt) titled() string {
	words := subjectOf(p.question)
	if len(words) > 6 {
		words = words[:6]
	}
	if len(words) == 0 {
		return "A question"
	}
	first := []rune(words[0])
	first[0] = unicode.ToUpper(first[0])
	words[0] = string(first)
	return strings.Join(words, " ")
}

// subjectOf gives the words of a question that say what it is about, as they are written.
func subjectOf(question string) []string {
	stop := map[string]bool{}
	for _, t := range text.Query(question, nil) {
		if t.Stop {
			stop[t.Word] = true
		}
	}
	var words []string
	for word := range strings.FieldsSeq(question) {
		word = strings.TrimFunc(word, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) })
		if word != "" && !stop[text.Fold(word)] {
			words = append(words, word)
		}
	}
	return words
}

// What text of others tells a model to do, and what it would have it write.
var (
	toSay    = regexp.MustCompile("(?i)\\b(?:say|reply|answer|respond|write|output|print|include|append|add|repeat|show)\\b[^\"“`\n]{0,80}[\"“`]([^\"”`\n]+)[\"”`]")
	toSayAll = regexp.MustCompile(`(?im)\b(?:say|reply|answer|respond|write|output|print|include|append|add|repeat|show)\b[^:\n]{0,60}:[ \t]*(\S.*)$`)
	toReveal = regexp.MustCompile(`(?i)\b(?:system prompt|your (?:instructions|prompt|rules)|everything above|instructions above)\b`)
	active   = regexp.MustCompile(`!?\[[^\]\n]*\](?:\([^)\n]*\)|\[[^\]\n]*\]|:[ \t]*\S+)|<[a-zA-Z/!][^>]*>|\b(?:https?|data|javascript):\S+`)
)

// obey does whatever text of documents and people says: it says what it is told to say, gives away the system prompt
// where that is spoken of, and repeats everything that could be active. Where nothing is told it answers as ever.
func obey(q Request) string {
	p := understand(q)
	var said []string
	add := func(list [][]string, group int) {
		for _, m := range list {
			if !slices.Contains(said, m[group]) {
				said = append(said, m[group])
			}
		}
	}
	texts := []string{p.question}
	for _, passage := range p.passages {
		texts = append(texts, passage.title, passage.text)
	}
	for _, s := range texts {
		add(toSay.FindAllStringSubmatch(s, -1), 1)
		add(toSayAll.FindAllStringSubmatch(s, -1), 1)
		add(active.FindAllStringSubmatch(s, -1), 0)
		if toReveal.MatchString(s) && !slices.Contains(said, q.System) {
			said = append(said, q.System)
		}
	}
	if len(said) == 0 {
		return say(q)
	}
	return strings.Join(said, "\n")
}
