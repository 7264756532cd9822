package extract

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"net/url"
	"path"
	"regexp"
	"strings"

	"kyrochat/kyro"
)

// The types that text can be read from.
const (
	PDF      = "application/pdf"
	DOCX     = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
	PPTX     = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
	XLSX     = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	HTML     = "text/html"
	Markdown = "text/markdown"
	Plain    = "text/plain"
	CSV      = "text/csv"
	JSON     = "application/json"
	QA       = "application/vnd.kyrochat.qa+json" // never uploaded: see kyro.QA
)

// Accepted are the types of files that are taken in.
func Accepted() []string {
	return []string{PDF, DOCX, PPTX, XLSX, HTML, Markdown, CSV, JSON, Plain}
}

// accepted ends every refusal, so that a person knows what to send instead.
const accepted = "PDF, DOCX, PPTX, XLSX, HTML, Markdown, CSV, JSON and plain text files are accepted."

// headBytes is how much of a file its type is decided by. Of a ZIP archive the list of its entries is read besides, of
// an OLE file its directory.
const headBytes = 4 << 10

// Sniff decides the type of a file of a size by its content. Its name only tells texts from each other, and must agree
// where it promises more than text: what calls itself a PDF or a Word document and is none is refused. Errors:
// FILE_EMPTY for no bytes, UNSUPPORTED_TYPE for everything that is none of the accepted types, with a message that says
// what it is.
func Sniff(file io.ReaderAt, size int64, fileName string) (mimeType string, err error) {
	ext := strings.ToLower(path.Ext(fileName))
	return sniff(file, size, ext, typeNamed[ext])
}

// SniffFetched decides the type of what was found at an address, as Sniff does. What the server claims in its
// Content-Type counts as the name of a file does: content wins over it, and it tells texts from each other; the address
// does so where the server claims no more than that it is text.
func SniffFetched(file io.ReaderAt, size int64, contentType, address string) (mimeType string, err error) {
	claimed, _, _ := mime.ParseMediaType(contentType)
	ext := ""
	if u, err := url.Parse(address); err == nil {
		ext = strings.ToLower(path.Ext(u.Path))
	}
	hint := typeClaimed[claimed]
	switch claimed {
	case Plain, "", "application/octet-stream", "binary/octet-stream":
		hint = typeNamed[ext]
	}
	if !isTextType(hint) {
		hint = ""
	}
	mimeType, err = sniff(file, size, "", hint)
	if err == nil && mimeType == Plain && foreignClaim(claimed) {
		return "", refuse(fmt.Sprintf("not a page but %q", claimed), "", "")
	}
	return mimeType, err
}

// typeNamed is what the ending of a name promises.
var typeNamed = map[string]string{
	".pdf":  PDF,
	".docx": DOCX, ".docm": DOCX, ".dotx": DOCX, ".dotm": DOCX,
	".pptx": PPTX, ".pptm": PPTX, ".ppsx": PPTX, ".ppsm": PPTX, ".potx": PPTX, ".potm": PPTX,
	".xlsx": XLSX, ".xlsm": XLSX, ".xltx": XLSX, ".xltm": XLSX,
	".html": HTML, ".htm": HTML, ".xhtml": HTML, ".xht": HTML,
	".md": Markdown, ".markdown": Markdown, ".mdown": Markdown, ".mkd": Markdown,
	".csv": CSV, ".tsv": CSV, ".tab": CSV,
	".json": JSON, ".jsonl": JSON, ".ndjson": JSON, ".geojson": JSON,
	".txt": Plain, ".text": Plain,
}

// typeClaimed is what a Content-Type promises.
var typeClaimed = map[string]string{
	PDF: PDF, "application/x-pdf": PDF, DOCX: DOCX, PPTX: PPTX, XLSX: XLSX, HTML: HTML, "application/xhtml+xml": HTML,
	Markdown: Markdown, "text/x-markdown": Markdown, CSV: CSV, "text/tab-separated-values": CSV, "application/csv": CSV,
	JSON: JSON, "text/json": JSON, "application/ld+json": JSON, "application/geo+json": JSON, "application/jsonl": JSON,
	"application/x-ndjson": JSON, "application/x-jsonlines": JSON, Plain: Plain,
}

// foreignClaim reports a claim of text that is written for programs: it would be read as plain text, and says nothing.
func foreignClaim(claimed string) bool {
	switch claimed {
	case "text/css", "text/javascript", "application/javascript", "application/x-javascript", "text/xml", "application/xml":
		return true
	}
	return strings.HasSuffix(claimed, "+xml") && claimed != "application/xhtml+xml"
}

func isTextType(t string) bool {
	switch t {
	case HTML, Markdown, CSV, JSON, Plain:
		return true
	}
	return false
}

