package extract

import (
	"encoding/xml"
	"os"
	"strconv"
	"strings"
	"unicode/utf16"

	"kyrochat/kyro"
)

// xlsx reads a workbook, sheet by sheet as a stream of cells. The library for it (excelize) was tried and holds whole
// parts as trees: a workbook of a million cells that unpacks to 70 MiB took 390 MiB and 31 s, and 870 MiB with its merged
// cells, which is more than an extractor has.
type xlsx struct {
	*officeFile
	strings  sharedStrings
	formats  []*numberFormat // by the style of a cell
	date1904 bool            // days are counted from 1904
	warnings []kyro.DocumentWarning
}

// sheet is a sheet of a workbook.
type sheet struct {
	name   string
	part   string
	hidden bool
}

func readXLSX(file *os.File, limits kyro.Limits, progress func(done, total int)) (kyro.Extraction, error) {
	a, err := openArchiveFile(file)
	if err != nil {
		return kyro.Extraction{}, err
	}
	return readWorkbook(a, limits, progress)
}

// readWorkbook reads the sheets that people see: each is a page under its name.
func readWorkbook(a *archive, limits kyro.Limits, progress func(done, total int)) (kyro.Extraction, error) {
	o, err := openOffice(a, limits)
	if err != nil {
		return kyro.Extraction{}, err
	}
	d := &xlsx{officeFile: o}
	sheets, err := d.readParts()
	if err != nil {
		return kyro.Extraction{}, err
	}
	var hidden []string
	for i, s := range sheets {
		if s.hidden {
			hidden = append(hidden, s.name)
		} else if err := d.sheet(s); err != nil {
			return kyro.Extraction{}, err
		}
		progress(i+1, len(sheets))
	}
	if len(hidden) > 0 {
		names := lineOf(strings.Join(hidden, ", "))
		if r := []rune(names); len(r) > 100 {
			names = string(r[:100]) + "…"
		}
		d.warnings = append(d.warnings, kyro.DocumentWarning{Code: HiddenLeftOut, Message: "Hidden sheets were left out: " + names + "."})
	}
	ex := d.extraction()
	ex.Warnings = d.warnings
	return ex, nil
}

// readParts reads the list of sheets, and what their cells refer to.
func (d *xlsx) readParts() (sheets []sheet, err error) {
	if strings.HasSuffix(partKey(d.main), ".bin") {
		return nil, kyro.Errorf(kyro.CodeValidation, "The workbook is in the binary form of Excel. Save it as .xlsx and upload it again.")
	}
	relations, err := d.relations(d.main)
	if err != nil {
		return nil, err
	}
	err = d.part(d.main, func(x *xmlPart, root xml.StartElement) error {
		if root.Name.Local != "workbook" {
			return brokenFile("it is no Excel workbook")
		}
		return x.children(func(e xml.StartElement) error {
			switch e.Name.Local {
			case "workbookPr":
				d.date1904 = xmlAttr(e, "date1904") != "" && xmlOn(e, "date1904")
			case "sheets":
				return x.children(func(e xml.StartElement) error {
					if len(sheets) == d.limits.MaxPages {
						return kyro.Errorf(kyro.CodeLimitReached, "The workbook has more than %d sheets. Split it into several files.", d.limits.MaxPages)
					}
					r := relations[xmlRef(e, "id")]
					if r.kind != "chartsheet" && r.kind != "dialogsheet" && r.kind != "xlMacrosheet" {
						state := xmlAttr(e, "state")
						sheets = append(sheets, sheet{xmlAttr(e, "name"), r.target, state == "hidden" || state == "veryHidden"})
					}
					return x.skip()
				})
			}
			return x.skip()
		})
	})
	if err != nil {
		return nil, err
	}
	if err := d.readFormats(related(relations, "styles")); err != nil {
		return nil, err
	}
	return sheets, d.readStrings(related(relations, "sharedStrings"))
}

// sharedStrings are the texts that cells refer to by their numbers, one after the other.
type sharedStrings struct {
	text []byte
	ends []uint32
}

// maxShared bounds the texts of a workbook; each takes four bytes besides its text.
const maxShared = 4 << 20

func (s *sharedStrings) at(i int) string {
	if i < 0 || i >= len(s.ends) {
		return ""
	}
	start := uint32(0)
	if i > 0 {
		start = s.ends[i-1]
	}
	return string(s.text[start:s.ends[i]])
}

func (d *xlsx) readStrings(part string) error {
	return d.part(part, func(x *xmlPart, _ xml.StartElement) error {
		return x.children(func(e xml.StartElement) error {
			if e.Name.Local != "si" {
				return x.skip()
			}
			s, err := richText(x)
			if err != nil {
				return err
			}
			d.strings.text = append(d.strings.text, s...)
			d.strings.ends = append(d.strings.ends, uint32(len(d.strings.text)))
			if len(d.strings.text) > 2*d.limits.MaxExtractedText || len(d.strings.ends) > maxShared {
				return textTooLong(d.limits)
			}
			return nil
		})
	})
}

// richText reads a text in pieces of different looks. How it is pronounced is left out.
func richText(x *xmlPart) (string, error) {
	var b strings.Builder
	err := x.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "t":
			s, err := x.text()
			b.WriteString(s)
			return err
		case "r":
			s, err := richText(x)
			b.WriteString(s)
			return err
		}
		return x.skip()
	})
	return unescapeCell(b.String()), err
}

// unescapeCell resolves the way in which Excel writes characters that XML does not know: _x000D_.
func unescapeCell(s string) string {
	if !strings.Contains(s, "_x") {
		return s
	}
	var b strings.Builder
	for {
		i := strings.Index(s, "_x")
		if i < 0 || len(s) < i+7 {
			return b.String() + s
		}
		n, err := strconv.ParseUint(s[i+2:i+6], 16, 16)
		if err != nil || s[i+6] != '_' {
			b.WriteString(s[:i+2])
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		if r := rune(n); !utf16.IsSurrogate(r) {
			b.WriteRune(r)
		}
		s = s[i+7:]
	}
}
