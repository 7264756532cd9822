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
	// maxDepth is how deep elements nest; those that are deeper are read as if they were not there, their text is kept.
	maxDepth = 128
	// maxAttribute is the longest attribute that is looked at, in bytes; longer ones say nothing about text.
	maxAttribute = 4 << 10
	// maxAttributes is how many attributes of an element are looked at.
	maxAttributes = 64
)

// tree builds the elements of a page that say something about its text, from the tokens of its source: without what
// nobody sees, and without what only changes how letters look. It is no tree by the letter of HTML, and cannot be one:
// the parser of the standard repeats what is open in every paragraph and puts together what is misplaced, so that its
// memory and its time grow with the square of what a page is made for. Here each token is one step, and the depth is
// bounded.
type tree struct {
	tokens *html.Tokenizer
	root   *html.Node // the document: html, with head and body
	head   *html.Node
	body   *html.Node
	open   []element // within the body
	run    strings.Builder
	nodes  int
	began  bool           // something of the body was read
	count  map[string]int // of the open elements, by name
	over   int            // elements that are open besides, too deep to be known
}

// element is one that is open.
type element struct {
	name   string
	node   *html.Node // what is in it is added here: itself, or what it is in where it is too deep; nil where it is hidden
	hidden bool
}

// parseHTML reads a page. LIMIT_REACHED where it has more than 400,000 elements.
func parseHTML(source string) (*html.Node, error) {
	t := &tree{tokens: html.NewTokenizer(strings.NewReader(source)), count: map[string]int{}}
	t.root = &html.Node{Type: html.DocumentNode}
	page := newElement("html", nil)
	t.head, t.body = newElement("head", nil), newElement("body", nil)
	t.root.AppendChild(page)
	page.AppendChild(t.head)
	page.AppendChild(t.body)
	t.open = []element{{name: "body", node: t.body}}
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

func (t *tree) top() *element { return &t.open[len(t.open)-1] }

func (t *tree) hidden() bool { return t.top().hidden }

// text adds to the text that is being read; it becomes a node where an element begins or ends.
func (t *tree) text(s string) {
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

func (t *tree) flush() {
	if t.run.Len() == 0 {
		return
	}
	t.top().node.AppendChild(&html.Node{Type: html.TextNode, Data: t.run.String()})
	t.run.Reset()
	t.nodes++
}

// start reads a start tag.
func (t *tree) start(selfClosing bool) {
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
		if !void[name] && !selfClosing {
			t.push(element{name: name, hidden: true})
		}
		return
	}
	t.began = t.began || name != "head" && !unseen[name]
	switch {
	case name == "br" || name == "hr" || name == "img":
		t.void(name, attributes)
	case void[name]:
	case unseen[name], hidden, name == "button" && !t.within(headed), name == "dialog" && !has(attributes, "open"):
		if name != "svg" || !selfClosing {
			t.flush()
			t.push(element{name: name, hidden: true})
		}
	case name == "q":
		t.text("“")
	case !plainInline[name]:
		t.element(name, attributes)
	}
}

// outermost keeps what the page says of itself as a whole.
func (t *tree) outermost(name string, attributes []html.Attribute) {
	if page := t.body.Parent; name == "html" && page.Attr == nil {
		page.Attr = attributes
	} else if name == "body" && t.body.Attr == nil {
		t.body.Attr, t.began = attributes, true
	}
}

// hides reports an attribute by which an element does not show. A whole page that hides is shown by a script.
func hides(name, key, value string) bool {
	switch key {
	case "hidden":
		return !strings.EqualFold(value, "until-found")
	case "aria-hidden":
		return strings.EqualFold(strings.TrimSpace(value), "true")
	case "style":
		return invisible(value)
	}
	return false
}

// invisible reads the declarations of an element's style that leave nothing of it to be seen.
func invisible(style string) bool {
	for declaration := range strings.SplitSeq(strings.ToLower(style), ";") {
		property, value, _ := strings.Cut(declaration, ":")
		value = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "!important"))
		switch strings.TrimSpace(property) {
		case "display":
			if value == "none" {
				return true
			}
		case "visibility":
			if value == "hidden" || value == "collapse" {
				return true
			}
		case "opacity":
			if value == "0" || value == "0%" || value == "0.0" {
				return true
			}
		case "font-size":
			if strings.Trim(value, "0.") == "" && value != "" || value == "0px" || value == "0em" || value == "0pt" || value == "0%" {
				return true
			}
		}
	}
	return false
}

