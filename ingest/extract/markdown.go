package extract

import (
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"

	"kyrochat/kyro"
)

// maxNesting bounds how deep a Markdown text may nest: the parser's time grows with depth times length.
const maxNesting = 100

// parseMarkdown finds the structure of a Markdown text and gives the text that is kept: the source as it was
// written, so that a quote from it is verbatim. What a reader of the rendered page never sees does not belong to
// what the document says and is taken out: front matter, comments, scripts and styles, elements that hide. Links keep
// their targets, for an answer may have to name them; other HTML stays as it is.
func parseMarkdown(source string) (string, []kyro.Block) {
	source = withoutFrontMatter(source)
	if nesting(source) > maxNesting {
		return source, parsePlain(source)
	}
	doc := parseTree(source)
	if hidden := hiddenHTML(doc, source); len(hidden) > 0 {
		source = without(source, hidden)
		doc = parseTree(source)
	}
	blocks := markdownBlocks(doc, source)
	if hidden := commentDefinitions(source, blocks); len(hidden) > 0 {
		source = without(source, hidden)
		blocks = markdownBlocks(parseTree(source), source)
	}
	return source, blocks
}

func markdownBlocks(doc ast.Node, source string) (blocks []kyro.Block) {
	end := 0
	for n := doc.FirstChild(); n != nil; n = n.NextSibling() {
		b, ok := markdownBlock(n, source)
		b.Start = max(b.Start, end)
		if !ok || b.End <= b.Start || isBlank(source[b.Start:b.End]) {
			continue
		}
		blocks, end = append(blocks, b), b.End
	}
	return blocks
}

func parseTree(source string) ast.Node {
	md := goldmark.New(goldmark.WithExtensions(extension.Table, extension.Strikethrough, extension.TaskList))
	return md.Parser().Parse(text.NewReader([]byte(source)))
}

var (
	yamlKey = regexp.MustCompile(`^[A-Za-z_][\w .-]*:(\s|$)`)
	tomlKey = regexp.MustCompile(`^([A-Za-z_][\w.-]*\s*=|\[)`)
)

var titleKey = regexp.MustCompile(`(?m)^title[ \t]*[:=][ \t]*(.+)$`)

// frontTitle is the title that the settings at the start of a text give it, "" where there is none.
func frontTitle(source string) string {
	body := withoutFrontMatter(source)
	m := titleKey.FindStringSubmatch(source[:len(source)-len(body)])
	if m == nil {
		return ""
	}
	return normalTitle(strings.Trim(strings.TrimSpace(m[1]), `"'`))
}

// withoutFrontMatter strips settings between two lines of --- or +++ at the start. The first line between them
// must look like a setting: a text may begin with a rule as well.
func withoutFrontMatter(s string) string {
	for mark, key := range map[string]*regexp.Regexp{"---": yamlKey, "+++": tomlKey} {
		rest, ok := strings.CutPrefix(s, mark)
		if !ok {
			continue
		}
		head, body, ok := strings.Cut(rest, "\n")
		if !ok || !isBlank(head) {
			continue
		}
		first := true
		for line := range strings.Lines(body) {
			trimmed := strings.TrimRight(line, " \t\n")
			body = body[len(line):]
			if trimmed == mark || mark == "---" && trimmed == "..." {
				return strings.TrimLeft(body, "\n")
			}
			if first && trimmed != "" && !strings.HasPrefix(trimmed, "#") {
				if !key.MatchString(trimmed) {
					return s
				}
				first = false
			}
		}
	}
	return s
}

// nesting is how deep quotes and lists could nest at most, judged by the starts of lines.
func nesting(s string) int {
	deepest := 0
	for line := range strings.Lines(s) {
		depth := 0
		for i := 0; i < len(line); i++ {
			switch line[i] {
			case '>', '-', '*', '+', ')', '.':
				depth++
			case ' ', '\t', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
				continue
			default:
				i = len(line)
			}
		}
		if strings.Trim(line, "-*_ \t\n.") != "" { // not a rule
			deepest = max(deepest, depth)
		}
	}
	return deepest
}

