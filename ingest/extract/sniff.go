package extract

import (
	"bytes"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"

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

// accepted ends every refusal, so that a person knows what to send instead.
const accepted = "PDF, Markdown and plain text files are accepted."

// Sniff decides the type of a file by its first bytes; 4 KiB are enough. The name only tells Markdown from plain
// text, and a text that calls itself a PDF is refused. Errors: FILE_EMPTY for no bytes, UNSUPPORTED_TYPE for
// everything that is none of the accepted types, with a message that says what it is.
func Sniff(head []byte, fileName string) (mimeType string, err error) {
	if len(head) == 0 {
		return "", kyro.Errorf(kyro.CodeFileEmpty, "The file is empty.")
	}
	if isPDF(head) {
		return PDF, nil
	}
	ext := strings.ToLower(path.Ext(fileName))
	if !looksLikeText(head) {
		return "", refuse(binaryKind(head), ext)
	}
	if kind := foreignText(head); kind != "" {
		return "", refuse(kind, ext)
	}
	switch ext {
	case ".pdf":
		return "", refuse("a text file", ext)
	case ".md", ".markdown", ".mdown", ".mkd":
		return Markdown, nil
	}
	return Plain, nil
}

// refuse names what the file is. A name that promised a PDF is mentioned, for the person believes it.
func refuse(kind, ext string) error {
	if ext == ".pdf" {
		return kyro.Errorf(kyro.CodeUnsupportedType, "The file is named .pdf, but it is not a PDF: this is %s. %s", kind, accepted)
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
// and UTF-32 with a byte order mark under the same rule.
func looksLikeText(head []byte) bool {
	if enc := byteOrderMark(head); enc != nil && enc.wide {
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

// foreignText names the formats that are text to a computer and markup to a person; "" for text to be read.
func foreignText(head []byte) string {
	start := head
	if enc := byteOrderMark(head); enc != nil {
		if s, err := enc.decode(head); err == nil {
			start = []byte(s)
		}
	}
	start = bytes.TrimLeft(start, " \t\r\n\f")
	start = bytes.ToLower(start[:min(len(start), 512)])
	switch {
	case hasAnyPrefix(start, "<!doctype html", "<html>", "<html "):
		return "an HTML page"
	case hasAnyPrefix(start, "<svg ", "<svg\n"), hasAnyPrefix(start, "<?xml", "<!doctype svg") && bytes.Contains(start, []byte("<svg")):
		return "an SVG image"
	case hasAnyPrefix(start, "<?xml") && bytes.Contains(start, []byte("<html")):
		return "an HTML page"
	case hasAnyPrefix(start, `{\rtf`):
		return "a rich text (RTF) document"
	case hasAnyPrefix(start, "%!ps"):
		return "a PostScript document"
	}
	return ""
}

func hasAnyPrefix(b []byte, prefixes ...string) bool {
	for _, p := range prefixes {
		if bytes.HasPrefix(b, []byte(p)) {
			return true
		}
	}
	return false
}

const unknownKind = "a binary file"

// kinds are the types that people upload by mistake, in their words.
var kinds = map[string]string{
	"image/png": "a PNG image", "image/apng": "a PNG image", "image/jpeg": "a JPEG image", "image/gif": "a GIF image",
	"image/webp": "a WebP image", "image/tiff": "a TIFF image", "image/bmp": "a BMP image", "image/heic": "a HEIC image",
	"image/vnd.adobe.photoshop": "a Photoshop image",
	"application/zip":           "a ZIP archive", "application/gzip": "a gzip archive", "application/x-tar": "a tar archive",
	"application/x-7z-compressed": "a 7-Zip archive", "application/vnd.rar": "a RAR archive",
	"application/x-bzip2": "a bzip2 archive", "application/x-xz": "an XZ archive", "application/zstd": "a Zstandard archive",
	"application/java-archive": "a Java archive", "application/epub+zip": "an EPUB book", "application/x-mobipocket-ebook": "a Mobipocket book",
	"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   "a Word document",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         "an Excel workbook",
	"application/vnd.openxmlformats-officedocument.presentationml.presentation": "a PowerPoint presentation",
	"application/msword": "a Word 97–2003 document", "application/vnd.ms-excel": "an Excel 97–2003 workbook",
	"application/vnd.ms-powerpoint": "a PowerPoint 97–2003 presentation", "application/vnd.ms-outlook": "an Outlook message",
	"application/x-ole-storage":                       "a Microsoft Office 97–2003 file",
	"application/vnd.oasis.opendocument.text":         "an OpenDocument text",
	"application/vnd.oasis.opendocument.spreadsheet":  "an OpenDocument spreadsheet",
	"application/vnd.oasis.opendocument.presentation": "an OpenDocument presentation",
	"application/vnd.microsoft.portable-executable":   "a Windows program", "application/x-elf": "a Linux program",
	"application/x-executable": "a Linux program", "application/x-sharedlib": "a Linux library", "application/x-object": "an object file", "application/x-coredump": "a memory dump",
	"application/x-mach-binary": "a macOS program", "application/wasm": "a WebAssembly program", "application/vnd.sqlite3": "an SQLite database",
	"application/postscript": "a PostScript document", "font/ttf": "a font", "font/otf": "a font", "font/woff": "a font", "font/woff2": "a font",
	"audio/mpeg": "an MP3 recording", "video/mp4": "an MP4 video", "video/quicktime": "a QuickTime video",
}

// binaryKind says what a file is that is not text.
func binaryKind(head []byte) string {
	for m := mimetype.Detect(head); m != nil; m = m.Parent() {
		mime, _, _ := strings.Cut(m.String(), ";")
		if kind, ok := kinds[mime]; ok {
			return kind
		}
		switch top, _, _ := strings.Cut(mime, "/"); top {
		case "image":
			return "an image"
		case "audio":
			return "an audio recording"
		case "video":
			return "a video"
		}
	}
	if utf8.Valid(head) && bytes.IndexByte(head, 0) >= 0 {
		return unknownKind + ": it contains NUL bytes"
	}
	return unknownKind
}
