package extract

import (
	"path"
	"regexp"
	"strings"

	"kyrochat/text"
)

const (
	// mostBookmarks are looked at, and no deeper than maxOutlineDepth: some outlines lead in circles.
	mostBookmarks   = 5_000
	maxOutlineDepth = 6
	// longestTitle of a document, in characters.
	longestTitle = 300
)

// outline is what the bookmarks of a PDF call its sections, and how deep they are, from 1.
type outline map[string]int

// readOutline reads the bookmarks of a document; nil where it has none.
func readOutline(c *pdfCalls, doc pointer) outline {
	found := outline{}
	left := mostBookmarks
	var walk func(parent pointer, depth int)
	walk = func(parent pointer, depth int) {
		for mark := c.call("FPDFBookmark_GetFirstChild", doc, parent); mark != 0 && left > 0; left-- {
			title := c.wide(func(to pointer, size int) int { return c.number("FPDFBookmark_GetTitle", mark, to, uint64(size)) })
			if key := sectionKey(title); key != "" && found[key] == 0 {
				found[key] = depth
			}
			if depth < maxOutlineDepth {
				walk(mark, depth+1)
			}
			mark = c.call("FPDFBookmark_GetNextSibling", doc, mark)
		}
	}
	walk(0, 1)
	if len(found) == 0 {
		return nil
	}
	return found
}

// level is that of lines which are the title of a section; 0 for others.
func (o outline) level(lines []pdfLine) int {
	if len(o) == 0 || len(lines) > 3 {
		return 0
	}
	var all []string
	for _, l := range lines {
		all = append(all, l.text)
	}
	return o[sectionKey(strings.Join(all, " "))]
}

var sectionNumber = regexp.MustCompile(`^(?:\d+(?:\.\d+)*\.?|[IVXLC]+\.|[A-Z]\.)\s+`)

// sectionKey is a title without its number, whose spaces and case do not count. Where nothing is left, or it is a number,
// nothing can be recognised by it.
func sectionKey(title string) string {
	s := onOneLine(text.Normalize(title))
	s = strings.ToLower(sectionNumber.ReplaceAllString(s, ""))
	if len(s) < 2 || len(s) > 4*longestPDFHeading || strings.Trim(s, "0123456789.-/ ") == "" {
		return ""
	}
	return s
}

// titleOf is what the document says it is called. Programs put the name of a file there, with their own before it, or
// nothing that a person would say.
func titleOf(c *pdfCalls, doc pointer) string {
	const key = "Title\x00"
	name, err := c.instance.MallocNoZero(uint64(len(key)))
	if err != nil {
		return ""
	}
	copy(c.at(name, len(key)), key)
	return sensibleTitle(c.wide(func(to pointer, size int) int { return c.number("FPDF_GetMetaText", doc, name, to, uint64(size)) }))
}

var (
	programs  = regexp.MustCompile(`(?i)^(?:microsoft (?:word|powerpoint|excel|office word)|powerpoint|openoffice(?:\.org)?|libreoffice) - `)
	nothing   = regexp.MustCompile(`(?i)^(?:(?:powerpoint presentation|presentación de powerpoint|powerpoint-präsentation|untitled|unbenannt|sin título|document|dokument|documento|slide|folie|print|pdf|title|titel) ?\d*)$`)
	fileNames = regexp.MustCompile(`(?i)\.(?:docx?|pptx?|xlsx?|odt|odp|ods|rtf|tex|dvi|html?|indd|qxd|qxp|pdf|pmd|txt|fm|ps|md|ms)$`)
	addresses = regexp.MustCompile(`(?i)^(?:https?|file)://|^about:`)
)

// sensibleTitle is a title that a person would give; "" for any other.
func sensibleTitle(s string) string {
	s = onOneLine(text.Normalize(s))
	s = strings.TrimSpace(programs.ReplaceAllString(s, ""))
	if nothing.MatchString(s) || fileNames.MatchString(s) || addresses.MatchString(s) || strings.ContainsAny(s, `\`) || path.Base(s) != s && !strings.Contains(s, " ") {
		return ""
	}
	if strings.Trim(s, "0123456789.,-_/ ()") == "" || len([]rune(s)) > longestTitle {
		return ""
	}
	return s
}
