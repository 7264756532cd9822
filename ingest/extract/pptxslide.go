package extract

import (
	"encoding/xml"
	"strconv"
	"strings"

	"kyrochat/kyro"
)

// slide is a slide, or a page of notes, that is being read.
type slide struct {
	*officeFile
	relations map[string]relation
	notes     bool // only the notes themselves are read
	title     string
	pieces    []wordPiece
	pictures  int
	shapes    int
}

// shape is what stands on a slide.
type shape struct {
	holds  string // what it holds the place of: title, body, sldNum …; "" for nothing
	placed bool   // it holds the place of something, so that the layout says how it looks
	hidden bool
}

// slideLine is a paragraph of a shape.
type slideLine struct {
	text   string
	level  int
	bullet string // none, char, auto; "" where the layout says
	scheme string
	start  int
}

// tree reads shapes, and groups of shapes, to the end of the element that is open.
func (s *slide) tree(x *xmlPart, in shape) error {
	return x.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "cSld", "spTree", "graphic", "graphicData":
			return s.tree(x, in)
		case "sp", "grpSp", "graphicFrame", "cxnSp", "pic":
			if e.Name.Local == "pic" {
				s.pictures++
			}
			return s.tree(x, shape{hidden: in.hidden})
		case "nvSpPr", "nvGrpSpPr", "nvGraphicFramePr", "nvPicPr", "nvPr":
			return s.properties(x, &in)
		case "AlternateContent":
			done := false
			return x.children(func(e xml.StartElement) error {
				if done {
					return x.skip()
				}
				before := len(s.pieces) + len(s.title)
				err := s.tree(x, in)
				done = len(s.pieces)+len(s.title) > before
				return err
			})
		case "txBody":
			lines, err := s.lines(x)
			if err != nil || !s.shows(in) {
				return err
			}
			s.put(in, lines)
			return nil
		case "tbl":
			return s.table(x, in)
		case "relIds", "chart":
			lines, err := s.drawingText(drawingPart(e, s.relations))
			if err != nil {
				return err
			}
			for _, l := range lines {
				if err := s.count(l); err != nil {
					return err
				}
				if s.shows(in) {
					s.pieces = append(s.pieces, wordPiece{kind: kyro.BlockParagraph, text: l})
				}
			}
		}
		return x.skip()
	})
}

// properties reads what a shape is, which stands in front of its text.
func (s *slide) properties(x *xmlPart, in *shape) error {
	return x.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "cNvPr":
			in.hidden = in.hidden || xmlAttr(e, "hidden") != "" && xmlOn(e, "hidden")
		case "ph":
			in.holds, in.placed = xmlAttr(e, "type"), true
		case "nvPr":
			return s.properties(x, in)
		}
		return x.skip()
	})
}

// shows reports a shape whose text belongs to the slide: no number, no date, no line that every slide has.
func (s *slide) shows(in shape) bool {
	if in.hidden {
		return false
	}
	switch in.holds {
	case "sldNum", "dt", "ftr", "hdr", "sldImg":
		return false
	}
	return !s.notes || in.holds == "body"
}

// put adds the text of a shape. The first title is the slide's.
func (s *slide) put(in shape, lines []slideLine) {
	if in.holds == "title" || in.holds == "ctrTitle" {
		var words []string
		for _, l := range lines {
			words = append(words, l.text)
		}
		if title := lineOf(strings.Join(words, " ")); title != "" && s.title == "" {
			s.title = title
			return
		}
	}
	// Where the layout decides, a body of one line is a sentence and one of several is a list.
	listed := in.placed && (in.holds == "" || in.holds == "body" || in.holds == "obj") && len(lines) > 1 && !s.notes
	s.shapes++
	var counts [listLevels]int
	for _, l := range lines {
		p := wordPiece{kind: kyro.BlockParagraph, text: l.text}
		marker := "- "
		switch {
		case l.bullet == "auto":
			if counts[l.level] == 0 {
				counts[l.level] = max(l.start, 1) - 1
			}
			counts[l.level]++
			marker = slideNumber(l.scheme, counts[l.level]) + " "
		default:
			counts[l.level] = 0
		}
		clear(counts[l.level+1:])
		if l.bullet == "auto" || l.bullet == "char" || l.bullet == "" && listed {
			indent := strings.Repeat("  ", l.level)
			p.kind, p.list, p.depth = kyro.BlockList, strconv.Itoa(s.shapes), l.level
			p.text = indent + marker + strings.ReplaceAll(l.text, "\n", "\n"+indent+"  ")
		}
		s.pieces = append(s.pieces, p)
	}
}

