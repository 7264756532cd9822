package extract

import (
	"bufio"
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"golang.org/x/text/encoding/unicode"

	"kyrochat/kyro"
)

const (
	// maxXMLDepth is how deep elements may lie in each other, by rule 53 of the security notes.
	maxXMLDepth = 256
	// maxXMLToken bounds a tag with its attributes, or a stretch of text, in bytes of the part.
	maxXMLToken = 4 << 20
)

// xmlPart reads the elements of a part, one token at a time and never the whole. There are no document types and so no
// entities, and depth and tokens are bounded.
type xmlPart struct {
	d     *xml.Decoder
	bytes *tokenBytes
	depth int
}

// tokenBytes counts the bytes of the token that is being read.
type tokenBytes struct {
	*bufio.Reader
	n int
}

var errXMLToken = errors.New("an XML token is too long")

func (t *tokenBytes) ReadByte() (byte, error) {
	if t.n++; t.n > maxXMLToken {
		return 0, errXMLToken
	}
	return t.Reader.ReadByte()
}

func newXMLPart(r io.Reader) *xmlPart {
	// Parts are in UTF-8 or UTF-16. The decoder takes bytes one by one, so that it reads not further than its token.
	buffered := bufio.NewReaderSize(r, 32<<10)
	if head, _ := buffered.Peek(4); wideXML(head) {
		order := unicode.LittleEndian
		if len(head) > 0 && (head[0] == 0 || head[0] == 0xfe) {
			order = unicode.BigEndian
		}
		buffered = bufio.NewReaderSize(unicode.UTF16(order, unicode.UseBOM).NewDecoder().Reader(buffered), 32<<10)
	} else if bytes.HasPrefix(head, utf8BOM) {
		_, _ = buffered.Discard(len(utf8BOM))
	}
	t := &tokenBytes{Reader: buffered}
	d := xml.NewDecoder(t)
	d.CharsetReader = func(label string, input io.Reader) (io.Reader, error) {
		switch strings.ToLower(label) {
		case "utf-16", "utf-16le", "utf-16be", "us-ascii", "utf8": // decoded already, or a part of UTF-8
			return input, nil
		}
		return nil, errors.New("the XML is neither in UTF-8 nor in UTF-16")
	}
	return &xmlPart{d: d, bytes: t}
}

// wideXML reports XML of two bytes to a character: by its mark, or by the NUL beside its first "<".
func wideXML(head []byte) bool {
	for _, start := range []string{"\xff\xfe", "\xfe\xff", "<\x00", "\x00<"} {
		if bytes.HasPrefix(head, []byte(start)) {
			return true
		}
	}
	return false
}

// next gives the next start, end or text. Its bytes are valid until the one after. io.EOF is the end of the part.
func (x *xmlPart) next() (xml.Token, error) {
	for {
		x.bytes.n = 0
		token, err := x.d.Token()
		if err != nil {
			return nil, x.wrong(err)
		}
		switch token.(type) {
		case xml.StartElement:
			if x.depth++; x.depth > maxXMLDepth {
				return nil, brokenFile("its XML is nested too deeply")
			}
			return token, nil
		case xml.EndElement:
			x.depth--
			return token, nil
		case xml.CharData:
			return token, nil
		case xml.Directive:
			return nil, brokenFile("its XML declares a document type, which office programs do not")
		}
	}
}

// wrong words an error of the decoder. What the archive says is an error of ours already.
func (x *xmlPart) wrong(err error) error {
	if err == io.EOF {
		return err
	}
	if e, ok := errors.AsType[*kyro.Error](err); ok {
		return e
	}
	if errors.Is(err, errXMLToken) {
		return brokenFile("a piece of its XML is too long")
	}
	return brokenFile("its XML cannot be read").Because(err)
}

// children calls f for each element directly inside of the one that is open, and returns after its end. f reads its
// element to the end, by children, skip or text.
func (x *xmlPart) children(f func(e xml.StartElement) error) error {
	for {
		token, err := x.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := f(t); err != nil {
				return err
			}
		case xml.EndElement:
			return nil
		}
	}
}

// skip leaves out the rest of the element that is open.
func (x *xmlPart) skip() error {
	for depth := 1; depth > 0; {
		token, err := x.next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
	return nil
}

// text is the text directly inside of the element that is open, to its end.
func (x *xmlPart) text() (string, error) {
	var s []byte
	for {
		token, err := x.next()
		if err == io.EOF {
			return string(s), nil
		}
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if err := x.skip(); err != nil {
				return "", err
			}
		case xml.EndElement:
			return string(s), nil
		case xml.CharData:
			s = append(s, t...)
			if len(s) > maxXMLToken {
				return "", brokenFile("a piece of its XML is too long")
			}
		}
	}
}

// xmlAttr is the value of an attribute by its local name, "" where there is none.
func xmlAttr(e xml.StartElement, local string) string {
	for i := range e.Attr {
		if e.Attr[i].Name.Local == local && e.Attr[i].Name.Space != "xmlns" {
			return e.Attr[i].Value
		}
	}
	return ""
}

// xmlRef is the value of an attribute that refers to another part: those have a namespace, and their names may be those of
// other attributes.
func xmlRef(e xml.StartElement, local string) string {
	for i := range e.Attr {
		if n := e.Attr[i].Name; n.Local == local && n.Space != "" && n.Space != "xmlns" {
			return e.Attr[i].Value
		}
	}
	return ""
}

// xmlOn reads the value of a switch, which is on where it is named without one.
func xmlOn(e xml.StartElement, local string) bool {
	switch xmlAttr(e, local) {
	case "0", "false", "off", "none":
		return false
	}
	return true
}