// markdownBlock gives the block of a node at the top of the document; false for one without text of its own.
// A block has whole lines, with their markers.
func markdownBlock(n ast.Node, source string) (kyro.Block, bool) {
	b := kyro.Block{Kind: kyro.BlockParagraph}
	s, ok := extent(n)
	switch n := n.(type) {
	case *ast.Heading:
		b.Kind, b.Level = kyro.BlockHeading, n.Level
		if ok {
			s = wholeLines(source, s)
			if next := s.end + 1; next < len(source) && underline1(source[next:next+lineEnd(source[next:])]) &&
				!strings.HasPrefix(strings.TrimLeft(s.of(source), " "), "#") {
				s.end = next + lineEnd(source[next:])
			}
		}
	case *ast.List:
		b.Kind = kyro.BlockList
	case *extast.Table:
		b.Kind = kyro.BlockTable
	case *ast.CodeBlock:
		b.Kind = kyro.BlockCode
	case *ast.FencedCodeBlock:
		b.Kind = kyro.BlockCode
		if n.Info != nil && !ok {
			s, ok = span{n.Info.Segment.Start, n.Info.Segment.Stop}, true
		} else if ok {
			s = withFences(source, wholeLines(source, s))
		}
	case *ast.HTMLBlock:
		if n.HasClosure() && ok {
			s.end = max(s.end, n.ClosureLine.Stop)
		}
	}
	if !ok {
		return b, false
	}
	s = wholeLines(source, s)
	b.Start, b.End = s.start, s.end
	return b, true
}

// extent is the range of the source that a node and what is in it were read from.
func extent(n ast.Node) (span, bool) {
	s, found := span{}, false
	grow := func(from, to int) {
		if to <= from {
			return
		}
		if !found {
			s, found = span{from, to}, true
			return
		}
		s.start, s.end = min(s.start, from), max(s.end, to)
	}
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		if n.Type() == ast.TypeBlock {
			for _, l := range n.Lines().Sliced(0, n.Lines().Len()) {
				grow(l.Start, l.Stop)
			}
		}
		switch n := n.(type) {
		case *ast.Text:
			grow(n.Segment.Start, n.Segment.Stop)
		case *ast.RawHTML:
			for _, l := range n.Segments.Sliced(0, n.Segments.Len()) {
				grow(l.Start, l.Stop)
			}
		}
		return ast.WalkContinue, nil
	})
	return s, found
}

// wholeLines widens a range to the lines it touches, without the last line's end.
func wholeLines(source string, s span) span {
	s.start = strings.LastIndexByte(source[:s.start], '\n') + 1
	s.end -= len(source[s.start:s.end]) - len(strings.TrimRight(source[s.start:s.end], "\n"))
	if s.end < s.start {
		s.end = s.start
	}
	s.end += lineEnd(source[s.end:])
	return s
}

// withFences takes in the lines above and below a code block that fence it.
func withFences(source string, s span) span {
	if s.start > 0 {
		above := strings.LastIndexByte(source[:s.start-1], '\n') + 1
		if isFence(source[above : s.start-1]) {
			s.start = above
		}
	}
	// Blank lines may stand between the code and its closing fence.
	for at := s.end; at < len(source); {
		at++
		end := at + lineEnd(source[at:])
		if isFence(source[at:end]) {
			s.end = end
		} else if isBlank(source[at:end]) {
			at = end
			continue
		}
		break
	}
	return s
}

func isFence(line string) bool {
	line = strings.TrimLeft(line, " >\t")
	return strings.HasPrefix(line, "```") || strings.HasPrefix(line, "~~~")
}

// underline1 reports the line below a Markdown heading that makes it one.
func underline1(line string) bool {
	line = strings.TrimSpace(line)
	return line != "" && (strings.Trim(line, "=") == "" || strings.Trim(line, "-") == "")
}
