package extract

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
)

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

// accepts names the accepted types as a refusal does.
var accepts = map[string]string{
	PDF: "a PDF", DOCX: "a Word document", PPTX: "a PowerPoint presentation", XLSX: "an Excel workbook", HTML: "an HTML page",
	Markdown: "a text file", Plain: "a text file", CSV: "a text file", JSON: "a text file",
}

// binaryKind says what a file is that is not text.
func binaryKind(head []byte) string {
	for m := mimetype.Detect(head); m != nil; m = m.Parent() {
		mime, _, _ := strings.Cut(m.String(), ";")
		if strings.HasPrefix(mime, "application/vnd.openxmlformats") {
			mime = "application/zip" // by its first bytes alone: whoever asks has looked into it
		}
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

// foreignText names the formats that are text to a computer and markup to a person; "" for text to be read. start is
// how the text begins, in lower case and without white space before it.
func foreignText(start string) string {
	switch {
	case hasAnyPrefix(start, "<svg ", "<svg\n"), hasAnyPrefix(start, "<?xml", "<!doctype svg") && strings.Contains(start, "<svg"):
		return "an SVG image"
	case hasAnyPrefix(start, `{\rtf`):
		return "a rich text (RTF) document"
	case hasAnyPrefix(start, "%!ps"):
		return "a PostScript document"
	case hasAnyPrefix(start, "mime-version:") && strings.Contains(start, "multipart/related"):
		return "a saved web archive (MHTML)"
	}
	return ""
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}
