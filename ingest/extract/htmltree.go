package extract

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"kyrochat/kyro"
)

const (
	// maxNodes is the most elements and pieces of text of a page.
	maxNodes = 400_000
	// maxTagDepth is how deep elements nest; those that are deeper are read as if they were not there, their text is kept.
	maxTagDepth = 128
	// maxAttribute is the longest attribute that is looked at, in bytes; longer ones say nothing about text.
	maxAttribute = 4 << 10
	// maxAttributes is how many attributes of an element are looked at.
	maxAttributes = 64
)

// pageTree builds the elements of a page that say something about its text, from the tokens of its source: without what
// nobody sees, and without what only changes how letters look. It is no tree by the letter of HTML, and cannot be one:
// the parser of the standard repeats what is open in every paragraph and puts together what is misplaced, so that its
// memory and its time grow with the square of what a page is made for. Here each token is one step, and the depth is
// bounded.
type pageTree struct {
	tokens *html.Tokenizer
	root   *html.Node // the document: html, with head and body
	head   *html.Node
	body   *html.Node
	open   []openTag // within the body
	run    strings.Builder
	nodes  int
	began  bool           // something of the body was read
	count  map[string]int // of the open elements, by name
	over   int            // elements that are open besides, too deep to be known
}

// openTag is an element that is open.
type openTag struct {
	name   string
	node   *html.Node // what is in it is added here: itself, or what it is in where it is too deep; nil where it is hidden
	hidden bool
}

// parseHTML reads a page. LIMIT_REACHED where it has more than 400,000 elements.
func parseHTML(source string) (*html.Node, error) {
	t := &pageTree{tokens: html.NewTokenizer(strings.NewReader(source)), count: map[string]int{}}
	t.root = &html.Node{Type: html.DocumentNode}
	page := newElement("html", nil)
	t.head, t.body = newElement("head", nil), newElement("body", nil)
	t.root.AppendChild(page)
	page.AppendChild(t.head)
	page.AppendChild(t.body)
	t.open = []openTag{{name: "body", node: t.body}}
	for {
		switch t.tokens.Next() {
		case html.ErrorToken: // the end: a tokenizer of a text knows no other error
			t.flush()
			return t.root, nil
		case html.TextToken:
			t.text(string(t.tokens.Text()))
		case html.StartTagToken:
			t.start(false)
		case html.SelfClosingTagToken:
			t.start(true)
		case html.EndTagToken:
			name, _ := t.tokens.TagName()
			t.end(string(name))
		}
		if t.nodes > maxNodes {
			return nil, kyro.Errorf(kyro.CodeLimitReached,
				"The page has more than %d elements, the most of one document. Split it into several files.", maxNodes)
		}
	}
}

func newElement(name string, attributes []html.Attribute) *html.Node {
	return &html.Node{Type: html.ElementNode, Data: name, DataAtom: atom.Lookup([]byte(name)), Attr: attributes}
}

func (t *pageTree) top() *openTag { return &t.open[len(t.open)-1] }

func (t *pageTree) hidden() bool { return t.top().hidden }

// text adds to the text that is being read; it becomes a node where an element begins or ends.
func (t *pageTree) text(s string) {
	if t.hidden() {
		return
	}
	if !isBlank(s) {
		t.began = true
		if t.inTable() {
			t.fillTable("")
		}
	} else if t.inTable() {
		return
	}
	t.run.WriteString(s)
}

func (t *pageTree) flush() {
	if t.run.Len() == 0 {
		return
	}
	t.top().node.AppendChild(&html.Node{Type: html.TextNode, Data: t.run.String()})
	t.run.Reset()
	t.nodes++
}

// start reads a start tag.
func (t *pageTree) start(selfClosing bool) {
	raw, more := t.tokens.TagName()
	name := string(raw)
	var attributes []html.Attribute
	hidden := false
	for n := 0; more && n < maxAttributes; n++ {
		var key, value []byte
		key, value, more = t.tokens.TagAttr()
		if len(value) <= maxAttribute && telling[string(key)] {
			attributes = append(attributes, html.Attribute{Key: string(key), Val: string(value)})
			hidden = hidden || hides(name, string(key), string(value))
		}
	}
	switch {
	case name == "html" || name == "body":
		t.outermost(name, attributes)
		return
	case ofHead[name]:
		t.ofHead(name, attributes)
		return
	}
	t.closeImplied(name)
	if t.hidden() {
		if !voidTags[name] && !selfClosing {
			t.push(openTag{name: name, hidden: true})
		}
		return
	}
	t.began = t.began || name != "head" && !unseen[name]
	switch {
	case name == "br" || name == "hr" || name == "img":
		t.void(name, attributes)
	case voidTags[name]:
	case unseen[name], hidden, name == "button" && !t.within(headed), name == "dialog" && !hasAttribute(attributes, "open"):
		if name != "svg" || !selfClosing {
			t.flush()
			t.push(openTag{name: name, hidden: true})
		}
	case name == "q":
		t.text("“")
	case !plainInline[name] && name != "button": // which is a heading that opens what is below it
		t.element(name, attributes)
	}
}

// outermost keeps what the page says of itself as a whole.
func (t *pageTree) outermost(name string, attributes []html.Attribute) {
	if page := t.body.Parent; name == "html" && page.Attr == nil {
		page.Attr = attributes
	} else if name == "body" && t.body.Attr == nil {
		t.body.Attr, t.began = attributes, true
	}
}

