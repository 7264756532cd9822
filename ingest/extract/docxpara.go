package extract

import (
	"encoding/xml"
	"strconv"
	"strings"

	"kyrochat/kyro"
	"kyrochat/text"
)

// wordParagraph is a paragraph of a Word document that is being read.
type wordParagraph struct {
	text    strings.Builder
	style   string
	outline int // its own level of outline from 0, or noOutline
	num     wordNumber
	hidden  bool
	joined  bool   // its end was deleted: it goes on in the next one
	fields  []bool // fields that are open, the innermost last: whether what comes is their instruction
	boxes   []wordPiece
}

// noOutline is no level of outline of its own; notOutlined is one that says it is body text.
const (
	noOutline   = -1
	notOutlined = 9
)

// paragraph reads a paragraph, and the boxes of text that hang on it.
func (d *docx) paragraph(x *xmlPart, put func(wordPiece) error) error {
	p := &wordParagraph{outline: noOutline, num: wordNumber{level: -1}}
	if err := d.inline(x, p); err != nil {
		return err
	}
	s := d.carried + p.text.String()
	d.carried = ""
	if err := d.count(s); err != nil {
		return err
	}
	if p.joined {
		d.carried = s
	} else if err := put(d.piece(p, s)); err != nil {
		return err
	}
	for _, b := range p.boxes {
		if err := put(b); err != nil {
			return err
		}
	}
	return nil
}

// piece decides what a paragraph is. Its number counts also where nothing stands behind it.
func (d *docx) piece(p *wordParagraph, s string) wordPiece {
	if d.styles.isContents(p.style) {
		return wordPiece{}
	}
	if d.styles.isCode(p.style) {
		return wordPiece{kind: kyro.BlockCode, text: strings.Trim(text.Normalize(s), "\n")}
	}
	num := d.styles.numbered(p, d.numbering)
	marker, bullet, isItem := d.numbering.next(num)
	s = cleaned(s)
	if s == "" {
		return wordPiece{kind: kyro.BlockParagraph}
	}
	if level := d.styles.heading(p); level > 0 && len(s) <= longestWordHeading {
		if marker != "" && !bullet {
			s = marker + " " + s
		}
		if d.title == "" && d.styles.isTitle(p.style) {
			d.title = lineOf(s)
		}
		return wordPiece{kind: kyro.BlockHeading, level: level, text: s}
	}
	if !isItem {
		return wordPiece{kind: kyro.BlockParagraph, text: s}
	}
	indent := strings.Repeat("  ", num.level)
	if marker != "" {
		marker += " "
	}
	s = indent + marker + strings.ReplaceAll(s, "\n", "\n"+indent+"  ")
	return wordPiece{kind: kyro.BlockList, list: num.id, depth: num.level, text: s}
}

// write adds text, unless it is hidden or a field's instruction.
func (p *wordParagraph) write(s string) {
	if p.hidden {
		return
	}
	for _, instruction := range p.fields {
		if instruction {
			return
		}
	}
	p.text.WriteString(s)
}

// inline reads what stands in a line, to the end of the element that is open. What it does not know it looks into.
func (d *docx) inline(x *xmlPart, p *wordParagraph) error {
	return x.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "pPr":
			return d.paragraphProperties(x, p)
		case "r":
			before := p.hidden
			err := d.inline(x, p)
			p.hidden = before
			return err
		case "rPr":
			return d.runProperties(x, p)
		case "t":
			s, err := x.text()
			p.write(s)
			return err
		case "tab", "ptab":
			p.write("\t")
		case "br", "cr":
			p.write("\n")
		case "noBreakHyphen":
			p.write("-")
		case "sym":
			p.write(symbol(xmlAttr(e, "font"), xmlAttr(e, "char")))
		case "fldChar":
			p.field(xmlAttr(e, "fldCharType"))
		case "footnoteReference", "endnoteReference":
			if !p.hidden {
				p.write(d.note(strings.TrimSuffix(e.Name.Local, "Reference"), e))
			}
		case "AlternateContent":
			return d.either(x, func() (int, error) {
				before := p.text.Len() + len(p.boxes)
				err := d.inline(x, p)
				return p.text.Len() + len(p.boxes) - before, err
			})
		case "txbxContent":
			return d.body(x, func(b wordPiece) error {
				if b.text != "" && !p.hidden {
					p.boxes = append(p.boxes, b)
				}
				return nil
			})
		case "relIds", "chart":
			return d.drawing(x, e, p)
		case "den": // of a fraction
			p.write("/")
			return d.inline(x, p)
		case "naryPr":
			p.write(operator(x))
			return nil
		case "del", "moveFrom", "delText", "delInstrText", "instrText", "sdtPr", "sdtEndPr", "rt", "pPrChange":
		default:
			return d.inline(x, p)
		}
		return x.skip()
	})
}

// operator reads the sign of a sum, a product or an integral.
func operator(x *xmlPart) string {
	sign := "∫"
	_ = x.children(func(e xml.StartElement) error {
		if e.Name.Local == "chr" {
			sign = xmlAttr(e, "val")
		}
		return x.skip()
	})
	return sign
}

// field follows the parts of a field: begin, instruction, separate, result, end.
func (p *wordParagraph) field(part string) {
	switch n := len(p.fields); {
	case part == "begin":
		p.fields = append(p.fields, true)
	case n == 0: // it began in a paragraph before
	case part == "separate":
		p.fields[n-1] = false
	case part == "end":
		p.fields = p.fields[:n-1]
	}
}

// paragraphProperties reads the properties of a paragraph. Those it had before a tracked change do not count.
func (d *docx) paragraphProperties(x *xmlPart, p *wordParagraph) error {
	return x.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "pStyle":
			p.style = xmlAttr(e, "val")
			p.hidden = d.styles.hidden(p.style)
		case "outlineLvl":
			if n, err := strconv.Atoi(xmlAttr(e, "val")); err == nil {
				p.outline = n
			}
		case "numPr":
			return p.num.read(x)
		case "rPr": // of the mark at its end
			return x.children(func(e xml.StartElement) error {
				if e.Name.Local == "del" || e.Name.Local == "moveFrom" {
					p.joined = true
				}
				return x.skip()
			})
		}
		return x.skip()
	})
}

// runProperties finds out whether a run is hidden.
func (d *docx) runProperties(x *xmlPart, p *wordParagraph) error {
	return x.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "rStyle":
			p.hidden = p.hidden || d.styles.hidden(xmlAttr(e, "val"))
		case "vanish":
			p.hidden = xmlOn(e, "val")
		}
		return x.skip()
	})
}

// drawing adds the text of a diagram or a chart, which is in a part of its own.
func (d *docx) drawing(x *xmlPart, e xml.StartElement, p *wordParagraph) error {
	lines, err := d.drawingText(drawingPart(e, d.relations))
	if err != nil {
		return err
	}
	for _, s := range lines {
		if p.hidden {
			break
		}
		if err := d.count(s); err != nil {
			return err
		}
		p.boxes = append(p.boxes, wordPiece{kind: kyro.BlockParagraph, text: s})
	}
	return x.skip()
}
