package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"text/template"
	"time"

	"golang.org/x/text/encoding/htmlindex"
)

// kitchen runs the producers, each within two minutes, and keeps what they write in a folder of its own.
type kitchen struct {
	ctx     context.Context
	sources string
	folder  string
	made    int
}

// run runs a program in the folder and gives what it wrote to its standard output.
func (k *kitchen) run(stdin []byte, name string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(k.ctx, 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = k.folder
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1711929600", "TZ=UTC", "LC_ALL=C.UTF-8")
	cmd.Stdin = bytes.NewReader(stdin)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, errOut.Bytes())
	}
	return out.Bytes(), nil
}

// source is the path of a source.
func (k *kitchen) source(name string) string { return filepath.Join(k.sources, name) }

// file is the path of a new file with an ending.
func (k *kitchen) file(ext string) string {
	k.made++
	return filepath.Join(k.folder, fmt.Sprintf("%02d.%s", k.made, ext))
}

// write makes a new file.
func (k *kitchen) write(ext string, data []byte) (string, error) {
	path := k.file(ext)
	return path, os.WriteFile(path, data, 0o644)
}

// pandoc makes Markdown into something else, by a new file's ending.
func (k *kitchen) pandoc(path, ext string, args ...string) (string, error) {
	out := k.file(ext)
	_, err := k.run(nil, "pandoc", append([]string{"-s", "-f", "markdown", "-o", out, path}, args...)...)
	return out, err
}

// plain is a Markdown source as pandoc writes it without any markup.
func (k *kitchen) plain(name string) ([]byte, error) {
	return k.run(nil, "pandoc", "-f", "markdown", "-t", "plain", "--wrap=none", k.source(name))
}

// office lets LibreOffice write a file in another format.
func (k *kitchen) office(path, ext string) (string, error) {
	into := filepath.Join(k.folder, fmt.Sprintf("office%02d", k.made))
	_, err := k.run(nil, "soffice", "--headless", "-env:UserInstallation=file://"+filepath.Join(k.folder, "profile"),
		"--convert-to", ext, "--outdir", into, path)
	name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	return filepath.Join(into, name+"."+ext), err
}

// chromium prints a page of HTML, with the date, title, address and number of pages on each page if it is to have a header.
func (k *kitchen) chromium(path string, header bool) (string, error) {
	out := k.file("pdf")
	args := []string{"--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=" + filepath.Join(k.folder, "chromium"), "--print-to-pdf=" + out}
	if !header {
		args = append(args, "--no-pdf-header-footer")
	}
	_, err := k.run(nil, "chromium", append(args, "file://"+path)...)
	return out, err
}

// latex runs twice, for the references within the text.
func (k *kitchen) latex(path string) (string, error) {
	name := strings.TrimSuffix(filepath.Base(path), ".tex")
	for range 2 {
		if _, err := k.run(nil, "pdflatex", "-interaction=batchmode", "-output-directory="+k.folder, path); err != nil {
			return "", err
		}
	}
	return filepath.Join(k.folder, name+".pdf"), nil
}

// groff makes PostScript of a Markdown source by the macros ms; preconv is told that its input is UTF-8.
func (k *kitchen) groff(path string) ([]byte, error) {
	ms, err := k.pandoc(path, "ms")
	if err != nil {
		return nil, err
	}
	return k.run(nil, "groff", "-K", "utf8", "-t", "-e", "-ms", "-Tps", ms)
}

// redistill lets Ghostscript write a PDF, or PostScript, anew.
func (k *kitchen) redistill(paths ...string) (string, error) {
	out := k.file("pdf")
	_, err := k.run(nil, "gs", append([]string{"-q", "-dNOPAUSE", "-dBATCH", "-sDEVICE=pdfwrite", "-sOutputFile=" + out}, paths...)...)
	return out, err
}

// scan makes pictures of pages.
func (k *kitchen) scan(path string) (string, error) {
	out := k.file("pdf")
	_, err := k.run(nil, "gs", "-q", "-dNOPAUSE", "-dBATCH", "-sDEVICE=pdfimage8", "-r72", "-sCompression=Flate", "-sOutputFile="+out, path)
	return out, err
}

func (k *kitchen) qpdf(path string, args ...string) (string, error) {
	out := k.file("pdf")
	_, err := k.run(nil, "qpdf", append(args, path, out)...)
	return out, err
}

// python runs a script that writes the file and tells what is in it.
func (k *kitchen) python(name, ext string) (path string, told []byte, err error) {
	out := k.file(ext)
	told, err = k.run(nil, "/usr/bin/python3", k.source(name), out)
	return out, told, err
}

// page puts an article into one of the sites.
func (k *kitchen) page(site, article, title, language, charset string) (string, error) {
	body, err := k.run(nil, "pandoc", "-f", "markdown", "-t", "html", k.source(article))
	if err != nil {
		return "", err
	}
	frame, err := template.ParseFiles(k.source(site))
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = frame.Execute(&b, map[string]string{"Article": string(body), "Title": title, "Lang": language, "Charset": charset, "Site": "Example"})
	if err != nil {
		return "", err
	}
	data, err := encode(b.Bytes(), charset)
	if err != nil {
		return "", err
	}
	return k.write("html", data)
}

// inventory fills the rows of the report that is a template.
func (k *kitchen) inventory() (string, error) {
	frame, err := template.ParseFiles(k.source("report-en.fodt"))
	if err != nil {
		return "", err
	}
	objects := []string{"Oil lamp with a blue shade", "Compass in a wooden case", "Model of a herring drifter", "Log book, water-stained", "Net needle of bone", "Signal flag, torn", "Sextant without its mirror"}
	shelves := []string{"East 2", "East 5", "Boathouse 1", "Ropewalk 3"}
	rows := make([][]string, 110)
	for i := range rows {
		rows[i] = []string{fmt.Sprintf("HM-%04d", 310+7*i), fmt.Sprintf("%s (%d)", objects[i%len(objects)], 1850+i), shelves[i%len(shelves)], "ABC"[i%3 : i%3+1]}
	}
	var b bytes.Buffer
	if err := frame.Execute(&b, map[string]any{"Head": []string{"Number", "Object", "Shelf", "State"}, "Rows": rows}); err != nil {
		return "", err
	}
	return k.write("fodt", b.Bytes())
}

// encode writes UTF-8 in another character set; what that lacks is an error. A charset that ends with +bom begins with
// a byte order mark.
func encode(data []byte, charset string) ([]byte, error) {
	name, mark := strings.CutSuffix(charset, "+bom")
	if mark {
		data = append([]byte("\uFEFF"), data...)
	}
	enc, err := htmlindex.Get(name)
	if err != nil {
		return nil, err
	}
	return enc.NewEncoder().Bytes(data)
}

// referenceOf is what another program reads out of a file; nil for a reference that was written.
func referenceOf(ctx context.Context, path, source string) ([]byte, error) {
	switch source {
	case "pdftotext":
		return exec.CommandContext(ctx, "pdftotext", "-enc", "UTF-8", path, "-").Output()
	case "pandoc":
		return exec.CommandContext(ctx, "pandoc", "-t", "plain", "--wrap=none", path).Output()
	}
	return nil, nil
}
