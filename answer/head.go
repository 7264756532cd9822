package answer

import (
	"fmt"
	"slices"
	"strings"

	"kyrochat/kyro"
	"kyrochat/text"
)

// headOf says where a passage stands: its document and page, the headings above it, and the names of its columns where it is
// the middle of a table, each on a line of its own. A row says little without them, and neither does a paragraph whose
// subject is in the heading. They are no part of the passage's text, so nothing in them can be cited.
func headOf(p kyro.Passage) string {
	var b strings.Builder
	b.WriteString("Title: " + oneLine(p.DocumentTitle))
	if p.Chunk.PageStart != nil {
		fmt.Fprintf(&b, " (page %d)", *p.Chunk.PageStart)
	}
	b.WriteByte('\n')
	section, columns := above(p)
	if section != "" {
		b.WriteString("Section: " + section + "\n")
	}
	if columns != "" {
		b.WriteString("Columns: " + columns + "\n")
	}
	return b.String()
}

// above is the headings above a passage, without those that its title or its own first line says already, and the names of
// its columns.
func above(p kyro.Passage) (section, columns string) {
	headings, columns := p.Chunk.Above()
	lines := make([]string, 0, len(headings))
	for _, h := range headings {
		if h = oneLine(h); h != "" {
			lines = append(lines, h)
		}
	}
	if len(lines) > 0 && lines[0] == oneLine(p.DocumentTitle) {
		lines = lines[1:]
	}
	first, _, _ := strings.Cut(p.Chunk.Text, "\n")
	if n := len(lines); n > 0 && strings.TrimLeft(oneLine(first), "# ") == lines[n-1] {
		lines = lines[:n-1]
	}
	return strings.Join(lines, " > "), oneLine(columns)
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// namesOf are words that only name where a passage stands, folded: its document, headings above it, its columns.
func namesOf(p kyro.Passage) map[string]bool {
	headings, columns := p.Chunk.Above()
	section, _ := above(p)
	all := slices.Concat([]string{p.DocumentTitle, section, columns}, headings, strings.Split(columns, " | "))
	names := make(map[string]bool, len(all))
	for _, name := range all {
		names[text.Fold(name)] = true
	}
	delete(names, "")
	return names
}
