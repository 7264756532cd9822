package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// makeCorpus makes the files whose names are given, or all of them, and the manifest anew.
func makeCorpus(ctx context.Context, sources, folder string, only []string, log io.Writer) error {
	sources, err := filepath.Abs(sources)
	if err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "corpus-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	if err := os.MkdirAll(filepath.Join(folder, "ref"), 0o755); err != nil {
		return err
	}
	var entries []entry
	if len(only) > 0 {
		if entries, err = readManifest(folder); err != nil {
			return err
		}
	}
	versions := map[string]string{}
	for i, r := range recipes {
		if len(only) > 0 && !slices.Contains(only, r.file) {
			continue
		}
		k := &kitchen{ctx: ctx, sources: sources, folder: filepath.Join(scratch, fmt.Sprint(i))}
		if err := os.Mkdir(k.folder, 0o755); err != nil {
			return err
		}
		e, err := r.cook(k, folder, versions)
		if err != nil {
			return fmt.Errorf("%s: %w", r.file, err)
		}
		entries = slices.DeleteFunc(entries, func(other entry) bool { return other.file == e.file })
		entries = append(entries, e)
		fmt.Fprintln(log, e.file)
	}
	return writeManifest(folder, entries)
}

// cook makes a file of the corpus and its reference.
func (r recipe) cook(k *kitchen, folder string, versions map[string]string) (entry, error) {
	path, written, err := r.make(k)
	if err != nil {
		return entry{}, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return entry{}, err
	}
	target := filepath.Join(folder, r.file)
	if err := os.WriteFile(target, data, 0o644); err != nil {
		return entry{}, err
	}
	e := entry{file: r.file, format: strings.TrimPrefix(filepath.Ext(r.file), "."), reference: r.file + ".txt", source: "written",
		language: r.language, kind: r.kind, warnings: "-"}
	if e.format == "tsv" {
		e.format = "csv"
	}
	if e.format == "jsonl" {
		e.format = "json"
	}
	if r.warnings != "" {
		e.warnings = r.warnings
	}
	switch {
	case e.format == "pdf":
		e.source = "pdftotext"
	case e.format == "docx":
		e.source = "pandoc"
	}
	if e.source != "written" {
		if written, err = referenceOf(k.ctx, target, e.source); err != nil {
			return entry{}, err
		}
	}
	if e.producer, err = producers(k, r.producer, versions); err != nil {
		return entry{}, err
	}
	return e, os.WriteFile(filepath.Join(folder, "ref", e.reference), written, 0o644)
}

// asks is how each producer tells its version.
var asks = map[string][]string{
	"LibreOffice": {"soffice", "--version"},
	"pandoc":      {"pandoc", "--version"},
	"pdfTeX":      {"pdflatex", "--version"},
	"Chromium":    {"chromium", "--version"},
	"Ghostscript": {"gs", "--version"},
	"groff":       {"groff", "--version"},
	"qpdf":        {"qpdf", "--version"},
	"openpyxl":    {"/usr/bin/python3", "-c", "import openpyxl; print(openpyxl.__version__)"},
	"python-docx": {"/usr/bin/python3", "-c", "from importlib.metadata import version; print(version('python-docx'))"},
}

var number = regexp.MustCompile(`\d+(\.\d+)+`)

// producers adds the versions to the names of programs that worked one after the other.
func producers(k *kitchen, names string, versions map[string]string) (string, error) {
	var all []string
	for name := range strings.SplitSeq(names, " + ") {
		ask, known := asks[name]
		if known && versions[name] == "" {
			out, err := k.run(nil, ask[0], ask[1:]...)
			if err != nil {
				return "", err
			}
			versions[name] = name + " " + number.FindString(string(out))
		}
		if known {
			name = versions[name]
		}
		all = append(all, name)
	}
	return strings.Join(all, " + "), nil
}
