package kyro

import "strings"

// QA is a question and its answer: the original of a document of that kind, as JSON.
type QA struct {
	Question string `json:"question"`
	Answer   string `json:"answer"`
}

// The longest question and answer of a pair, in UTF-16 units.
const (
	MaxQuestion = 1_000
	MaxAnswer   = 20_000
)

// Check checks that both are there and within their limits.
func (q QA) Check() error {
	for _, part := range []struct {
		field, name, text string
		most              int
	}{{"question", "The question", q.Question, MaxQuestion}, {"answer", "The answer", q.Answer, MaxAnswer}} {
		if strings.TrimSpace(part.text) == "" {
			return Invalid(part.field, "%s must not be empty.", part.name)
		}
		if err := checkText(part.field, part.name, part.text, part.most); err != nil {
			return err
		}
	}
	return nil
}
