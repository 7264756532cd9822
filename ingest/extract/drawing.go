package extract

import (
	"encoding/xml"
	"strconv"
	"strings"
	"unicode"
)

// drawingPart is the part of a diagram or a chart by the element that stands for it.
func drawingPart(e xml.StartElement, relations map[string]relation) string {
	if e.Name.Local == "chart" {
		return relations[xmlRef(e, "id")].target
	}
	return relations[xmlRef(e, "dm")].target
}

// drawingText reads the words of a diagram or a chart: the lines of its boxes and titles, and of a chart the names of
// its series and categories. Its figures without their axes say little.
func (o *officeFile) drawingText(part string) (lines []string, err error) {
	if part == "" {
		return nil, nil
	}
	seen := map[string]bool{}
	add := func(s string) {
		if s = lineOf(s); s != "" && !seen[s] {
			seen[s] = true
			lines = append(lines, s)
		}
	}
	var walk func(x *xmlPart, named bool, s *strings.Builder) error
	walk = func(x *xmlPart, named bool, s *strings.Builder) error {
		return x.children(func(e xml.StartElement) error {
			switch e.Name.Local {
			case "p":
				var words strings.Builder
				err := walk(x, named, &words)
				add(words.String())
				return err
			case "t":
				if strings.HasSuffix(e.Name.Space, "/diagram") { // what stands in a box
					return walk(x, named, s)
				}
				words, err := x.text()
				if s != nil {
					s.WriteString(words)
				}
				return err
			case "br":
				if s != nil {
					s.WriteByte(' ')
				}
			case "tx", "cat": // of a series
				return walk(x, true, s)
			case "v":
				words, err := x.text()
				if _, number := strconv.ParseFloat(words, 64); named && number != nil {
					add(words)
				}
				return err
			case "pPr", "rPr", "prSet", "AlternateContent":
			default:
				return walk(x, named, s)
			}
			return x.skip()
		})
	}
	err = o.part(part, func(x *xmlPart, _ xml.StartElement) error { return walk(x, false, nil) })
	return lines, err
}

// symbol gives the character of a font of signs. The fonts number their signs as they like, from F000.
func symbol(font, hex string) string {
	n, err := strconv.ParseUint(hex, 16, 21)
	if err != nil {
		return ""
	}
	r := rune(n)
	if r >= 0xF000 && r <= 0xF0FF {
		r -= 0xF000
		signs := signFonts[strings.ToLower(font)]
		if signs == nil {
			return ""
		}
		return signs[r]
	}
	if font := signFonts[strings.ToLower(font)]; font != nil && r < 0x100 {
		return font[r]
	}
	if !unicode.IsPrint(r) {
		return ""
	}
	return string(r)
}

// signFonts are the signs of the two fonts that come with every Word. Pictures that are no words are left out.
var signFonts = map[string]map[rune]string{
	"symbol": signs(0x41, "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ", 0x61, "αβχδεφγηιϕκλμνοπθρστυϖωξψζ", 0x30, "0123456789",
		0x20, " ", 0x22, "∀", 0x24, "∃", 0x2B, "+", 0x2D, "−", 0x3C, "<=>", 0xA2, "′≤", 0xA5, "∞", 0xAB, "↔←↑→↓°±″≥×∝∂•÷≠≡≈…",
		0xC7, "∩∪⊃⊇⊄⊂⊆∈∉∠∇", 0xD5, "∏√⋅¬∧∨⇔⇐⇑⇒⇓", 0xE5, "∑", 0xF2, "∫"),
	"wingdings": signs(0x6C, "●", 0x6E, "■", 0x6F, "☐", 0x71, "❑", 0x9F, "•", 0xA7, "▪", 0xA8, "☐", 0xD8, "➢",
		0xDF, "←→↑↓", 0xFB, "✗✓☒☑"),
}

// signs makes a table of characters: each text begins at the number before it.
func signs(pairs ...any) map[rune]string {
	table := map[rune]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		at := rune(pairs[i].(int))
		for _, r := range pairs[i+1].(string) {
			table[at] = string(r)
			at++
		}
	}
	return table
}
