package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// entry is a file of the corpus, a line of its manifest.
type entry struct {
	file      string // in the corpus's folder
	format    string // its ending: pdf, docx, pptx, xlsx, html, md, txt, csv, json
	producer  string // the program that wrote it, and its version
	reference string // a file in the folder ref with the text that is to be found
	source    string // where the reference is from: pdftotext, pandoc, or written: it is what we wrote
	language  string
	kind      string // what people would call it, and what is special about it
	warnings  string // the codes that reading it gives, separated by commas; "-" for none
}

const manifestName = "manifest.tsv"

var columns = []string{"file", "format", "producer", "reference", "source", "language", "kind", "warnings"}

// fields are the entry's, in the order of the columns.
func (e *entry) fields() []*string {
	return []*string{&e.file, &e.format, &e.producer, &e.reference, &e.source, &e.language, &e.kind, &e.warnings}
}

func readManifest(folder string) ([]entry, error) {
	data, err := os.ReadFile(filepath.Join(folder, manifestName))
	if err != nil {
		return nil, err
	}
	head, rest, _ := strings.Cut(string(data), "\n")
	if head != strings.Join(columns, "\t") {
		return nil, fmt.Errorf("%s has other columns than %v", manifestName, columns)
	}
	var entries []entry
	for line := range strings.Lines(rest) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(cells) != len(columns) {
			return nil, fmt.Errorf("%s: %q has %d columns", manifestName, line, len(cells))
		}
		var e entry
		for i, field := range e.fields() {
			*field = cells[i]
		}
		entries = append(entries, e)
	}
	return entries, nil
}

func writeManifest(folder string, entries []entry) error {
	slices.SortFunc(entries, func(a, b entry) int {
		return strings.Compare(a.format+"\t"+a.file, b.format+"\t"+b.file)
	})
	var b strings.Builder
	b.WriteString(strings.Join(columns, "\t") + "\n")
	for _, e := range entries {
		for i, field := range e.fields() {
			if i > 0 {
				b.WriteByte('\t')
			}
			b.WriteString(*field)
		}
		b.WriteByte('\n')
	}
	return os.WriteFile(filepath.Join(folder, manifestName), []byte(b.String()), 0o644)
}
