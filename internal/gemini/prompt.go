package gemini

import (
	"regexp"
	"strconv"
	"strings"
)

// A prompt of KyroChat has its parts between lines <<<NONCE kind>>> and <<<NONCE end>>>, where NONCE is 32 hex digits,
// new for each attempt: whatever else looks like such a line is text of a document or of a person.
var edge = regexp.MustCompile(`(?m)^<<<([0-9a-f]{32}) ([a-z]+(?: [a-z]+)*)(?: ([0-9]+))?>>>[ \t]*$`)

// prompt is a request as a model understands it.
type prompt struct {
	passages         []passage
	question, answer string
	asked            bool     // there is a question between its lines
	noAnswer         string   // what to say where the passages do not hold the answer; "": nothing in particular
	earlier          []string // questions of the history, oldest first
}

type passage struct {
	marker      int
	title, text string
}

type block struct {
	kind, text string
	number     int
	start      int
}

func understand(q Request) prompt {
	var p prompt
	inSystem := edges(q.System)
	nonce := ""
	if n := len(inSystem); n > 0 {
		nonce = inSystem[n-1] // the block that the system prompt ends with: what is above may be anybody's
	} else if all := edges(q.Prompt); len(all) > 0 {
		nonce = all[0]
	}
	for _, b := range blocks(q.System, nonce) {
		if b.kind == "no answer" {
			p.noAnswer = b.text
		}
	}
	for _, t := range q.History {
		if t.Role == "user" {
			p.earlier = append(p.earlier, t.Text)
		}
	}
	for _, b := range blocks(q.Prompt, nonce) {
		switch b.kind {
		case "passage":
			p.passages = append(p.passages, newPassage(b))
		case "question":
			p.question, p.asked = b.text, true
			if len(p.earlier) == 0 {
				p.earlier = earlier(q.Prompt[:b.start])
			}
		case "user":
			p.earlier = append(p.earlier, b.text)
		case "answer":
			p.answer = b.text
		}
	}
	if !p.asked {
		p.question = q.Prompt
	}
	return p
}

// edges gives the nonces of all lines that look like an edge.
func edges(s string) []string {
	var list []string
	for _, m := range edge.FindAllStringSubmatch(s, -1) {
		list = append(list, m[1])
	}
	return list
}

func blocks(s, nonce string) []block {
	var list []block
	open := -1
	var now block
	for _, at := range edge.FindAllStringSubmatchIndex(s, -1) {
		if s[at[2]:at[3]] != nonce {
			continue
		}
		kind := s[at[4]:at[5]]
		if kind == "end" {
			if open >= 0 {
				now.text = strings.Trim(s[open:at[0]], "\r\n")
				list = append(list, now)
			}
			open = -1
			continue
		}
		open, now = at[1], block{kind: kind, start: at[0]}
		if at[6] >= 0 {
			now.number, _ = strconv.Atoi(s[at[6]:at[7]])
		}
	}
	return list
}

func newPassage(b block) passage {
	p := passage{marker: b.number, text: b.text}
	if rest, titled := strings.CutPrefix(b.text, "Title: "); titled {
		p.title, p.text, _ = strings.Cut(rest, "\n")
		for _, above := range []string{"Section: ", "Columns: "} {
			if rest, there := strings.CutPrefix(p.text, above); there {
				above, p.text, _ = strings.Cut(rest, "\n")
				p.title += "\n" + above
			}
		}
	}
	return p
}

var spoken = regexp.MustCompile(`(?mi)^\W*(?:user|person|visitor|question|q)\b[^:\n]{0,20}:[ \t]*(\S.*)$`)

// earlier finds the questions in a history that is written out: lines such as "USER: ..." or, where there are none,
// lines that end with a question mark, or else the last line.
func earlier(history string) []string {
	var list []string
	for _, m := range spoken.FindAllStringSubmatch(history, -1) {
		list = append(list, m[1])
	}
	if len(list) > 0 {
		return list
	}
	last := ""
	for line := range strings.Lines(history) {
		line = strings.TrimSpace(line)
		if strings.HasSuffix(line, "?") || strings.HasSuffix(line, "？") {
			list = append(list, line)
		}
		if line != "" && !edge.MatchString(line) {
			last = line
		}
	}
	if len(list) == 0 && last != "" {
		list = []string{last}
	}
	return list
}

// kindOf tells what the request is for.
func kindOf(q Request, stream bool) Kind {
	p := understand(q)
	switch {
	case stream || len(p.passages) > 0:
		return KindAnswer
	case p.answer != "":
		return KindTitle
	case p.asked:
		return KindRewrite
	}
	return KindOther
}
