package extract

import (
	"encoding/xml"
	"fmt"
	"os"
	"strings"

	"kyrochat/kyro"
)

// HiddenLeftOut: a slide or a sheet, or rows and columns of one, are hidden and were left out.
const HiddenLeftOut = "HIDDEN_LEFT_OUT"

// pptx reads a presentation. Each slide is a page, also one that is hidden or empty, for so they are counted where they
// are made.
type pptx struct {
	*officeFile
	warnings []kyro.DocumentWarning
}

func readPPTX(file *os.File, limits kyro.Limits, progress func(done, total int)) (kyro.Extraction, error) {
	a, err := openArchiveFile(file)
	if err != nil {
		return kyro.Extraction{}, err
	}
	return readPresentation(a, limits, progress)
}

func readPresentation(a *archive, limits kyro.Limits, progress func(done, total int)) (kyro.Extraction, error) {
	o, err := openOffice(a, limits)
	if err != nil {
		return kyro.Extraction{}, err
	}
	d := &pptx{officeFile: o}
	parts, err := d.slides()
	if err != nil {
		return kyro.Extraction{}, err
	}
	for i, part := range parts {
		d.blocks.beginPage()
		if err := d.slide(i+1, part); err != nil {
			return kyro.Extraction{}, err
		}
		progress(i+1, len(parts))
	}
	ex := d.extraction()
	ex.Warnings = d.warnings
	return ex, nil
}

// slides are the parts of the slides, in the order in which they are shown.
func (d *pptx) slides() (parts []string, err error) {
	relations, err := d.relations(d.main)
	if err != nil {
		return nil, err
	}
	err = d.part(d.main, func(x *xmlPart, root xml.StartElement) error {
		if root.Name.Local != "presentation" {
			return brokenFile("it is no PowerPoint presentation")
		}
		return x.children(func(e xml.StartElement) error {
			if e.Name.Local != "sldIdLst" {
				return x.skip()
			}
			return x.children(func(e xml.StartElement) error {
				if len(parts) == d.limits.MaxPages {
					return kyro.Errorf(kyro.CodeLimitReached, "The presentation has more than %d slides. Split it into several files.", d.limits.MaxPages)
				}
				parts = append(parts, relations[xmlRef(e, "id")].target)
				return x.skip()
			})
		})
	})
	return parts, err
}

// slide reads a slide: its title, what else is on it, and the notes of who speaks.
func (d *pptx) slide(number int, part string) error {
	if !d.has(part) {
		return brokenFile("a slide is missing")
	}
	relations, err := d.relations(part)
	if err != nil {
		return err
	}
	s := &slide{officeFile: d.officeFile, relations: relations}
	hidden := false
	err = d.part(part, func(x *xmlPart, root xml.StartElement) error {
		if hidden = xmlAttr(root, "show") != "" && !xmlOn(root, "show"); hidden {
			return x.skip()
		}
		return s.tree(x, shape{})
	})
	switch {
	case err != nil:
		return err
	case hidden:
		d.warnings = append(d.warnings, warning(HiddenLeftOut, number, "Slide %d is hidden and was left out."))
		return nil
	case s.title == "" && len(s.pieces) == 0 && s.pictures > 0:
		d.warnings = append(d.warnings, warning(PageWithoutText, number, "Slide %d is a picture without readable text."))
	}
	out := gathering{add: func(p wordPiece) error { return d.add(p.kind, p.level, p.text) }}
	if s.title != "" {
		if err := d.add(kyro.BlockHeading, 1, s.title); err != nil {
			return err
		}
	}
	for _, p := range s.pieces {
		if err := out.put(p); err != nil {
			return err
		}
	}
	if err := out.flush(); err != nil {
		return err
	}
	return d.notes(related(relations, "notesSlide"))
}

// notes adds the notes below a slide.
func (d *pptx) notes(part string) error {
	n := &slide{officeFile: d.officeFile, notes: true}
	if err := d.part(part, func(x *xmlPart, _ xml.StartElement) error { return n.tree(x, shape{}) }); err != nil {
		return err
	}
	var lines []string
	for _, p := range n.pieces {
		lines = append(lines, p.text)
	}
	if len(lines) == 0 {
		return nil
	}
	return d.add(kyro.BlockParagraph, 0, "Notes: "+strings.Join(lines, "\n"))
}

// slideNumber gives what stands in front of an item that is numbered by itself.
func slideNumber(scheme string, n int) string {
	format := "decimal"
	for prefix, f := range map[string]string{"alphaLc": "lowerLetter", "alphaUc": "upperLetter", "romanLc": "lowerRoman", "romanUc": "upperRoman", "ea1Ch": "chineseCounting"} {
		if strings.HasPrefix(scheme, prefix) {
			format = f
		}
	}
	s := numeral(format, n)
	switch {
	case strings.HasSuffix(scheme, "ParenBoth"):
		return fmt.Sprintf("(%s)", s)
	case strings.HasSuffix(scheme, "ParenR"):
		return s + ")"
	}
	return s + "."
}