// sniff decides the type by content; hint is the type that a name or a server promises, "" for none, and ext the name's
// ending, which a refusal tells.
func sniff(file io.ReaderAt, size int64, ext, hint string) (string, error) {
	if size <= 0 {
		return "", kyro.Errorf(kyro.CodeFileEmpty, "The file is empty.")
	}
	head := make([]byte, min(size, headBytes))
	n, err := file.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return "", fmt.Errorf("reading the file: %w", err)
	}
	if head = head[:n]; n == 0 {
		return "", kyro.Errorf(kyro.CodeFileEmpty, "The file is empty.")
	}
	found, kind := "", ""
	switch {
	case isPDF(head):
		found = PDF
	case bytes.HasPrefix(head, zipSignature):
		found, kind = zipType(file, size, head)
	case bytes.HasPrefix(head, oleSignature):
		kind = oleKind(file, size, head)
	case !looksLikeText(head):
		kind = binaryKind(head)
	default:
		found, kind = textType(head, hint)
	}
	switch {
	case found == "":
		return "", refuse(kind, ext, hint)
	case hint != "" && !isTextType(hint) && found != hint:
		return "", refuse(accepts[found], ext, hint)
	}
	return found, nil
}

// refuse names what the file is. A name that promised something else is mentioned, for the person believes it.
func refuse(kind, ext, hint string) error {
	if ext != "" && hint != "" && !isTextType(hint) {
		return kyro.Errorf(kyro.CodeUnsupportedType, "The file is named %s, but it is not %s: this is %s. %s", ext, accepts[hint], kind, accepted)
	}
	return kyro.Errorf(kyro.CodeUnsupportedType, "This is %s. %s", kind, accepted)
}

var utf8BOM = []byte("\xef\xbb\xbf")

// isPDF accepts the signature at the start, and within the first 1024 bytes of binary content as readers of PDF
// do, for some programs put a few bytes before it. A text that only mentions the signature is no PDF.
func isPDF(head []byte) bool {
	const signature = "%PDF-"
	start := bytes.TrimLeft(bytes.TrimPrefix(head, utf8BOM), " \t\r\n\f")
	if bytes.HasPrefix(start, []byte(signature)) {
		return true
	}
	return bytes.Contains(head[:min(len(head), 1024)], []byte(signature)) && !looksLikeText(head) && strings.HasPrefix(binaryKind(head), unknownKind)
}

// looksLikeText accepts bytes without NUL and with at most one other control character in a hundred, and UTF-16
// and UTF-32 under the same rule.
func looksLikeText(head []byte) bool {
	if enc := wideCharset(head); enc != nil {
		s, err := enc.decode(head)
		return err == nil && fewControls([]byte(s))
	}
	return fewControls(head)
}

func fewControls(b []byte) bool {
	controls := 0
	for _, c := range b {
		switch {
		case c == 0:
			return false
		case c < ' ' && !strings.ContainsRune("\t\n\r\f\v\b\x1a\x1b", rune(c)), c == 0x7f:
			controls++
		}
	}
	return controls*100 <= len(b)
}

var (
	// A page begins with one of these, after comments and a declaration of XML.
	pageStart = regexp.MustCompile(`^(?:<\?xml[^>]*>\s*|<!--(?s:.*?)-->\s*)*<(?:!doctype\s+html|html|head|body|title|meta|base)[\s>/]`)
	anyTag    = regexp.MustCompile(`<(?:!doctype|/?[a-z][a-z0-9-]*)(?:\s[^<>]*)?/?>`)
)

// textType tells the types of text from each other. What plainly begins as a page of HTML is one, whatever it is
// called; everything else is what it is called, as far as it looks like it.
func textType(head []byte, hint string) (found, kind string) {
	text := string(head)
	if enc := wideCharset(head); enc != nil {
		if s, err := enc.decode(head); err == nil {
			text = s
		}
	}
	text = strings.TrimLeft(strings.TrimPrefix(text, "\uFEFF"), " \t\r\n\f")
	low := strings.ToLower(text)
	if kind := foreignText(low); kind != "" {
		return "", kind
	}
	switch {
	case pageStart.MatchString(low):
		return HTML, ""
	case hint == HTML && anyTag.MatchString(low):
		return HTML, ""
	case hint == Markdown:
		return Markdown, ""
	case hint == JSON && low != "" && strings.ContainsAny(low[:1], `{["-0123456789tfn`):
		return JSON, ""
	case hint == CSV && separatorOf(text) != 0:
		return CSV, ""
	case hint != "" && !isTextType(hint):
		return "", "a text file"
	}
	return Plain, ""
}
