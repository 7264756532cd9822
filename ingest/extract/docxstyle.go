package extract

import (
	"encoding/xml"
	"strconv"
	"strings"
)

// wordStyle is what a style of Word says about the text that has it.
type wordStyle struct {
	name     string // in small letters; the names of built-in styles are English in every language
	basedOn  string
	outline  int // or noOutline
	num      wordNumber
	hidden   bool
	isHidden bool // it says whether it is hidden
}

// wordStyles are the styles of a document by their ids. What a style does not say, the one it is based on does.
type wordStyles map[string]*wordStyle

// maxStyles bounds styles, lists and references of one document.
const maxStyles = 1 << 16

// readStyles reads the styles.
func (d *docx) readStyles(part string) (wordStyles, error) {
	all := wordStyles{}
	err := d.part(part, func(x *xmlPart, _ xml.StartElement) error {
		return x.children(func(e xml.StartElement) error {
			if e.Name.Local != "style" {
				return x.skip()
			}
			if len(all) >= maxStyles {
				return brokenFile("it has too many styles")
			}
			s := &wordStyle{outline: noOutline, num: wordNumber{level: -1}}
			all[xmlAttr(e, "styleId")] = s
			return s.read(x)
		})
	})
	return all, err
}

func (s *wordStyle) read(x *xmlPart) error {
	return x.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "name":
			s.name = strings.ToLower(xmlAttr(e, "val"))
		case "basedOn":
			s.basedOn = xmlAttr(e, "val")
		case "pPr", "rPr":
			return s.read(x)
		case "outlineLvl":
			if n, err := strconv.Atoi(xmlAttr(e, "val")); err == nil {
				s.outline = n
			}
		case "numPr":
			return s.num.read(x)
		case "vanish":
			s.hidden, s.isHidden = xmlOn(e, "val"), true
		}
		return x.skip()
	})
}

// chain gives a style and those it is based on, until f has seen enough.
func (all wordStyles) chain(id string, f func(id string, s *wordStyle) (enough bool)) {
	for range 32 { // styles may go round in circles
		s := all[id]
		if s == nil || f(id, s) {
			return
		}
		id = s.basedOn
	}
}

func (all wordStyles) hidden(id string) (hidden bool) {
	all.chain(id, func(_ string, s *wordStyle) bool {
		hidden = s.hidden
		return s.isHidden
	})
	return hidden
}

// isTitle reports the style of the title of a document.
func (all wordStyles) isTitle(id string) bool {
	s := all[id]
	return s != nil && s.name == "title"
}

// isContents reports the lines of a table of contents. They say again what the headings say, and would be found in their
// place.
func (all wordStyles) isContents(id string) bool {
	s := all[id]
	return s != nil && strings.HasPrefix(s.name, "toc ")
}

// isCode reports the styles that programs use for code.
func (all wordStyles) isCode(id string) (code bool) {
	all.chain(id, func(_ string, s *wordStyle) bool {
		switch s.name {
		case "source code", "html preformatted", "preformatted text", "macro", "macro text", "code", "code block", "verbatim":
			code = true
		}
		return code
	})
	return code
}

// heading gives the level of a heading, 0 for any other paragraph. The level of its outline goes before its style, and
// both before the name of the style.
func (all wordStyles) heading(p *wordParagraph) int {
	level := p.outline
	named := 0
	all.chain(p.style, func(_ string, s *wordStyle) bool {
		if level == noOutline {
			level = s.outline
		}
		if n, err := strconv.Atoi(strings.TrimPrefix(s.name, "heading ")); err == nil && named == 0 && strings.HasPrefix(s.name, "heading ") {
			named = n
		}
		if s.name == "title" && named == 0 {
			named = 1
		}
		return level != noOutline
	})
	switch {
	case level >= 0 && level < notOutlined:
		return level + 1
	case level == noOutline && named > 0 && named <= 9:
		return named
	}
	return 0
}

// numbered gives the list and the level a paragraph is an item of: its own, or its style's.
func (all wordStyles) numbered(p *wordParagraph, n wordLists) wordNumber {
	num := p.num
	all.chain(p.style, func(id string, s *wordStyle) bool {
		if num.id != "" && num.level >= 0 {
			return true
		}
		if num.id == "" && s.num.id != "" {
			num.id = s.num.id
			if num.level < 0 {
				num.level = n.levelOf(num.id, id)
			}
		}
		if num.level < 0 {
			num.level = s.num.level
		}
		return false
	})
	num.level = min(max(num.level, 0), listLevels-1)
	return num
}
