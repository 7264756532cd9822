package extract

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"codeberg.org/readeck/go-readability/v2"
	"golang.org/x/net/html"

	"kyrochat/kyro"
	"kyrochat/text"
)

const (
	// maxReadable is how many elements and pieces of text a page may have for its main part to be looked for; pages that
	// are longer are no articles.
	maxReadable = 60_000
	// shortArticle is a main text, in characters, that is not believed where the page has far more.
	shortArticle = 250
)

// readHTML reads a page: its main text, and what it says about itself where it was fetched.
func readHTML(data []byte, o kyro.Original) (kyro.Extraction, error) {
	cs := charsetOfPage(data, o.Claimed)
	source, err := cs.decode(data)
	if err != nil {
		return kyro.Extraction{}, notValid(cs, err)
	}
	page, err := parseHTML(source)
	if err != nil {
		return kyro.Extraction{}, err
	}
	address, err := url.Parse(o.URL)
	if err != nil {
		address = &url.URL{}
	}
	var facts *kyro.WebPage
	if o.URL != "" {
		facts = webPage(page, address)
	}
	ex := mainText(page, address)
	ex.Page = facts
	if cs.guessed {
		ex.Warnings = append(ex.Warnings, charsetWarning(cs))
	}
	return ex, nil
}

// mainText reads the main part of a page. Where none is found, or hardly anything beside far more, the page is read
// whole but for what surrounds the main part by name.
func mainText(page *html.Node, address *url.URL) kyro.Extraction {
	title, heading, body := sharedTitle(page), topHeading(page), findElement(page, "body")
	var article pageWalker
	if countNodes(page) <= maxReadable {
		found, node := articleOf(page, address)
		if title == "" {
			title = normalTitle(found)
		}
		if node != nil {
			article.walk(node)
			article.flush()
		}
	}
	if t := findElement(page, "title"); title == "" && t != nil {
		title = normalTitle(oneLine(t))
	}
	if title == "" {
		title = normalTitle(heading)
	}
	length := utf8.RuneCountInString(article.text.String())
	if length < shortArticle {
		var whole pageWalker
		stripPage(body)
		whole.walk(body)
		whole.flush()
		if utf8.RuneCountInString(whole.text.String()) > 3*length {
			ex := whole.extraction()
			ex.Title = title
			return ex
		}
	}
	ex := article.extraction()
	ex.Title = title
	return withHeading(ex, heading)
}

// articleOf finds the main part of a page, which it leaves as it is, and what it takes for the title. A page that breaks
// what looks for it has none.
func articleOf(page *html.Node, address *url.URL) (title string, node *html.Node) {
	defer func() {
		if recover() != nil {
			title, node = "", nil
		}
	}()
	parser := readability.NewParser()
	parser.DisableJSONLD = true // the tree has no scripts
	article, err := parser.ParseDocument(page, address)
	if err != nil {
		return "", nil
	}
	return article.Title(), article.Node
}

// withHeading puts the page's first heading above a main text from which it was taken as the title.
func withHeading(ex kyro.Extraction, heading string) kyro.Extraction {
	if heading == "" || ex.Text == "" || ex.Title == "" || !sharesWords(heading, ex.Title) {
		return ex
	}
	for _, b := range ex.Blocks[:min(len(ex.Blocks), 20)] {
		if strings.Contains(ex.Text[b.Start:b.End], heading) {
			return ex
		}
	}
	var b blocks
	b.heading(1, heading)
	shift := b.text.Len() + len("\n\n")
	for _, block := range ex.Blocks {
		block.Start += shift
		block.End += shift
		b.list = append(b.list, block)
	}
	ex.Text, ex.Blocks = b.text.String()+"\n\n"+ex.Text, b.list
	return ex
}

// sharesWords reports that most words of a heading are in the title.
func sharesWords(heading, title string) bool {
	in := map[string]bool{}
	for w := range strings.FieldsSeq(text.Fold(title)) {
		in[w] = true
	}
	words := strings.Fields(text.Fold(heading))
	shared := 0
	for _, w := range words {
		if in[w] {
			shared++
		}
	}
	return shared*4 >= len(words)*3
}

// stripPage takes out what surrounds the main part of a page: what leads elsewhere, heads and feet it, and forms, but for
// one that is the page.
func stripPage(body *html.Node) {
	all := textLength(body)
	var visit func(*html.Node)
	visit = func(n *html.Node) {
		for c := n.FirstChild; c != nil; {
			next := c.NextSibling
			if c.Type == html.ElementNode && surrounds(c) && textLength(c)*2 < all {
				n.RemoveChild(c)
			} else {
				visit(c)
			}
			c = next
		}
	}
	visit(body)
}

func surrounds(n *html.Node) bool {
	switch n.Data {
	case "nav", "aside", "form", "footer":
		return true
	case "header": // of the page, not of an article
		for p := n.Parent; p != nil; p = p.Parent {
			if p.Data == "article" || p.Data == "main" || p.Data == "section" {
				return false
			}
		}
		return true
	}
	switch attributeOf(n, "role") {
	case "navigation", "banner", "contentinfo", "complementary", "search", "menu", "menubar", "dialog", "alertdialog":
		return true
	}
	return false
}

func textLength(n *html.Node) int {
	if n.Type == html.TextNode {
		return len(n.Data)
	}
	sum := 0
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		sum += textLength(c)
	}
	return sum
}

func countNodes(n *html.Node) int {
	sum := 1
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		sum += countNodes(c)
	}
	return sum
}

// findElement gives the first element of a name, nil where there is none.
func findElement(n *html.Node, name string) *html.Node {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.Data == name {
			return d
		}
	}
	return nil
}

// sharedTitle is what the page calls itself where it is shared, "" where it does not say; its title often has the name of
// the site as well.
func sharedTitle(page *html.Node) string {
	for n := range findElement(page, "head").ChildNodes() {
		if n.Data == "meta" && (attributeOf(n, "property") == "og:title" || attributeOf(n, "name") == "og:title") {
			if t := normalTitle(attributeOf(n, "content")); t != "" {
				return t
			}
		}
	}
	return ""
}

// topHeading is the first heading of the first level, if it is the only one.
func topHeading(page *html.Node) string {
	found := ""
	for n := range page.Descendants() {
		if n.Type == html.ElementNode && n.Data == "h1" {
			if found != "" {
				return ""
			}
			found = oneLine(n)
		}
	}
	return found
}

// maxTitleChars is how much of a title is kept, in characters.
const maxTitleChars = 300

func normalTitle(s string) string {
	s = onOneLine(text.Normalize(s))
	if runes := []rune(s); len(runes) > maxTitleChars {
		s = strings.TrimSpace(string(runes[:maxTitleChars]))
	}
	return s
}

func notValid(cs *charset, err error) error {
	return kyro.Errorf(kyro.CodeValidation, "The file is not valid %s text. Save it as UTF-8 and upload it again.", cs.name).Because(err)
}

func charsetWarning(cs *charset) kyro.DocumentWarning {
	return kyro.DocumentWarning{Code: CharsetGuessed, Message: fmt.Sprintf(
		"The file does not say its character set; it was read as %s. If letters are wrong, save it as UTF-8 and upload it again.", cs.name)}
}
