package extract

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"kyrochat/kyro"
	"kyrochat/text"
)

const (
	// maxJSONDepth is how deep values nest.
	maxJSONDepth = 200
	// maxJSONValues is the most values of a document.
	maxJSONValues = 1_000_000
	// longString is a text that is told as paragraphs of its own, in characters.
	longString = 400
)

// value of JSON: a text as it is read, or what is in an object or a list.
type jsonValue struct {
	key   string // in the object it is in
	text  string
	kind  byte // '{', '[', 's' for a string, 'v' for numbers and booleans, 'n' for null
	inner []jsonValue
}

// readJSON reads JSON, or several values of it one after the other, as records: each object is told by lines that say
// where a value is and what it is, in their order. VALIDATION where it is not valid, or deeper than 200; LIMIT_REACHED
// beyond a million values.
func readJSON(s string, limits kyro.Limits) (kyro.Extraction, error) {
	p := jsonParser{Decoder: json.NewDecoder(strings.NewReader(s))}
	p.UseNumber()
	var all []jsonValue
	for {
		began := int(p.InputOffset())
		v, err := p.value("", 0)
		if errors.Is(err, io.EOF) {
			break
		}
		if known, ok := errors.AsType[*kyro.Error](err); ok {
			return kyro.Extraction{}, known
		}
		if err != nil {
			return kyro.Extraction{}, notJSON(s, began, err)
		}
		all = append(all, v)
	}
	w := jsonWriter{most: limits.MaxExtractedText}
	if len(all) == 1 {
		w.value("", all[0])
	} else {
		w.list("", all)
	}
	w.flush()
	if w.long() {
		return kyro.Extraction{}, textTooLong(limits)
	}
	return w.extraction(), nil
}

// notJSON says where a value that begins at an offset is not valid. Whoever reads piece by piece does not know the place.
func notJSON(s string, began int, err error) error {
	var whole json.RawMessage
	if syntax, ok := errors.AsType[*json.SyntaxError](json.Unmarshal([]byte(s[began:]), &whole)); ok {
		began += max(int(syntax.Offset)-1, 0)
	}
	before := s[:min(began, len(s))]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return kyro.Errorf(kyro.CodeValidation, "The file is not valid JSON: see line %d, column %d.", line, column).Because(err)
}

type jsonParser struct {
	*json.Decoder
	values int
}

// value reads one value; io.EOF where none begins.
func (p *jsonParser) value(key string, depth int) (jsonValue, error) {
	token, err := p.Token()
	if err != nil {
		return jsonValue{}, err
	}
	return p.from(token, key, depth)
}

func (p *jsonParser) from(token json.Token, key string, depth int) (v jsonValue, err error) {
	if p.values++; p.values > maxJSONValues {
		return v, kyro.Errorf(kyro.CodeLimitReached,
			"The file has more than %d values, the most of one document. Split it into several files.", maxJSONValues)
	}
	v.key = key
	switch t := token.(type) {
	case json.Delim:
		if depth == maxJSONDepth {
			return v, kyro.Errorf(kyro.CodeValidation, "The file nests deeper than %d levels.", maxJSONDepth)
		}
		v.kind = byte(t)
		return v, p.fill(&v, depth)
	case string:
		v.kind, v.text = 's', text.Normalize(t)
	case nil:
		v.kind = 'n'
	default:
		v.kind, v.text = 'v', fmt.Sprint(t)
	}
	return v, nil
}

// fill reads what is in an object or a list.
func (p *jsonParser) fill(v *jsonValue, depth int) error {
	for p.More() {
		key := ""
		if v.kind == '{' {
			token, err := p.Token()
			if err != nil {
				return inside(err)
			}
			key, _ = token.(string)
			if len(key) > longestKey {
				key = strings.ToValidUTF8(key[:longestKey], "") + "…"
			}
			key = onOneLine(text.Normalize(key))
		}
		inner, err := p.value(key, depth+1)
		if err != nil {
			return inside(err)
		}
		v.inner = append(v.inner, inner)
	}
	_, err := p.Token()
	return inside(err)
}

