package extract

import (
	"encoding/json"
	"strings"

	"kyrochat/kyro"
	"kyrochat/text"
)

// readQA reads a pair of a question and its answer: the question is the heading of the answer, which may be Markdown;
// the answer's own headings are below it.
func readQA(data string) (kyro.Extraction, error) {
	var qa kyro.QA
	if err := json.Unmarshal([]byte(data), &qa); err != nil {
		return kyro.Extraction{}, kyro.Errorf(kyro.CodeValidation, "The question and its answer cannot be read.").Because(err)
	}
	var b blocks
	b.heading(1, text.Normalize(qa.Question))
	answer := text.Normalize(qa.Answer)
	parts := parsePlainBlocks(answer)
	if writtenAsMarkdown(answer) {
		parts = parseMarkdownBlocks(answer)
	}
	for _, part := range parts {
		if part.kind == kyro.BlockHeading {
			b.heading(part.level+1, headingText(part.text))
		} else {
			b.add(part.kind, 0, part.text)
		}
	}
	return b.extraction(), nil
}

type textBlock struct {
	kind  kyro.BlockKind
	level int // of a heading
	text  string
}

// parsePlainBlocks reads plain text as blocks of their own.
func parsePlainBlocks(s string) []textBlock { return textBlocks(s, parsePlain(s)) }

// parseMarkdownBlocks reads Markdown as blocks of their own.
func parseMarkdownBlocks(source string) []textBlock { return textBlocks(parseMarkdown(source)) }

// textBlocks takes blocks out of their text, and what stands between them as paragraphs.
func textBlocks(s string, found []kyro.Block) (list []textBlock) {
	at := 0
	rest := func(end int) {
		if between := s[at:end]; !isBlank(between) {
			list = append(list, textBlock{kyro.BlockParagraph, 0, between})
		}
	}
	for _, b := range found {
		rest(b.Start)
		list = append(list, textBlock{b.Kind, b.Level, s[b.Start:b.End]})
		at = b.End
	}
	rest(len(s))
	return list
}

// writtenAsMarkdown reports a text with a heading, a fence or a table of Markdown.
func writtenAsMarkdown(s string) bool {
	for line := range strings.Lines(s) {
		line = strings.TrimRight(line, " \t\n")
		hashes := len(line) - len(strings.TrimLeft(line, "#"))
		if hashes >= 1 && hashes <= 6 && strings.HasPrefix(line[hashes:], " ") || isFence(line) ||
			strings.Contains(line, "|") && strings.Contains(line, "---") && strings.Trim(line, "|-: ") == "" {
			return true
		}
	}
	return false
}

// headingText is a heading without the marks that make it one.
func headingText(s string) string {
	s = strings.TrimSpace(s)
	if line, below, ok := strings.Cut(s, "\n"); ok && strings.Trim(below, "=-~ \t\n") == "" {
		s = line
	}
	if rest := strings.TrimLeft(s, "#"); len(rest) < len(s) {
		s = strings.TrimSpace(rest)
		if closed := strings.TrimRight(s, "#"); strings.HasSuffix(closed, " ") {
			s = closed
		}
	}
	return strings.TrimSpace(s)
}
