// Package manual reads the pages of the documentation, for the tests that hold them against the program: what they show
// as code, where they lead, and what they name.
//
// The first word behind the fence of a block is its language, and attributes follow, which no reader sees:
//
//	```sh                                  is run, as a reader would
//	```graphql as=nobody                   is run by somebody who is not signed in
//	```json variables                      are those of the operation before
//	```json answer                         is what came of the block before; … stands for anything
//	```json answer varies=percent          is the same, with a field whose value is another one each time
//	```js file=kyro.js                     is kept as this file, for the blocks that follow
//	```sh elsewhere="TestName"             is run by that test; `make NAME` stands for a target that CI runs
//	```sh shown="why it is not run"        is run nowhere
package manual

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// Page is one Markdown file.
type Page struct {
	Path    string // as it was asked for
	Text    string // all of it
	Title   string // its first heading
	Anchors map[string]string
	Blocks  []Block
	Links   []Place
	Codes   []Place // spans of code within text
}

// Place is something on a line of a page.
type Place struct {
	Text string
	Line int
}

// Block is a block of code.
type Block struct {
	Line       int    // of its fence; of its first line where it is Indented
	Language   string // the first word behind the fence
	Attributes map[string]string
	Text       string
	Heading    string // that it stands below
	Indented   bool   // it has no fence, so nothing can be said of it
}

// Is says whether the block has the attribute, with or without a value.
func (b Block) Is(attribute string) bool { _, found := b.Attributes[attribute]; return found }

// Read reads a page. A fence whose attributes make no sense is an error.
func Read(path string) (*Page, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := &Page{Path: path, Text: string(source), Anchors: map[string]string{}}
	heading := ""
	tree := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	err = ast.Walk(tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			heading = words(n, source)
			if p.Title == "" {
				p.Title = heading
			}
			p.addAnchor(heading)
		case *ast.FencedCodeBlock:
			info := ""
			start := 0
			if n.Info != nil {
				info, start = string(n.Info.Segment.Value(source)), n.Info.Segment.Start
			} else if n.Lines().Len() > 0 {
				start = n.Lines().At(0).Start - 1
			}
			language, attributes, err := parseInfo(info)
			line := lineOf(source, start)
			if err != nil {
				return ast.WalkStop, fmt.Errorf("%s:%d: %w", path, line, err)
			}
			p.Blocks = append(p.Blocks, Block{line, language, attributes, string(n.Lines().Value(source)), heading, false})
		case *ast.CodeBlock:
			p.Blocks = append(p.Blocks, Block{lineOf(source, n.Lines().At(0).Start), "", nil, string(n.Lines().Value(source)), heading, true})
		case *ast.CodeSpan:
			p.Codes = append(p.Codes, Place{words(n, source), lineOf(source, position(n))})
		case *ast.Link:
			p.Links = append(p.Links, Place{string(n.Destination), lineOf(source, position(n))})
		case *ast.Image:
			p.Links = append(p.Links, Place{string(n.Destination), lineOf(source, position(n))})
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// addAnchor adds the anchor that GitHub makes of a heading; a second one alike gets a number.
func (p *Page) addAnchor(heading string) {
	anchor := Anchor(heading)
	name := anchor
	for i := 1; ; i++ {
		if _, taken := p.Anchors[name]; !taken {
			p.Anchors[name] = heading
			return
		}
		name = fmt.Sprintf("%s-%d", anchor, i)
	}
}

// Anchor is what GitHub calls a heading in an address.
func Anchor(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		}
	}
	return b.String()
}

var attribute = regexp.MustCompile(`^([a-z]+)(?:=("[^"]*"|[^\s"]+))?(?:\s+|$)`)

func parseInfo(info string) (language string, attributes map[string]string, err error) {
	language, rest, _ := strings.Cut(strings.TrimSpace(info), " ")
	attributes = map[string]string{}
	for rest = strings.TrimSpace(rest); rest != ""; {
		found := attribute.FindStringSubmatch(rest)
		if found == nil {
			return "", nil, fmt.Errorf("the block says %q, which is no attribute", rest)
		}
		attributes[found[1]] = strings.Trim(found[2], `"`)
		rest = rest[len(found[0]):]
	}
	return language, attributes, nil
}

// words are all texts below a node.
func words(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Segment.Value(source))
			if t.SoftLineBreak() {
				b.WriteByte(' ')
			}
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}

// position is where the first text of a node is, or else the block that it is in.
func position(n ast.Node) int {
	at := -1
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			at = t.Segment.Start
			return ast.WalkStop, nil
		}
		return ast.WalkContinue, nil
	})
	for ; at < 0 && n != nil; n = n.Parent() {
		if n.Type() == ast.TypeBlock && n.Lines() != nil && n.Lines().Len() > 0 {
			at = n.Lines().At(0).Start
		}
	}
	return max(at, 0)
}

func lineOf(source []byte, at int) int {
	return 1 + bytes.Count(source[:min(at, len(source))], []byte("\n"))
}
