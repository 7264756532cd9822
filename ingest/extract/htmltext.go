package extract

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"

	"kyrochat/kyro"
	"kyrochat/text"
)

// pageWalker writes the elements of a page as blocks.
type pageWalker struct {
	blocks
	line strings.Builder // what is read of a paragraph; line ends are breaks of lines
}

// walk writes what is in an element.
func (w *pageWalker) walk(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.node(c)
	}
}

func (w *pageWalker) node(n *html.Node) {
	if n.Type == html.TextNode {
		writeInline(&w.line, n.Data)
		return
	}
	if n.Type != html.ElementNode {
		return
	}
	switch name := n.Data; {
	case name == "br":
		w.line.WriteByte('\n')
	case isHeadingName(name):
		w.heading(n)
	case name == "pre" || name == "xmp" || name == "listing":
		w.flush()
		w.add(kyro.BlockCode, 0, text.Normalize(verbatim(n)))
	case name == "ul" || name == "ol" || name == "menu" || name == "dir":
		w.list(n)
	case name == "dl":
		w.definitions(n)
	case name == "table":
		w.table(n)
	case name == "img" || name == "hr" && w.line.Len() == 0:
	case endsParagraph[name] || isCell(name) || name == "tr" || isSection(name) || name == "caption" || name == "legend":
		w.flush()
		w.walk(n)
		w.flush()
	default:
		w.walk(n)
	}
}

// heading adds a heading, without the sign beside it that links to itself.
func (w *pageWalker) heading(n *html.Node) {
	w.flush()
	level := int(n.Data[1] - '0')
	if s, err := strconv.Atoi(attributeOf(n, levelMark)); err == nil {
		level = s
	}
	s := oneLine(n)
	for _, sign := range []string{"¶", "#", "§", "🔗", "[edit]"} {
		if rest, ok := strings.CutSuffix(s, sign); ok && strings.TrimSpace(rest) != "" {
			s = strings.TrimSpace(rest)
		}
	}
	w.blocks.heading(level, s)
}

// flush ends the paragraph that is being read. Two breaks of lines, one after the other, end one as well.
func (w *pageWalker) flush() {
	if w.line.Len() == 0 {
		return
	}
	raw := w.line.String()
	w.line.Reset()
	for _, part := range paragraphs(raw) {
		w.paragraph(part)
	}
}

// paragraphs divides text at blank lines, and gives every line without white space around it.
func paragraphs(raw string) []string {
	var list, lines []string
	end := func() {
		if len(lines) > 0 {
			list = append(list, strings.Join(lines, "\n"))
			lines = nil
		}
	}
	for line := range strings.SplitSeq(text.Normalize(raw), "\n") {
		if line = onOneLine(line); line == "" {
			end()
		} else {
			lines = append(lines, line)
		}
	}
	end()
	return list
}

// writeInline adds text as a browser shows it: white space is one space, and only an element breaks lines.
func writeInline(b *strings.Builder, s string) {
	at := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\n', '\r', '\t', '\f':
			b.WriteString(s[at:i])
			b.WriteByte(' ')
			at = i + 1
		}
	}
	b.WriteString(s[at:])
}

// oneLine is the text of an element in one line.
func oneLine(n *html.Node) string {
	var b strings.Builder
	writeText(&b, n)
	return onOneLine(text.Normalize(b.String()))
}

func writeText(b *strings.Builder, n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case c.Type == html.TextNode:
			b.WriteString(c.Data)
		case c.Type != html.ElementNode:
		case c.Data == "br" || !inlineTags[c.Data]:
			b.WriteByte(' ')
			writeText(b, c)
			b.WriteByte(' ')
		default:
			writeText(b, c)
		}
	}
}

// verbatim is the text of code as it is written.
func verbatim(n *html.Node) string {
	var b strings.Builder
	var write func(*html.Node)
	write = func(n *html.Node) {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			switch {
			case c.Type == html.TextNode:
				b.WriteString(c.Data)
			case c.Data == "br":
				b.WriteByte('\n')
			case (endsParagraph[c.Data] || c.Data == "tr") && b.Len() > 0 && !strings.HasSuffix(b.String(), "\n"): // each line an element
				b.WriteByte('\n')
				write(c)
			default:
				write(c)
			}
		}
	}
	write(n)
	return b.String()
}

// attributeOf is an attribute of an element, "" where it has none.
func attributeOf(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// holdsAny reports that one of the elements is somewhere within.
func holdsAny(n *html.Node, names map[string]bool) bool {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.ElementNode && (names[c.Data] || holdsAny(c, names)) {
			return true
		}
	}
	return false
}

