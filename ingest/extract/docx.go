package extract

import (
	"encoding/xml"
	"fmt"
	"os"
	"strings"

	"kyrochat/kyro"
)

// docx reads a Word document: what its pages show, in the order of its main part. Changes that are tracked are read as
// accepted; comments, headers, footers and hidden text are left out; footnotes and endnotes follow at the end of the
// section that refers to them.
type docx struct {
	*officeFile
	relations map[string]relation
	styles    wordStyles
	numbering wordLists
	notes     map[string]string // text of footnotes and endnotes, by kind and id
	numbers   map[string]int    // of the notes that were referred to
	due       []string          // notes to be added at the end of the section
	carried   string            // text of paragraphs whose ends were deleted, which go on in the next one
}

// wordPiece is a part of a document before it is added: lists and code come line by line, and cells are made of pieces.
type wordPiece struct {
	kind  kyro.BlockKind
	level int    // of a heading
	list  string // which list it is an item of
	depth int    // of an item; those below others may be of lists of their own
	text  string
}

// longestWordHeading is the longest paragraph that is taken for the heading it calls itself, in bytes.
const longestWordHeading = 500

func readDOCX(file *os.File, limits kyro.Limits, progress func(done, total int)) (kyro.Extraction, error) {
	a, err := openArchiveFile(file)
	if err != nil {
		return kyro.Extraction{}, err
	}
	return readWord(a, limits, progress)
}

func readWord(a *archive, limits kyro.Limits, progress func(done, total int)) (kyro.Extraction, error) {
	o, err := openOffice(a, limits)
	if err != nil {
		return kyro.Extraction{}, err
	}
	d := &docx{officeFile: o, notes: map[string]string{}, numbers: map[string]int{}}
	if err := d.readParts(); err != nil {
		return kyro.Extraction{}, err
	}
	var out gathering
	out.add = func(p wordPiece) error { return d.add(p.kind, p.level, p.text) }
	found := false
	err = d.part(d.main, func(x *xmlPart, root xml.StartElement) error {
		return x.children(func(e xml.StartElement) error {
			if e.Name.Local != "body" {
				return x.skip()
			}
			found = true
			return d.body(x, func(p wordPiece) error {
				if p.kind == kyro.BlockHeading {
					if err := d.addNotes(out.put); err != nil {
						return err
					}
				}
				return out.put(p)
			})
		})
	})
	if err != nil {
		return kyro.Extraction{}, err
	}
	if !found {
		return kyro.Extraction{}, brokenFile("it is no Word document")
	}
	if rest := cleaned(d.carried); rest != "" {
		err = out.put(wordPiece{kind: kyro.BlockParagraph, text: rest})
	}
	if err == nil {
		err = d.addNotes(out.put)
	}
	if err == nil {
		err = out.flush()
	}
	progress(1, 1)
	return d.extraction(), err
}

// readParts reads what the main part refers to: styles first, which numbers and notes need.
func (d *docx) readParts() (err error) {
	if d.relations, err = d.officeFile.relations(d.main); err != nil {
		return err
	}
	if d.styles, err = d.readStyles(related(d.relations, "styles")); err != nil {
		return err
	}
	if d.numbering, err = d.readNumbering(related(d.relations, "numbering")); err != nil {
		return err
	}
	for _, kind := range []string{"footnote", "endnote"} {
		err := d.part(related(d.relations, kind+"s"), func(x *xmlPart, _ xml.StartElement) error {
			return x.children(func(e xml.StartElement) error { return d.readNote(x, e, kind) })
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readNote reads a footnote or endnote. Those of a type are the lines above the notes.
func (d *docx) readNote(x *xmlPart, e xml.StartElement, kind string) error {
	if t := xmlAttr(e, "type"); e.Name.Local != kind || t != "" && t != "normal" {
		return x.skip()
	}
	var lines []string
	err := d.body(x, func(p wordPiece) error {
		lines = append(lines, p.text)
		return nil
	})
	if s := strings.Join(lines, "\n"); err == nil && s != "" {
		d.notes[kind+xmlAttr(e, "id")] = s
	}
	d.carried = ""
	return err
}

// addNotes adds the notes of the section that ends.
func (d *docx) addNotes(put func(wordPiece) error) error {
	for _, note := range d.due {
		if err := put(wordPiece{kind: kyro.BlockParagraph, text: note}); err != nil {
			return err
		}
	}
	d.due = d.due[:0]
	return nil
}

// note gives the mark of a reference to a note, and has the note follow where it is the first one.
func (d *docx) note(kind string, e xml.StartElement) string {
	key := kind + xmlAttr(e, "id")
	s := d.notes[key]
	if s == "" {
		return ""
	}
	if d.numbers[key] == 0 {
		d.numbers[key] = len(d.numbers) + 1
		d.due = append(d.due, fmt.Sprintf("[%d] %s", d.numbers[key], s))
	}
	return fmt.Sprintf("[%d]", d.numbers[key])
}

// body reads paragraphs and tables, and what wraps them, to the end of the element that is open.
func (d *docx) body(x *xmlPart, put func(wordPiece) error) error {
	return d.bodyWith(x, put, func(xml.StartElement) error { return x.skip() })
}

// bodyWith is body for a cell, whose properties it has read.
func (d *docx) bodyWith(x *xmlPart, put func(wordPiece) error, properties func(xml.StartElement) error) error {
	return x.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "tcPr":
			return properties(e)
		case "p", "oMathPara", "oMath":
			return d.paragraph(x, put)
		case "tbl":
			return d.table(x, put)
		case "sdt", "sdtContent", "customXml", "smartTag", "ins", "moveTo":
			return d.body(x, put)
		case "AlternateContent":
			return d.either(x, func() (int, error) {
				n := 0
				err := d.body(x, func(p wordPiece) error {
					n++
					return put(p)
				})
				return n, err
			})
		}
		return x.skip()
	})
}

// either reads one of the forms in which a document holds the same for old and new programs: the first that has text.
func (d *docx) either(x *xmlPart, read func() (amount int, err error)) error {
	done := false
	return x.children(func(e xml.StartElement) error {
		if done || e.Name.Local != "Choice" && e.Name.Local != "Fallback" {
			return x.skip()
		}
		n, err := read()
		done = n > 0
		return err
	})
}

// gathering puts neighbouring items of a list, and lines of code, together into blocks.
type gathering struct {
	add  func(wordPiece) error
	open wordPiece
	text strings.Builder
}

func (g *gathering) put(p wordPiece) error {
	if p.text == "" && (p.kind != kyro.BlockCode || g.open.kind != kyro.BlockCode) {
		return nil
	}
	goesOn := p.kind == kyro.BlockCode || p.kind == kyro.BlockList && (p.depth > 0 || p.list == g.open.list)
	if p.kind != g.open.kind || !goesOn {
		if err := g.flush(); err != nil {
			return err
		}
		g.open = p
	} else {
		g.text.WriteByte('\n')
	}
	g.text.WriteString(p.text)
	return nil
}

func (g *gathering) flush() error {
	p := g.open
	p.text = g.text.String()
	g.open = wordPiece{}
	g.text.Reset()
	if p.text == "" {
		return nil
	}
	return g.add(p)
}
