package extract

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"
	"testing"

	"kyrochat/kyro"
)

// rawEntry is an entry of an archive that is written by hand, with what it says of itself.
type rawEntry struct {
	name   string
	data   []byte // as it lies in the file
	method uint16
	flags  uint16
	size   uint32 // unpacked, as it is declared
	crc    uint32
	mode   fs.FileMode
	at     int // where its header is; -1 to write one
	packed uint32
}

// rawZip writes an archive by hand. More than 65,535 entries are counted by what fits.
func rawZip(entries []rawEntry) []byte {
	var b, directory bytes.Buffer
	for _, e := range entries {
		at := e.at
		if e.packed == 0 {
			e.packed = uint32(len(e.data))
		}
		if at < 0 {
			at = b.Len()
			b.WriteString("PK\x03\x04")
			for _, v := range []uint16{20, e.flags, e.method, 0, 0} {
				_ = binary.Write(&b, binary.LittleEndian, v)
			}
			for _, v := range []uint32{e.crc, e.packed, e.size} {
				_ = binary.Write(&b, binary.LittleEndian, v)
			}
			_ = binary.Write(&b, binary.LittleEndian, []uint16{uint16(len(e.name)), 0})
			b.WriteString(e.name)
			b.Write(e.data)
		}
		directory.WriteString("PK\x01\x02")
		for _, v := range []uint16{3<<8 | 20, 20, e.flags, e.method, 0, 0} {
			_ = binary.Write(&directory, binary.LittleEndian, v)
		}
		for _, v := range []uint32{e.crc, e.packed, e.size} {
			_ = binary.Write(&directory, binary.LittleEndian, v)
		}
		_ = binary.Write(&directory, binary.LittleEndian, []uint16{uint16(len(e.name)), 0, 0, 0, 0})
		mode := uint32(0o100644) << 16
		if e.mode&fs.ModeSymlink != 0 {
			mode = 0o120777 << 16
		}
		_ = binary.Write(&directory, binary.LittleEndian, []uint32{mode, uint32(at)})
		directory.WriteString(e.name)
	}
	start := b.Len()
	b.Write(directory.Bytes())
	b.WriteString("PK\x05\x06")
	_ = binary.Write(&b, binary.LittleEndian, []uint16{0, 0, uint16(len(entries)), uint16(len(entries))})
	_ = binary.Write(&b, binary.LittleEndian, []uint32{uint32(directory.Len()), uint32(start)})
	_ = binary.Write(&b, binary.LittleEndian, uint16(0))
	return b.Bytes()
}

// deflated compresses text that is too even to be a document.
func deflated(s string) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.Bytes()
}

// bomb is a stream of about n bytes that unpacks to a thousand times as many: one block of spaces, again and again.
func bomb(n int) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	spaces := bytes.Repeat([]byte(" "), 1<<20)
	_, _ = w.Write(spaces)
	_ = w.Flush()
	first := b.Len()
	_, _ = w.Write(spaces)
	_ = w.Flush()
	block := b.Bytes()[first:]
	return append(b.Bytes()[:first:first], bytes.Repeat(block, n/len(block))...)
}

func entry(name, s string) rawEntry {
	return rawEntry{name: name, data: []byte(s), size: uint32(len(s)), crc: crc32.ChecksumIEEE([]byte(s)), at: -1}
}