// structured are elements that no line can hold.
var structured = setOf("h1 h2 h3 h4 h5 h6 table pre xmp listing dl")

// list adds a list: each item is a line with its mark, those of a list within it are moved to the right. A list that
// arranges the parts of a page is read as these parts.
func (w *pageWalker) list(n *html.Node) {
	w.flush()
	if holdsAny(n, structured) {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			w.flush()
			if c.Type == html.ElementNode && c.Data == "li" {
				w.walk(c)
			} else {
				w.node(c)
			}
		}
		w.flush()
		return
	}
	var b strings.Builder
	writeList(&b, n, "")
	w.add(kyro.BlockList, 0, b.String())
}

// maxIndent bounds how far the items of lists within lists are moved to the right, in characters.
const maxIndent = 24

func writeList(b *strings.Builder, n *html.Node, indent string) {
	number, step := 1, 1
	if s, err := strconv.Atoi(attributeOf(n, "start")); err == nil {
		number = s
	}
	if hasAttribute(n.Attr, "reversed") {
		step = -1
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.TextNode && !isBlank(c.Data) { // beside the items
			item := itemWriter{b: b, first: indent, indent: indent}
			writeInline(&item.line, c.Data)
			item.flush()
		}
		if c.Type != html.ElementNode {
			continue
		}
		if isList(c.Data) { // a list beside the items of another
			writeList(b, c, indent)
			continue
		}
		mark := "- "
		if n.Data == "ol" {
			if s, err := strconv.Atoi(attributeOf(c, "value")); err == nil {
				number = s
			}
			mark = strconv.Itoa(number) + ". "
			number += step
		}
		inner := indent
		if len(indent) < maxIndent {
			inner += strings.Repeat(" ", len(mark))
		}
		item := itemWriter{b: b, first: indent + mark, indent: inner}
		item.walk(c)
		item.flush()
	}
}

func isList(name string) bool { return name == "ul" || name == "ol" || name == "menu" || name == "dir" }

// itemWriter writes one item of a list.
type itemWriter struct {
	b             *strings.Builder
	line          strings.Builder
	first, indent string // what stands before the first line, and before all others
	begun         bool
}

func (w *itemWriter) walk(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case c.Type == html.TextNode:
			writeInline(&w.line, c.Data)
		case c.Type != html.ElementNode:
		case c.Data == "br":
			w.line.WriteByte('\n')
		case isList(c.Data):
			w.flush()
			writeList(w.b, c, w.indent)
		case endsParagraph[c.Data]:
			w.flush()
			w.walk(c)
			w.flush()
		default:
			w.walk(c)
		}
	}
}

func (w *itemWriter) flush() {
	raw := w.line.String()
	w.line.Reset()
	for _, part := range paragraphs(raw) {
		for line := range strings.SplitSeq(part, "\n") {
			if w.b.Len() > 0 {
				w.b.WriteByte('\n')
			}
			if w.begun {
				w.b.WriteString(w.indent)
			} else {
				w.b.WriteString(w.first)
			}
			w.begun = true
			w.b.WriteString(line)
		}
	}
}

// longestDefinition is how long a definition may be to stand in one line with its term, in characters.
const longestDefinition = 300

// definitions adds a list of terms and what they mean: a line for each where they are short, else their parts.
func (w *pageWalker) definitions(n *html.Node) {
	w.flush()
	if holdsAny(n, setOf("ul ol")) || holdsAny(n, structured) {
		w.walk(n)
		w.flush()
		return
	}
	var lines []string
	for _, c := range definitionParts(n) {
		s := oneLine(c)
		switch last := len(lines) - 1; {
		case s == "":
		case c.Data == "dt" || last < 0:
			lines = append(lines, "- "+s+":")
		case utf8.RuneCountInString(lines[last])+utf8.RuneCountInString(s) > longestDefinition:
			lines = append(lines, "  "+s)
		case strings.HasSuffix(lines[last], ":"):
			lines[last] += " " + s
		default:
			lines[last] += "; " + s
		}
	}
	w.add(kyro.BlockList, 0, strings.ReplaceAll(strings.Join(lines, "\n"), "::", ":"))
}

// definitionParts are the terms and meanings of a list, which may be in groups.
func definitionParts(n *html.Node) (parts []*html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case c.Type != html.ElementNode:
		case c.Data == "dt" || c.Data == "dd":
			parts = append(parts, c)
		default:
			parts = append(parts, definitionParts(c)...)
		}
	}
	return parts
}
