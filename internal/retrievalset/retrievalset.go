// Package retrievalset is a set of questions with known answers, to measure how well passages are found and
// answers picked. Places, people, products and firms in it are invented.
//
// Each language has one readable file: "# title" begins a document, "> text" is a paragraph of it, and the lines
// after a paragraph are questions that it answers, as "group question | answer": w, n or d for the group. The
// answer is verbatim in the paragraph. "u question" is one that no paragraph of any document answers.
package retrievalset

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed *.txt
var files embed.FS

// Languages are the languages of the set.
var Languages = [...]string{"en", "es", "zh"}

// Group is how a question is related to its paragraph.
type Group string

// The groups.
const (
	Words        Group = "words"        // shares words with its paragraph
	Names        Group = "names"        // shares names or numbers with it, and hardly a word else
	Distant      Group = "distant"      // shares next to nothing with it
	Unanswerable Group = "unanswerable" // has no paragraph, though it is near the subject of some
)

var groups = map[string]Group{"w": Words, "n": Names, "d": Distant, "u": Unanswerable}

// Paragraph is one passage.
type Paragraph struct {
	ID       string // such as en-7; unique in the set
	Language string
	Title    string // of its document
	Text     string
}

// Question is a question with the paragraph that answers it.
type Question struct {
	Language  string
	Group     Group
	Text      string
	Paragraph string // the ID of the paragraph; "" where unanswerable
	Answer    string // verbatim in the paragraph; "" where unanswerable
	Dev       bool   // may be looked at when rules are made; the others only measure
}

// Set is the whole.
type Set struct {
	Paragraphs []Paragraph
	Questions  []Question
}

// Load reads the set. Every second paragraph is for development, and of the two unanswerable questions of each
// document the first and the second by turns.
func Load() (Set, error) {
	var set Set
	for _, language := range Languages {
		b, err := files.ReadFile(language + ".txt")
		if err != nil {
			return Set{}, fmt.Errorf("read the retrieval set: %w", err)
		}
		if err := set.add(language, string(b)); err != nil {
			return Set{}, fmt.Errorf("read the retrieval set: %s.txt: %w", language, err)
		}
	}
	return set, nil
}

func (s *Set) add(language, file string) error {
	var title string
	var paragraph Paragraph
	paragraphs, unanswerable := 0, 0
	for i, line := range strings.Split(strings.TrimSpace(file), "\n") {
		mark, rest, _ := strings.Cut(line, " ")
		group := groups[mark]
		switch {
		case line == "":
		case mark == "#":
			title, paragraph = rest, Paragraph{}
		case mark == ">":
			paragraphs++
			paragraph = Paragraph{ID: fmt.Sprintf("%s-%d", language, paragraphs), Language: language, Title: title, Text: rest}
			s.Paragraphs = append(s.Paragraphs, paragraph)
		case group == Unanswerable:
			unanswerable++
			s.Questions = append(s.Questions, Question{Language: language, Group: group, Text: rest, Dev: unanswerable%4 <= 1})
		case group != "":
			question, answer, _ := strings.Cut(rest, " | ")
			if answer == "" || !strings.Contains(paragraph.Text, answer) {
				return fmt.Errorf("line %d: the answer is not in the paragraph", i+1)
			}
			s.Questions = append(s.Questions, Question{
				Language: language, Group: group, Text: question, Paragraph: paragraph.ID, Answer: answer, Dev: paragraphs%2 == 1,
			})
		default:
			return fmt.Errorf("line %d: unknown mark %q", i+1, mark)
		}
	}
	return nil
}