// TestArchivesAreRefused opens archives that no office program writes.
func TestArchivesAreRefused(t *testing.T) {
	t.Parallel()
	with := func(e rawEntry, change func(*rawEntry)) []byte {
		change(&e)
		return rawZip([]rawEntry{entry("a", "one"), e})
	}
	many := func(n int) []byte {
		list := make([]rawEntry, n)
		for i := range list {
			list[i] = entry(fmt.Sprint(i), "")
		}
		return rawZip(list)
	}
	b := entry("b", "two two two")
	for name, c := range map[string]struct {
		data []byte
		code kyro.Code
		says string
	}{
		"no archive":              {[]byte("PK\x03\x04 and then nothing"), kyro.CodeValidation, "directory"},
		"encrypted":               {with(b, func(e *rawEntry) { e.flags = 1 }), kyro.CodeValidation, "Remove its password"},
		"a link":                  {with(b, func(e *rawEntry) { e.mode = fs.ModeSymlink }), kyro.CodeValidation, "links"},
		"another method":          {with(b, func(e *rawEntry) { e.method = 12 }), kyro.CodeValidation, "compressed in a way"},
		"the same name":           {with(b, func(e *rawEntry) { e.name = "A" }), kyro.CodeValidation, "same name"},
		"the same name, slashed":  {rawZip([]rawEntry{entry("w/a", ""), entry(`w\a`, "")}), kyro.CodeValidation, "same name"},
		"the same data":           {with(b, func(e *rawEntry) { e.at = 0 }), kyro.CodeValidation, "overlap"},
		"data up to the next":     {with(b, func(e *rawEntry) { e.at, e.packed = 0, 3 }), kyro.CodeValidation, "overlap"},
		"data behind the end":     {with(b, func(e *rawEntry) { e.packed = 1 << 30 }), kyro.CodeValidation, "outside"},
		"a header behind the end": {with(b, func(e *rawEntry) { e.at = 1 << 30 }), kyro.CodeValidation, "outside"},
		"too many entries":        {many(maxEntries + 1), kyro.CodeLimitReached, "2000 entries"},
		"70,000 entries":          {many(70_000), kyro.CodeLimitReached, "2000 entries"},
	} {
		_, err := openArchive(bytes.NewReader(c.data), int64(len(c.data)))
		if !is(err, c.code) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if data := many(maxEntries); true {
		if _, err := openArchive(bytes.NewReader(data), int64(len(data))); err != nil {
			t.Errorf("as many entries as are allowed: %v", err)
		}
	}
}

// TestQuotedHeaders finds the bomb whose entries each hold the headers and the data of those behind: every entry begins
// elsewhere, and all end at the same place.
func TestQuotedHeaders(t *testing.T) {
	t.Parallel()
	list := []rawEntry{entry("0", strings.Repeat("x", 4_000))}
	whole := rawZip(list)
	for i := 1; i < 20; i++ {
		// An entry of its own header, whose data reaches to the end of the first one's.
		e := entry(fmt.Sprint(i), "")
		e.data = nil
		list = append([]rawEntry{e}, list...)
	}
	data := rawZip(list)
	end := bytes.Index(data, []byte("PK\x01\x02"))
	fixed := bytes.Clone(data)
	// The sizes of all but the last are made to reach over the others, in both of their headers.
	for at, i := 0, 0; i < 19; i++ {
		local := bytes.Index(fixed[at:], []byte("PK\x03\x04")) + at
		name := int(binary.LittleEndian.Uint16(fixed[local+26:]))
		binary.LittleEndian.PutUint32(fixed[local+18:], uint32(end-local-30-name))
		at = local + 4
	}
	for at, i := end, 0; i < 19; i++ {
		central := bytes.Index(fixed[at:], []byte("PK\x01\x02")) + at
		local := int(binary.LittleEndian.Uint32(fixed[central+42:]))
		name := int(binary.LittleEndian.Uint16(fixed[central+28:]))
		binary.LittleEndian.PutUint32(fixed[central+20:], uint32(end-local-30-name))
		at = central + 4
	}
	for name, d := range map[string][]byte{"without": whole, "before": data} {
		if _, err := openArchive(bytes.NewReader(d), int64(len(d))); err != nil {
			t.Errorf("an archive %s the lie: %v", name, err)
		}
	}
	if _, err := openArchive(bytes.NewReader(fixed), int64(len(fixed))); !is(err, kyro.CodeValidation) || !strings.Contains(err.Error(), "overlap") {
		t.Errorf("entries inside of others: %v", err)
	}
}

// TestUnpackingIsCounted ends where an entry, or the archive, unpacks to too much, whatever it declares.
func TestUnpackingIsCounted(t *testing.T) {
	t.Parallel()
	mib := strings.Repeat("0123456789abcdef", 1<<16)
	// Text that does not shrink, so that only its size is in the way.
	wide := make([]byte, 30<<20)
	for i, n := 0, uint32(1); i < len(wide); i++ {
		n = n*1664525 + 1013904223
		wide[i] = byte(n >> 24)
	}
	stored := rawEntry{data: wide, size: 1, crc: crc32.ChecksumIEEE(wide), at: -1}
	var four []rawEntry
	for i := range 4 {
		stored.name = fmt.Sprint(i)
		four = append(four, stored)
	}
	for name, c := range map[string]struct {
		entries []rawEntry
		code    kyro.Code
		read    int64
	}{
		"even text up to a mebibyte":   {[]rawEntry{{name: "a", data: deflated(mib), method: zip.Deflate, size: 7, crc: crc32.ChecksumIEEE([]byte(mib)), at: -1}}, "", 1 << 20},
		"ten gibibytes in ten":         {[]rawEntry{{name: "a", data: bomb(10 << 20), method: zip.Deflate, size: 100, at: -1}}, kyro.CodeLimitReached, maxUnpacked},
		"ten mebibytes in ten kibi":    {[]rawEntry{{name: "a", data: bomb(10 << 10), method: zip.Deflate, size: 100, at: -1}}, kyro.CodeLimitReached, 3 << 20},
		"a hundred mebibytes together": {four, kyro.CodeLimitReached, maxUnpacked},
		"a wrong checksum":             {[]rawEntry{{name: "a", data: []byte("text"), size: 4, crc: 1, at: -1}}, kyro.CodeValidation, 4},
		"no deflate":                   {[]rawEntry{{name: "a", data: []byte("\xff\xff\xff"), method: zip.Deflate, size: 4, at: -1}}, kyro.CodeValidation, 0},
	} {
		data := rawZip(c.entries)
		a, err := openArchive(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var n int64
		for _, e := range c.entries {
			if err == nil {
				var more int64
				more, err = io.Copy(io.Discard, a.open(e.name))
				n += more
			}
		}
		if c.code == "" && err != nil || c.code != "" && !is(err, c.code) || n > c.read {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
}

// TestNestedArchivesStayClosed reads a document beside an archive in it, which would never end to unpack.
func TestNestedArchivesStayClosed(t *testing.T) {
	t.Parallel()
	inner := string(rawZip([]rawEntry{{name: "a", data: bomb(1 << 20), method: zip.Deflate, size: 1, at: -1}}))
	for range 3 {
		inner = string(parts{"word/embeddings/again.docx": inner, "more.zip": inner}.zip(t))
	}
	if got := shown(t, readWord, word(wp("Text")).with(parts{"word/embeddings/a.docx": inner})); got != "[paragraph]\nText" {
		t.Errorf("got %s", got)
	}
}

// TestNamesAreNoPaths looks parts up by their names and never leaves the archive.
func TestNamesAreNoPaths(t *testing.T) {
	t.Parallel()
	p := word(wp("Text")).with(parts{"../../etc/passwd": "no", "/absolute": "no"})
	p["word/_rels/document.xml.rels"] = refers("styles", "../../../../etc/passwd", "numbering", "file:///etc/passwd", "footnotes", "//host/share")
	if got := shown(t, readWord, p); got != "[paragraph]\nText" {
		t.Errorf("got %s", got)
	}
}

// TestBombsOfXML refuses XML that grows, nests or never ends, in each of the formats.
func TestBombsOfXML(t *testing.T) {
	t.Parallel()
	laughs := `<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>`
	deep := strings.Repeat("<a>", 1_000_000)
	for name, xml := range map[string]string{
		"a document type":          laughs + `<w:document ` + wordSpace + `><w:body>&b;</w:body></w:document>`,
		"an entity from elsewhere": `<!DOCTYPE x SYSTEM "file:///etc/passwd"><w:document/>`,
		"an unknown entity":        `<w:document ` + wordSpace + `><w:body>` + wp("&b;") + `</w:body></w:document>`,
		"a million levels":         deep,
		"a million levels inside":  `<w:document ` + wordSpace + `><w:body><w:p>` + deep,
		"levels that are skipped":  `<w:document ` + wordSpace + `><w:body><w:sectPr>` + deep,
		"a long attribute":         `<w:document a="` + strings.Repeat("x", maxXMLToken) + `"/>`,
		"many attributes":          `<w:document ` + strings.Repeat(`a="" `, maxXMLToken/5+1) + `/>`,
		"an end too early":         `<w:document ` + wordSpace + `><w:body>` + wp("Text"),
		"another character set":    `<?xml version="1.0" encoding="EBCDIC-US"?><w:document/>`,
		"no XML":                   "\x00\x01\x02",
		"nothing":                  "",
	} {
		for format, c := range map[string]struct {
			read officeReader
			p    parts
		}{
			"word/document.xml":        {readWord, word("")},
			"ppt/slides/slide1.xml":    {readPresentation, deck("")},
			"xl/worksheets/sheet1.xml": {readWorkbook, book("", "")},
		} {
			if name == "nothing" && format != "word/document.xml" {
				continue // a slide without anything is a slide
			}
			xml := strings.NewReplacer("w:document", "p:sld", "w:body", "p:cSld").Replace(xml)
			if format == "word/document.xml" {
				xml = strings.NewReplacer("p:sld", "w:document", "p:cSld", "w:body").Replace(xml)
			}
			var list []rawEntry
			for n, s := range c.p.with(parts{format: xml}) {
				list = append(list, entry(n, s))
			}
			_, err := readOffice(c.read, rawZip(list))
			if !is(err, kyro.CodeValidation) && !is(err, kyro.CodeLimitReached) {
				t.Errorf("%s in %s: %v", name, format, err)
			}
		}
	}
}

// TestMissingParts says that a file is damaged where what it refers to is not there.
func TestMissingParts(t *testing.T) {
	t.Parallel()
	without := func(p parts, name string) parts {
		p = p.with(nil)
		delete(p, name)
		return p
	}
	for name, c := range map[string]struct {
		read officeReader
		p    parts
	}{
		"no references":   {readWord, without(word(""), "_rels/.rels")},
		"no main part":    {readWord, without(word(""), "word/document.xml")},
		"a slide":         {readPresentation, without(deck(""), "ppt/slides/slide1.xml")},
		"a sheet":         {readWorkbook, without(book("", ""), "xl/worksheets/sheet1.xml")},
		"another format":  {readPresentation, word("")},
		"another format2": {readWorkbook, deck("")},
		"another format3": {readWord, book("", "")},
	} {
		if _, err := readOffice(c.read, c.p.zip(t)); !is(err, kyro.CodeValidation) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestXMLNestsSoDeep: a part that is whole is read down to 256 levels, and refused for one more.
func TestXMLNestsSoDeep(t *testing.T) {
	t.Parallel()
	nested := func(levels int) parts {
		below := levels - 3 // of the document, its body and what holds them
		return word(wp("Text") + "<w:sectPr>" + strings.Repeat("<a>", below) + strings.Repeat("</a>", below) + "</w:sectPr>")
	}
	if got := shown(t, readWord, nested(256)); got != "[paragraph]\nText" {
		t.Errorf("256 levels: %s", got)
	}
	var list []rawEntry
	for n, s := range nested(257) {
		list = append(list, entry(n, s))
	}
	if _, err := readOffice(readWord, rawZip(list)); !is(err, kyro.CodeValidation) || !strings.Contains(err.Error(), "nested too deeply") {
		t.Errorf("257 levels: %v", err)
	}
}