// lines reads the paragraphs of a shape.
func (s *slide) lines(x *xmlPart) (lines []slideLine, err error) {
	err = x.children(func(e xml.StartElement) error {
		if e.Name.Local != "p" {
			return x.skip()
		}
		var l slideLine
		var words strings.Builder
		if err := l.read(x, &words); err != nil {
			return err
		}
		l.text = cleaned(words.String())
		if l.text != "" {
			lines = append(lines, l)
		}
		return s.count(l.text)
	})
	return lines, err
}

// read reads a paragraph to its end. What it does not know it looks into.
func (l *slideLine) read(x *xmlPart, words *strings.Builder) error {
	return x.children(func(e xml.StartElement) error {
		switch e.Name.Local {
		case "t":
			s, err := x.text()
			words.WriteString(s)
			return err
		case "br":
			words.WriteByte('\n')
		case "pPr":
			if n, err := strconv.Atoi(xmlAttr(e, "lvl")); err == nil {
				l.level = min(max(n, 0), listLevels-1)
			}
			return x.children(func(e xml.StartElement) error {
				switch e.Name.Local {
				case "buNone":
					l.bullet = "none"
				case "buChar", "buBlip":
					l.bullet = "char"
				case "buAutoNum":
					l.bullet, l.scheme = "auto", xmlAttr(e, "type")
					if n, err := strconv.Atoi(xmlAttr(e, "startAt")); err == nil {
						l.start = n
					}
				}
				return x.skip()
			})
		case "fld":
			if xmlAttr(e, "type") != "slidenum" {
				return l.read(x, words)
			}
		case "AlternateContent":
			done := false
			return x.children(func(xml.StartElement) error {
				if done {
					return x.skip()
				}
				before := words.Len()
				err := l.read(x, words)
				done = words.Len() > before
				return err
			})
		case "den": // of a fraction
			words.WriteByte('/')
			return l.read(x, words)
		case "naryPr":
			words.WriteString(operator(x))
			return nil
		case "rPr", "endParaRPr":
		default:
			return l.read(x, words)
		}
		return x.skip()
	})
}

// table reads a table. Cells that others reach into are there, and empty.
func (s *slide) table(x *xmlPart, in shape) error {
	var rows []wordRow
	err := x.children(func(e xml.StartElement) error {
		if e.Name.Local != "tr" {
			return x.skip()
		}
		var r wordRow
		err := x.children(func(e xml.StartElement) error {
			if e.Name.Local != "tc" {
				return x.skip()
			}
			c := wordCell{span: 1, merged: xmlAttr(e, "hMerge") != "" && xmlOn(e, "hMerge") || xmlAttr(e, "vMerge") != "" && xmlOn(e, "vMerge")}
			err := x.children(func(e xml.StartElement) error {
				if e.Name.Local != "txBody" {
					return x.skip()
				}
				lines, err := s.lines(x)
				for _, l := range lines {
					c.pieces = append(c.pieces, wordPiece{kind: kyro.BlockParagraph, text: l.text})
				}
				return err
			})
			r.cells = append(r.cells, c)
			if err != nil {
				return err
			}
			return s.count("")
		})
		rows = append(rows, r)
		return err
	})
	if err != nil || !s.shows(in) {
		return err
	}
	return putTable(rows, func(p wordPiece) error {
		if p.text != "" {
			s.pieces = append(s.pieces, p)
		}
		return nil
	})
}