// ofHead keeps what a page says about itself. Within its body it is none of it: people who comment on a page could
// speak for it.
func (t *pageTree) ofHead(name string, attributes []html.Attribute) {
	if name == "title" {
		text := ""
		if t.tokens.Next() == html.TextToken {
			text = string(t.tokens.Text())
		}
		if t.began || t.hidden() || len(text) > maxAttribute {
			return
		}
		title := newElement(name, nil)
		title.AppendChild(&html.Node{Type: html.TextNode, Data: text})
		t.head.AppendChild(title)
		t.nodes++
		return
	}
	if !t.began && !t.hidden() {
		t.head.AppendChild(newElement(name, attributes))
		t.nodes++
	}
}

func (t *pageTree) void(name string, attributes []html.Attribute) {
	if t.hidden() {
		return
	}
	t.flush()
	t.top().node.AppendChild(newElement(name, attributes))
	t.nodes++
}

// element opens an element.
func (t *pageTree) element(name string, attributes []html.Attribute) {
	if len(t.open) >= maxTagDepth {
		if !inlineTags[name] {
			t.flush()
			t.run.WriteByte(' ')
		}
		t.push(openTag{name: name, node: t.top().node})
		return
	}
	t.flush()
	t.fillTable(name)
	if name == "h1" { // readability gives it another name
		attributes = append(attributes, html.Attribute{Key: levelMark, Val: "1"})
	}
	node := newElement(name, attributes)
	t.top().node.AppendChild(node)
	t.push(openTag{name: name, node: node})
	t.nodes++
}

// levelMark is the attribute that keeps the level of a heading.
const levelMark = "data-level"

func (t *pageTree) push(e openTag) {
	if len(t.open) == 2*maxTagDepth {
		t.over++
		return
	}
	t.open = append(t.open, e)
	t.count[e.name]++
}

// pop closes the elements from an index on.
func (t *pageTree) pop(from int) {
	if !t.hidden() {
		t.flush()
	}
	for _, e := range t.open[from:] {
		t.count[e.name]--
	}
	t.open = t.open[:from]
}

// end reads an end tag: it closes the last element of its name, with what is open within; a cell of a table and what is
// below are only closed by what belongs to tables.
func (t *pageTree) end(name string) {
	switch {
	case name == "q" && !t.hidden():
		t.text("”")
		return
	case name == "br":
		t.void("br", nil)
		return
	case plainInline[name] && !t.hidden(), name == "html", name == "body":
		return
	case t.over > 0:
		t.over--
		return
	case t.count[name] == 0 && !isHeadingName(name):
		return
	}
	for i := len(t.open) - 1; i > 0; i-- {
		switch other := t.open[i].name; {
		case other == name, isHeadingName(other) && isHeadingName(name):
			t.pop(i)
			return
		case (isCell(other) || other == "table") && !ofTable[name]:
			return
		}
	}
}

// closeImplied closes what a start tag ends without saying so.
func (t *pageTree) closeImplied(name string) {
	switch {
	case name == "li":
		t.closeUpTo([]string{"li"}, "ul", "ol", "menu")
	case name == "dt" || name == "dd":
		t.closeUpTo([]string{"dt", "dd"}, "dl")
	case isCell(name):
		t.closeUpTo([]string{"td", "th"}, "table", "tr")
	case name == "tr":
		t.closeUpTo([]string{"tr"}, "table")
		t.closeUpTo([]string{"td", "th", "caption"}, "table")
	case name == "tbody" || name == "thead" || name == "tfoot":
		t.closeUpTo([]string{"tbody", "thead", "tfoot"}, "table")
		t.closeUpTo([]string{"tr", "caption"}, "table")
	case name == "a":
		t.closeUpTo([]string{"a"}, "td", "th", "table")
	}
	if isHeadingName(name) && isHeadingName(t.top().name) {
		t.pop(len(t.open) - 1)
	}
	if endsParagraph[name] {
		t.closeUpTo([]string{"p"}, "td", "th", "table", "li", "div", "section", "article", "blockquote", "dd", "figure", "details")
		t.closeUpTo([]string{"svg"}, "foreignobject") // a picture that was not closed
	}
}

// closeUpTo closes the innermost element of one of the names, unless another one stands in between.
func (t *pageTree) closeUpTo(names []string, unless ...string) {
	if !slices.ContainsFunc(names, func(n string) bool { return t.count[n] > 0 }) {
		return
	}
	for i := len(t.open) - 1; i > 0; i-- {
		other := t.open[i].name
		if slices.Contains(names, other) {
			t.pop(i)
			return
		}
		if slices.Contains(unless, other) {
			return
		}
	}
}

// fillTable puts what stands in a table beside its cells into a cell.
func (t *pageTree) fillTable(name string) {
	switch {
	case isCell(name) && t.inTable() && t.top().name != "tr":
		t.element("tr", nil)
	case !ofTable[name] && t.inTable():
		t.element("td", nil)
	}
}

// inTable reports that what comes next stands between the cells of a table.
func (t *pageTree) inTable() bool {
	top := t.top()
	return top.node != nil && top.node.Data == top.name && (top.name == "table" || isSection(top.name) || top.name == "tr")
}

// within reports that an element of the names is open.
func (t *pageTree) within(names map[string]bool) bool {
	for _, e := range t.open {
		if names[e.name] {
			return true
		}
	}
	return false
}