// inside is what the end of the input is within a value.
func inside(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// jsonWriter writes values as blocks.
type jsonWriter struct {
	blocks
	lines strings.Builder // of the record that is being written
	most  int
}

// long reports that there is too much to go on.
func (w *jsonWriter) long() bool { return w.text.Len()+w.lines.Len() > w.most }

// flush ends a record.
func (w *jsonWriter) flush() {
	w.paragraph(w.lines.String())
	w.lines.Reset()
}

// row writes a line of a record.
func (w *jsonWriter) row(path, s string) {
	if w.lines.Len() > 0 {
		w.lines.WriteByte('\n')
	}
	if path != "" {
		w.lines.WriteString(path + ": ")
	}
	w.lines.WriteString(s)
}

// value writes what is at a path.
func (w *jsonWriter) value(path string, v jsonValue) {
	switch {
	case w.long():
	case v.kind == '{':
		for _, inner := range v.inner {
			w.value(joinPath(path, inner.key), inner)
		}
	case v.kind == '[':
		w.list(path, v.inner)
	case v.kind == 'n' || isBlank(v.text):
	case strings.Contains(strings.TrimSpace(v.text), "\n") || utf8.RuneCountInString(v.text) > longString:
		w.story(path, v.text)
	default:
		w.row(path, onOneLine(v.text))
	}
}

// story writes a long text: its paragraphs stand by themselves, below the path to them.
func (w *jsonWriter) story(path, s string) {
	w.flush()
	if path != "" {
		w.paragraph(path + ":")
	}
	for _, b := range parsePlainBlocks(strings.Trim(s, "\n")) {
		if b.kind == kyro.BlockHeading {
			b.kind = kyro.BlockParagraph // it heads nothing of what comes behind the text
		}
		w.add(b.kind, 0, b.text)
	}
}

// list writes the values of a list: plain ones in one line, records that are flat as the rows of a table, all others
// one after the other.
func (w *jsonWriter) list(path string, values []jsonValue) {
	if s, ok := plainList(values); ok {
		if s != "" {
			w.row(path, s)
		}
		return
	}
	w.flush()
	var table strings.Builder
	end := func() {
		if table.Len() > 0 {
			if path != "" {
				w.add(kyro.BlockTable, 0, path+":\n"+table.String())
			} else {
				w.add(kyro.BlockTable, 0, table.String())
			}
			table.Reset()
		}
	}
	for _, v := range values {
		if w.text.Len()+table.Len() > w.most {
			break
		}
		if s, ok := flatRecord(v); ok {
			if s != "" {
				table.WriteString(s + "\n")
			}
			continue
		}
		end()
		w.value(path, v)
		w.flush()
	}
	end()
}

// plainList gives the values of a list in one line; false where one is no plain value.
func plainList(values []jsonValue) (string, bool) {
	var b strings.Builder
	for _, v := range values {
		if v.kind == '{' || v.kind == '[' || strings.Contains(v.text, "\n") || len(v.text) > longString {
			return "", false
		}
		if isBlank(v.text) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(onOneLine(v.text))
	}
	return b.String(), true
}

// flat gives a record as a row of a table; false where it holds others, or texts that are none of a row.
func flatRecord(v jsonValue) (string, bool) {
	switch v.kind {
	case '[':
		var cells []string
		for _, inner := range v.inner {
			if inner.kind == '{' || inner.kind == '[' || strings.Contains(inner.text, "\n") || len(inner.text) > longString {
				return "", false
			}
			cells = append(cells, onOneLine(inner.text))
		}
		return rowOf(cells), true
	case '{':
	default:
		if strings.Contains(v.text, "\n") || len(v.text) > longString {
			return "", false
		}
		return onOneLine(v.text), true
	}
	var b strings.Builder
	for _, inner := range v.inner {
		s := inner.text
		switch {
		case inner.kind == '{':
			return "", false
		case inner.kind == '[':
			plain, ok := plainList(inner.inner)
			if !ok {
				return "", false
			}
			s = plain
		case strings.Contains(s, "\n") || len(s) > longString:
			return "", false
		}
		if s = onOneLine(s); s == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		if inner.key != "" {
			b.WriteString(inner.key + ": ")
		}
		b.WriteString(s)
	}
	return b.String(), true
}

// longestKey and longestPath bound what a line says of where a value is, in bytes; of a path its end is told.
const longestKey, longestPath = 200, 600

func joinPath(path, key string) string {
	for len(path) > longestPath {
		_, path, _ = strings.Cut(path, ".")
	}
	if path == "" || key == "" {
		return path + key
	}
	return path + "." + key
}
