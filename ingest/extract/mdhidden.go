package extract

import (
	"cmp"
	"regexp"
	"slices"
	"strings"

	"github.com/yuin/goldmark/ast"
	"golang.org/x/net/html"

	"kyrochat/kyro"
	"kyrochat/text"
)

// hiddenHTML finds what a reader of the rendered page does not see: comments, scripts, styles, and elements that hide,
// with all that is in them.
func hiddenHTML(doc ast.Node, source string) []span {
	var hidden []span
	var open hiddenElement
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.HTMLBlock:
			s, ok := extent(n)
			if !ok {
				break
			}
			if n.HasClosure() {
				s.start, s.end = min(s.start, n.ClosureLine.Start), max(s.end, n.ClosureLine.Stop)
			}
			switch low := strings.ToLower(strings.TrimLeft(s.of(source), " ")); {
			case n.HTMLBlockType == ast.HTMLBlockType2:
				hidden = append(hidden, comments(source, s)...)
			case strings.HasPrefix(low, "<script"), strings.HasPrefix(low, "<style"):
				hidden = append(hidden, s)
			default:
				hidden = append(hidden, comments(source, s)...)
				hidden = append(hidden, open.read(source, s, s.end)...)
			}
		case *ast.RawHTML:
			for i := range n.Segments.Len() {
				seg := n.Segments.At(i)
				if i == 0 && !strings.HasPrefix(source[seg.Start:], "<!--") {
					break
				}
				hidden = append(hidden, span{seg.Start, seg.Stop})
			}
			if k := n.Segments.Len(); k > 0 {
				piece := span{n.Segments.At(0).Start, n.Segments.At(k - 1).Stop}
				hidden = append(hidden, open.read(source, piece, paragraphEnd(n, piece.end))...)
			}
		}
		return ast.WalkContinue, nil
	})
	return ordered(append(hidden, open.rest(len(source))...))
}

// paragraphEnd is where the block ends that a piece of HTML stands in.
func paragraphEnd(n ast.Node, least int) int {
	for p := n.Parent(); p != nil; p = p.Parent() {
		if p.Type() == ast.TypeBlock {
			s, _ := extent(p)
			return max(least, s.end)
		}
	}
	return least
}

// hiddenElement is an element that hides and is open, if any.
type hiddenElement struct {
	name  string
	depth int  // of elements with its name
	in    span // from where it began to the end of the block that it began in
}

// rest is what hides in an element that is open at an offset: its block, if that is over. What goes on behind it is read,
// for a tag that was forgotten hides no text.
func (h *hiddenElement) rest(at int) []span {
	if h.depth == 0 || at < h.in.end {
		return nil
	}
	return []span{h.in}
}

// read goes through a piece of HTML, which stands in a block that ends at an offset, and gives the elements that hide and
// end in it.
func (h *hiddenElement) read(source string, piece span, blockEnd int) (found []span) {
	z := html.NewTokenizer(strings.NewReader(piece.of(source)))
	for at := piece.start; ; {
		token := z.Next()
		if token == html.ErrorToken {
			return found
		}
		start := at
		at += len(z.Raw())
		if token != html.StartTagToken && token != html.EndTagToken {
			continue
		}
		raw, more := z.TagName()
		name := string(raw)
		switch {
		case h.depth > 0 && name != h.name:
		case h.depth > 0 && token == html.EndTagToken:
			if h.depth--; h.depth == 0 {
				found = append(found, span{h.in.start, at})
			}
		case h.depth > 0:
			h.depth++
		case token == html.StartTagToken && !void[name] && (more && hidesByAttribute(z, name) || unseen[name]):
			*h = hiddenElement{name: name, depth: 1, in: span{start, blockEnd}}
		}
	}
}

func hidesByAttribute(z *html.Tokenizer, name string) bool {
	for range maxAttributes {
		key, value, more := z.TagAttr()
		if hides(name, string(key), string(value)) {
			return true
		}
		if !more {
			break
		}
	}
	return false
}

// commentDefinitions finds definitions of links that lead nowhere, outside of all blocks: [//]: # (so are comments
// written that no page shows).
func commentDefinitions(source string, blocks []kyro.Block) (found []span) {
	at := 0
	look := func(end int) {
		for _, m := range commentDefinition.FindAllStringIndex(source[at:end], -1) {
			found = append(found, span{at + m[0], at + m[1]})
		}
	}
	for _, b := range blocks {
		look(b.Start)
		at = b.End
	}
	look(len(source))
	return found
}

var commentDefinition = regexp.MustCompile(`(?m)^ {0,3}\[[^\]\n]{1,200}\]:[ \t]*(?:#|<#?>)(?:[ \t]+(?:\(.*\)|".*"|'.*'))[ \t]*$`)

// comments finds the comments within a range; one without an end goes to the end of the range.
func comments(source string, in span) []span {
	var found []span
	for at := in.start; ; {
		i := strings.Index(source[at:in.end], "<!--")
		if i < 0 {
			return found
		}
		start, end := at+i, in.end
		if j := strings.Index(source[start:in.end], "-->"); j >= 0 {
			end = start + j + len("-->")
		}
		found = append(found, span{start, end})
		at = end
	}
}

// ordered sorts ranges by where they begin, the longest first.
func ordered(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end)) })
	return spans
}

// without takes ranges out of a text; they may overlap. What stood apart may join then, so it is normalised again.
func without(s string, cuts []span) string {
	var b strings.Builder
	at := 0
	for _, c := range cuts {
		if c.end <= at {
			continue
		}
		b.WriteString(s[at:max(at, c.start)])
		at = c.end
	}
	b.WriteString(s[at:])
	return text.Normalize(b.String())
}
