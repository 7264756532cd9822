package answer

import (
	"slices"
	"strings"

	"kyrochat/kyro"
	"kyrochat/text"
)

// How many words of substance a question may have to lean on the one before: without saying so, and when a word of
// it points back. A question that says more can stand alone.
const (
	shortQuestion    = 1
	pointingQuestion = 3
)

// leaning are words that point back, in questions of the languages most asked in; folded.
var leaning = map[string]bool{
	"it": true, "its": true, "they": true, "them": true, "their": true, "he": true, "she": true, "him": true, "her": true, "his": true,
	"this": true, "that": true, "these": true, "those": true, "one": true, "ones": true,
	"ella": true, "ellos": true, "ellas": true, "ello": true, "eso": true, "esto": true, "ese": true, "esa": true, "esos": true,
	"esas": true, "aquello": true, "su": true, "sus": true, "alli": true, "ahi": true,
	"er": true, "sie": true, "ihn": true, "ihm": true, "ihr": true, "sein": true, "seine": true, "dies": true, "dort": true,
	"elle": true, "ils": true, "elles": true, "cela": true, "ca": true, "celui": true, "leur": true, "son": true, "sa": true,
}

// openings begin a question that goes on from the one before.
var openings = []string{"and ", "what about", "how about", "or ", "but ", "y ", "¿y ", "e ", "¿e ", "pero ", "¿pero ", "o ", "¿o ", "und ", "et ", "那"}

// denseLeaning are the same of scripts without spaces.
var denseLeaning = []string{"它", "他", "她", "这", "那", "其", "呢", "それ", "これ", "あれ"}

// contextOf gives the terms of the question before where this question leans on it, and nothing otherwise: where it
// points back by a pronoun or an opening and names nothing, or says next to nothing by itself.
func contextOf(question string, terms []text.QueryTerm, history []kyro.Message, languages []string) []text.QueryTerm {
	before := lastQuestion(history)
	if before == "" || !leans(question, terms) {
		return nil
	}
	said := make(map[string]bool, len(terms))
	for _, t := range terms {
		said[t.Word] = true
	}
	return slices.DeleteFunc(text.Query(before, languages), func(t text.QueryTerm) bool { return t.Stop || said[t.Word] })
}

// Words that point back and hardly mean anything else, folded, and how many words of substance a question may have to
// depend on the one before by one of them or by its opening, whatever it names.
var (
	pointing = wordSet(`it its they them their he she him this these those ello ellos ellas eso esto aquello alli
		ihn ihm dies dieser dieses dort dafur davon dazu elle ils elles cela celui leur
		other others otro otra otros otras andere anderen anderer anderes autre autres`)
	pointingLast      = wordSet("that this one there es das sie er da ese esa alli ca la") // the last word of a question is no article
	densePointing     = []string{"它", "他", "她", "这个", "那个", "这些", "那些", "上面", "それ", "その", "これ"}
	dependingQuestion = 6
)

// dependsOn reports a question that may not be understood without the conversation before it. It is more easily said than
// that a question leans, since a model that is asked to rewrite one that can stand alone leaves it as it is.
func dependsOn(question string, history []kyro.Message) bool {
	if lastQuestion(history) == "" {
		return false
	}
	terms := text.Query(question, nil)
	if leans(question, terms) {
		return true
	}
	substance, points := 0, opensOn(text.Fold(question))
	for i, t := range terms {
		points = points || pointing[t.Word] || i == len(terms)-1 && pointingLast[t.Word]
		switch {
		case t.Stop:
		case isDense(t.Word):
			substance++
		default:
			substance += 2
		}
	}
	for _, s := range densePointing {
		points = points || strings.Contains(question, s)
	}
	return points && substance <= 2*dependingQuestion
}

// opensOn reports a folded question that goes on from the one before by its first words.
func opensOn(folded string) bool {
	return slices.ContainsFunc(openings, func(opening string) bool { return strings.HasPrefix(folded, opening) })
}

func lastQuestion(history []kyro.Message) string {
	for _, m := range slices.Backward(history) {
		if m.Role == kyro.RoleUser {
			return m.Text
		}
	}
	return ""
}

func leans(question string, terms []text.QueryTerm) bool {
	substance, dense := 0, false
	points := false
	for _, t := range terms {
		if t.Name {
			return false
		}
		if !t.Stop {
			substance++
		}
		points = points || leaning[t.Word]
		dense = dense || isDense(t.Word)
	}
	folded := text.Fold(question)
	points = points || opensOn(folded)
	if dense {
		// The words are pairs of characters here: a short word is one of them, and two words are three.
		for _, s := range denseLeaning {
			points = points || strings.Contains(folded, s)
		}
		return substance <= 2*shortQuestion || points && substance <= 2*pointingQuestion
	}
	return substance <= shortQuestion || points && substance <= pointingQuestion
}

func isDense(word string) bool {
	for _, r := range word {
		return r >= 0x2E80
	}
	return false
}
