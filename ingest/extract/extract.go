// Package extract reads text and its structure out of files: PDF, Word, PowerPoint, Excel, HTML, Markdown, CSV, JSON and
// plain text, and out of pairs of a question and its answer.
//
// Files come from strangers and their formats invite malice, so that reading happens in a process of its own: a
// [Pool] starts the program again as `kyrochat extract`, whose [Main] reads one file after the other and answers
// with frames. What crashes, hangs or grows there is killed and takes nothing else with it.
package extract

import (
	"fmt"
	"io"

	"kyrochat/kyro"
	"kyrochat/text"
)

// Codes of the warnings of an extraction.
const (
	// PageWithoutText: the page shows a picture and holds almost no text.
	PageWithoutText = "PAGE_WITHOUT_TEXT"
	// PageUnreadable: the page is damaged and was left out.
	PageUnreadable = "PAGE_UNREADABLE"
	// CharsetGuessed: the file does not say its character set, and it is not UTF-8.
	CharsetGuessed = "CHARSET_GUESSED"
)

// maxBlocks bounds the structure of one document. Beyond it neighbouring blocks are told as one.
const maxBlocks = 1 << 16

// reader reads files, one at a time. The PDF engine is loaded with the first PDF and kept.
type reader struct {
	cacheDir string // of the PDF engine's compiled code; "" for none
	pdf      *pdfEngine
	given    *handover                                // where files come from; nil where they are opened by their paths
	enclose  func(cacheDir string, writes bool) error // gives up files and connections; nil when that is done
}

// read extracts one file; a PDF without a path only loads the engine. Errors are kyro errors where a person can mend the
// file, see ingest.Extractor.
func (r *reader) read(o kyro.Original, limits kyro.Limits, progress func(done, total int)) (ex kyro.Extraction, err error) {
	if o.Path == "" && o.MimeType == PDF {
		return kyro.Extraction{}, r.loadPDF()
	}
	f, err := r.given.open(o.Path)
	if err != nil {
		return kyro.Extraction{}, fmt.Errorf("opening the file: %w", err)
	}
	defer func() { _ = f.Close() }()
	switch o.MimeType {
	case PDF:
		if err = r.loadPDF(); err == nil {
			ex, err = r.pdf.read(f, limits, progress)
		}
	case DOCX:
		ex, err = readDOCX(f, limits, progress)
	case PPTX:
		ex, err = readPPTX(f, limits, progress)
	case XLSX:
		ex, err = readXLSX(f, limits, progress)
	case HTML, Markdown, Plain, CSV, JSON, QA:
		var data []byte
		if data, err = load(f, limits); err == nil {
			ex, err = readText(data, o, limits)
			progress(1, 1)
		}
	default:
		err = kyro.Errorf(kyro.CodeUnsupportedType, "Text cannot be read from %q. %s", o.MimeType, accepted)
	}
	if err != nil {
		return kyro.Extraction{}, err
	}
	if len(ex.Text) > limits.MaxExtractedText {
		return kyro.Extraction{}, textTooLong(limits)
	}
	ex.MimeType = o.MimeType
	ex.Blocks = coarsen(ex.Blocks)
	return ex, nil
}

// loadPDF starts the PDF engine for the first PDF.
func (r *reader) loadPDF() (err error) {
	if r.pdf != nil {
		return nil
	}
	if r.pdf, err = newPDFEngine(r.cacheDir); err != nil {
		return fmt.Errorf("starting the PDF engine: %w", err)
	}
	return nil
}

// load reads a text file whole. UTF-32 takes four bytes for a character that is stored in one.
func load(f io.Reader, limits kyro.Limits) ([]byte, error) {
	most := 4*int64(limits.MaxExtractedText) + 4
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, fmt.Errorf("reading the file: %w", err)
	}
	if int64(len(data)) > most {
		return nil, textTooLong(limits)
	}
	return data, nil
}

// readText reads the formats that are text: it is decoded and normalised, and then each reads it in its own way.
func readText(data []byte, o kyro.Original, limits kyro.Limits) (kyro.Extraction, error) {
	if len(data) == 0 {
		return kyro.Extraction{}, kyro.Errorf(kyro.CodeFileEmpty, "The file is empty.")
	}
	if o.MimeType == HTML { // which says its character set in its own way
		return readHTML(data, o)
	}
	if !looksLikeText(data) {
		return kyro.Extraction{}, kyro.Errorf(kyro.CodeUnsupportedType, "The file is not a text: it contains binary data. %s", accepted)
	}
	cs := charsetOf(data)
	decoded, err := cs.decode(data)
	if err != nil {
		return kyro.Extraction{}, notValid(cs, err)
	}
	ex := kyro.Extraction{Text: text.Normalize(decoded)}
	switch o.MimeType {
	case Markdown:
		ex.Title = frontTitle(ex.Text)
		ex.Text, ex.Blocks = parseMarkdown(ex.Text)
	case CSV:
		ex, err = readCSV(ex.Text)
	case JSON:
		ex, err = readJSON(ex.Text, limits)
	case QA:
		ex, err = readQA(ex.Text)
	default:
		ex.Blocks = parsePlain(ex.Text)
	}
	if err != nil {
		return kyro.Extraction{}, err
	}
	if cs.guessed {
		ex.Warnings = append(ex.Warnings, charsetWarning(cs))
	}
	return ex, nil
}

func textTooLong(limits kyro.Limits) error {
	return kyro.Errorf(kyro.CodeLimitReached,
		"The file holds more than %s of text, the most of one document. Split it into several files.", text.Bytes(limits.MaxExtractedText))
}

// coarsen joins neighbouring blocks between two headings until there are few enough. Text is untouched; what is left
// over by a text of nothing but headings has no block, and is read as paragraphs.
func coarsen(blocks []kyro.Block) []kyro.Block {
	if len(blocks) <= maxBlocks {
		return blocks
	}
	group := (len(blocks) + maxBlocks/2 - 1) / (maxBlocks / 2)
	kept, joined := blocks[:0], 0
	for _, b := range blocks {
		n := len(kept) - 1
		if n < 0 || joined == group || b.Kind == kyro.BlockHeading || kept[n].Kind == kyro.BlockHeading || kept[n].Page != b.Page {
			kept, joined = append(kept, b), 1
			continue
		}
		if kept[n].Kind != b.Kind {
			kept[n].Kind = kyro.BlockParagraph
		}
		kept[n].End = b.End
		joined++
	}
	return kept[:min(len(kept), maxBlocks)]
}
