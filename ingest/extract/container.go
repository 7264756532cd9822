package extract

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"unicode/utf16"
)

var (
	zipSignature = []byte("PK\x03\x04")
	oleSignature = []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
)

const (
	// maxDirectory is how much of an archive is read to tell its type, in bytes: the list of its entries, and the two
	// that say what it is. No document that is accepted has as many entries as fill it.
	maxDirectory = 2 << 20
	// maxManifest is how much of one entry is read, in bytes.
	maxManifest = 1 << 20
)

// zipType tells the type of a ZIP archive. An Office document says itself what it is: its root relationship leads to
// its main part, whose content type is listed. Which entries there are, and in which order, says nothing.
func zipType(file io.ReaderAt, size int64, head []byte) (found, kind string) {
	kind = binaryKind(head)
	archive, err := zip.NewReader(&rationed{file, maxDirectory + maxManifest}, size)
	if err != nil {
		return "", kind
	}
	main, err := mainPart(archive)
	if err != nil {
		return "", kind
	}
	contentType := strings.ToLower(partType(archive, main))
	is := func(mark string) bool { return strings.Contains(contentType, mark) }
	switch {
	case is("ms-excel.sheet.binary"):
		return "", "a binary Excel workbook (XLSB)"
	case is("wordprocessingml"), is("ms-word"): // ms-…: with macros, which are not read
		return DOCX, ""
	case is("presentationml"), is("ms-powerpoint"):
		return PPTX, ""
	case is("spreadsheetml"), is("ms-excel"):
		return XLSX, ""
	case is("visio"):
		return "", "a Visio drawing"
	}
	return "", kind
}

// rationed gives only so many bytes in all: the list of a ZIP archive's entries may be as long as the archive.
type rationed struct {
	io.ReaderAt
	left int
}

func (r *rationed) ReadAt(p []byte, at int64) (int, error) {
	if r.left -= len(p); r.left < 0 {
		return 0, errors.New("too much to read")
	}
	return r.ReaderAt.ReadAt(p, at)
}

// mainPart is the name of the entry that the root relationship of an Office document leads to.
func mainPart(archive *zip.Reader) (string, error) {
	name := ""
	err := eachElement(archive, "_rels/.rels", func(e xml.StartElement) bool {
		if e.Name.Local == "Relationship" && strings.HasSuffix(attribute(e, "Type"), "/officeDocument") {
			name = path.Clean("/" + attribute(e, "Target"))
		}
		return name == ""
	})
	if err == nil && name == "" {
		err = errors.New("no main part")
	}
	return name, err
}

// partType is the content type of a part, "" where none is listed.
func partType(archive *zip.Reader, part string) string {
	own, byEnding := "", ""
	_ = eachElement(archive, "[Content_Types].xml", func(e xml.StartElement) bool {
		switch {
		case e.Name.Local == "Override" && strings.EqualFold(attribute(e, "PartName"), part):
			own = attribute(e, "ContentType")
		case e.Name.Local == "Default" && strings.EqualFold("."+attribute(e, "Extension"), path.Ext(part)):
			byEnding = attribute(e, "ContentType")
		}
		return own == ""
	})
	if own != "" {
		return own
	}
	return byEnding
}

// eachElement calls f for the elements of an entry while it wants more.
func eachElement(archive *zip.Reader, name string, f func(xml.StartElement) bool) error {
	i := slices.IndexFunc(archive.File, func(f *zip.File) bool { return strings.EqualFold(f.Name, name) })
	if i < 0 {
		return errors.New("no such entry")
	}
	entry, err := archive.File[i].Open()
	if err != nil {
		return err
	}
	defer func() { _ = entry.Close() }()
	d := xml.NewDecoder(io.LimitReader(entry, maxManifest))
	for {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := token.(xml.StartElement); ok && !f(e) {
			return nil
		}
	}
}

func attribute(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// maxSectors is how many sectors of an OLE file's directory are looked through. What tells its type is among the first.
const maxSectors = 32

// oleKind names an OLE file by the streams that its directory lists.
func oleKind(file io.ReaderAt, size int64, head []byte) string {
	directory := oleDirectory(file, size, head)
	for _, k := range []struct{ stream, kind string }{
		{"EncryptedPackage", "an Office document that is protected by a password. Save it without one"},
		{"WordDocument", "a Word 97–2003 document. Save it as DOCX"},
		{"Workbook", "an Excel 97–2003 workbook. Save it as XLSX"},
		{"PowerPoint Document", "a PowerPoint 97–2003 presentation. Save it as PPTX"},
		{"__properties_version1.0", "an Outlook message"},
		{"VisioDocument", "a Visio drawing"},
	} {
		var name []byte
		for _, u := range utf16.Encode([]rune(k.stream)) {
			name = binary.LittleEndian.AppendUint16(name, u)
		}
		if bytes.Contains(directory, name) {
			return k.kind
		}
	}
	return binaryKind(head)
}

// oleDirectory reads the first sectors of an OLE file's directory, which the table of its sectors links.
func oleDirectory(file io.ReaderAt, size int64, head []byte) (directory []byte) {
	if len(head) < 512 {
		return nil
	}
	shift := binary.LittleEndian.Uint16(head[30:])
	if shift != 9 && shift != 12 {
		return nil
	}
	sector := int64(1) << shift
	read := func(number uint32) []byte {
		at := (int64(number) + 1) * sector
		if at >= size {
			return nil
		}
		b := make([]byte, min(sector, size-at))
		n, _ := file.ReadAt(b, at)
		return b[:n]
	}
	next := binary.LittleEndian.Uint32(head[48:])
	for range maxSectors {
		b := read(next)
		if b == nil {
			break
		}
		directory = append(directory, b...)
		// The table itself is in sectors, the first 109 of which the header lists.
		perSector := uint32(sector / 4)
		if next/perSector >= 109 {
			break
		}
		table := read(binary.LittleEndian.Uint32(head[76+4*(next/perSector):]))
		at := 4 * int(next%perSector)
		if at+4 > len(table) {
			break
		}
		next = binary.LittleEndian.Uint32(table[at:])
	}
	return directory
}