// ofHead keeps what a page says about itself. Within its body it is none of it: people who comment on a page could
// speak for it.
func (t *tree) ofHead(name string, attributes []html.Attribute) {
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

func (t *tree) void(name string, attributes []html.Attribute) {
	if t.hidden() {
		return
	}
	t.flush()
	t.top().node.AppendChild(newElement(name, attributes))
	t.nodes++
}

// element opens an element.
func (t *tree) element(name string, attributes []html.Attribute) {
	if len(t.open) >= maxDepth {
		if !inline[name] {
			t.flush()
			t.run.WriteByte(' ')
		}
		t.push(element{name: name, node: t.top().node})
		return
	}
	t.flush()
	t.fillTable(name)
	if name == "h1" { // readability gives it another name
		attributes = append(attributes, html.Attribute{Key: levelMark, Val: "1"})
	}
	node := newElement(name, attributes)
	t.top().node.AppendChild(node)
	t.push(element{name: name, node: node})
	t.nodes++
}

// levelMark is the attribute that keeps the level of a heading.
const levelMark = "data-level"

func (t *tree) push(e element) {
	if len(t.open) == 2*maxDepth {
		t.over++
		return
	}
	t.open = append(t.open, e)
	t.count[e.name]++
}

// pop closes the elements from an index on.
func (t *tree) pop(from int) {
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
func (t *tree) end(name string) {
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
func (t *tree) closeImplied(name string) {
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
		t.closeUpTo([]string{"p"}, "td", "th", "table", "button", "li", "div", "section", "article", "blockquote", "dd", "figure", "details")
		t.closeUpTo([]string{"svg"}, "foreignobject") // a picture that was not closed
	}
}

// closeUpTo closes the innermost element of one of the names, unless another one stands in between.
func (t *tree) closeUpTo(names []string, unless ...string) {
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
func (t *tree) fillTable(name string) {
	switch {
	case isCell(name) && t.inTable() && t.top().name != "tr":
		t.element("tr", nil)
	case !ofTable[name] && t.inTable():
		t.element("td", nil)
	}
}

// inTable reports that what comes next stands between the cells of a table.
func (t *tree) inTable() bool {
	top := t.top()
	return top.node != nil && top.node.Data == top.name && (top.name == "table" || isSection(top.name) || top.name == "tr")
}

// within reports that an element of the names is open.
func (t *tree) within(names map[string]bool) bool {
	for _, e := range t.open {
		if names[e.name] {
			return true
		}
	}
	return false
}

func isCell(name string) bool    { return name == "td" || name == "th" }
func isSection(name string) bool { return name == "tbody" || name == "thead" || name == "tfoot" }

func isHeadingName(name string) bool {
	return len(name) == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6'
}

func has(attributes []html.Attribute, key string) bool {
	for _, a := range attributes {
		if a.Key == key {
			return true
		}
	}
	return false
}

func set(names string) map[string]bool {
	m := map[string]bool{}
	for name := range strings.FieldsSeq(names) {
		m[name] = true
	}
	return m
}

var (
	void   = set("area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr")
	ofHead = set("title meta link base")
	headed = set("h1 h2 h3 h4 h5 h6 summary dt")
	// unseen show nothing, or no text.
	unseen = set(`script style noscript template svg iframe noframes noembed object applet audio video canvas select
		datalist textarea rt rp rtc annotation annotation-xml plaintext map`)
	// plainInline change how letters look; what is in them is read as if they were not there.
	plainInline = set(`abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr output ruby rb s samp
		small span strike strong sub sup time tt u var math mrow mi mn mo ms mtext msup msub mfrac msqrt semantics mstyle
		mtable mtr mtd mover munder munderover mpadded mphantom mspace mroot msubsup head frameset slot`)
	inline  = set("a button")
	ofTable = set("table thead tbody tfoot tr td th caption colgroup col")
	// endsParagraph are those that no paragraph holds.
	endsParagraph = set(`address article aside blockquote center dd details dialog dir div dl dt fieldset figcaption figure footer
		form h1 h2 h3 h4 h5 h6 header hgroup hr li main menu nav ol p pre section summary table ul xmp listing`)
	telling = set(`class id role itemprop rel href name property content lang dir colspan rowspan start value type reversed
		hidden aria-hidden style open src alt scope`)
)
