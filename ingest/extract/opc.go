package extract

import (
	"encoding/xml"
	"path"
	"strings"

	"kyrochat/kyro"
	"kyrochat/text"
)

// officeFile is a document of an office program: parts of an archive that refer to each other.
type officeFile struct {
	*archive
	main   string // the part that everything else is reached from
	title  string // what the document calls itself, by its properties
	limits kyro.Limits
	blocks blocks
	read   int // bytes of text so far
	pieces int
}

// maxPieces bounds the paragraphs and cells of a document.
const maxPieces = 1 << 19

// relation is a reference from one part to another.
type relation struct {
	kind   string // the last word of its type, which is the same in the transitional and in the strict form
	target string // the name of the part
}

// maxRelations bounds the references of one part.
const maxRelations = 1 << 16

// openOffice finds the main part of a document and reads its title.
func openOffice(a *archive, limits kyro.Limits) (*officeFile, error) {
	o := &officeFile{archive: a, limits: limits}
	root, err := o.relations("")
	if err != nil {
		return nil, err
	}
	for _, r := range root {
		switch r.kind {
		case "officeDocument":
			o.main = r.target
		case "core-properties":
			if err := o.readTitle(r.target); err != nil {
				return nil, err
			}
		}
	}
	if o.main == "" || !o.has(o.main) {
		return nil, brokenFile("its main part is missing")
	}
	return o, nil
}

// part calls f for the root element of a part, if there is such a part.
func (o *officeFile) part(name string, f func(x *xmlPart, root xml.StartElement) error) error {
	r := o.open(name)
	if r == nil {
		return nil
	}
	x := newXMLPart(r)
	if err := x.children(func(e xml.StartElement) error { return f(x, e) }); err != nil {
		return err
	}
	if x.depth != 0 {
		return brokenFile("its XML ends too early")
	}
	return nil
}

// relations are the references of a part, by their ids; those of the document itself for "". What lies outside of the
// archive is left out.
func (o *officeFile) relations(part string) (map[string]relation, error) {
	dir, file := path.Split(part)
	all := map[string]relation{}
	err := o.part(dir+"_rels/"+file+".rels", func(x *xmlPart, _ xml.StartElement) error {
		return x.children(func(e xml.StartElement) error {
			if len(all) >= maxRelations {
				return brokenFile("its parts refer to too many others")
			}
			if e.Name.Local == "Relationship" && xmlAttr(e, "TargetMode") != "External" {
				target := xmlAttr(e, "Target")
				if !strings.HasPrefix(target, "/") {
					target = dir + target
				}
				kind := xmlAttr(e, "Type")
				all[xmlAttr(e, "Id")] = relation{kind[strings.LastIndexByte(kind, '/')+1:], strings.TrimPrefix(path.Clean("/"+target), "/")}
			}
			return x.skip()
		})
	})
	return all, err
}

// related is the part of a kind that a part refers to, "" where there is none.
func related(relations map[string]relation, kind string) (target string) {
	for _, r := range relations {
		if r.kind == kind && (target == "" || r.target < target) {
			target = r.target
		}
	}
	return target
}

// readTitle reads the title of the properties. What programs write there by themselves is no title.
func (o *officeFile) readTitle(part string) error {
	return o.part(part, func(x *xmlPart, _ xml.StartElement) error {
		return x.children(func(e xml.StartElement) error {
			if e.Name.Local != "title" {
				return x.skip()
			}
			s, err := x.text()
			o.title = lineOf(s)
			switch strings.ToLower(o.title) {
			case "powerpoint presentation", "powerpoint-präsentation", "presentación de powerpoint", "présentation powerpoint",
				"word document", "untitled", "slide 1", "document1":
				o.title = ""
			}
			return err
		})
	})
}

// cleaned brings text into its stored form, without space around it.
func cleaned(s string) string {
	return strings.TrimSpace(text.Normalize(strings.TrimSpace(text.Normalize(s))))
}

// lineOf is cleaned, and on one line: cells and headings.
func lineOf(s string) string {
	return cleaned(onOneLine(text.Normalize(s)))
}

// add adds a block of clean text. LIMIT_REACHED where the document is too long.
func (o *officeFile) add(kind kyro.BlockKind, level int, s string) error {
	if kind == kyro.BlockHeading {
		o.blocks.heading(level, lineOf(s))
	} else {
		o.blocks.add(kind, level, s)
	}
	if o.blocks.text.Len() > o.limits.MaxExtractedText {
		return textTooLong(o.limits)
	}
	return nil
}

// extraction is what was read.
func (o *officeFile) extraction() kyro.Extraction {
	ex := o.blocks.extraction()
	ex.Title = o.title
	return ex
}

// count counts a paragraph or a cell, and its text.
func (o *officeFile) count(s string) error {
	o.read += len(s)
	o.pieces++
	if o.read > o.limits.MaxExtractedText {
		return textTooLong(o.limits)
	}
	if o.pieces > maxPieces {
		return kyro.Errorf(kyro.CodeLimitReached, "The document has more than %d paragraphs and cells. Split it into several files.", maxPieces)
	}
	return nil
}
