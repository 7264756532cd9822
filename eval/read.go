package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// mistakesShown is how many mistakes of a file are told at once.
const mistakesShown = 20

// Load reads a set: a JSON object of "documents" and "questions". The error tells all mistakes, each with its line.
func Load(path string) (*Set, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no file %s", path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the file: %w", err)
	}
	set := &Set{Name: filepath.Base(path)}
	wrong := set.parse(bytes.TrimPrefix(raw, []byte("\xEF\xBB\xBF")))
	if len(wrong) == 0 {
		wrong = set.check(filepath.Dir(path))
	}
	if len(wrong) == 0 {
		return set, nil
	}
	var lines []string
	for i, m := range wrong {
		if i == mistakesShown {
			lines = append(lines, fmt.Sprintf("and %d more", len(wrong)-i))
			break
		}
		lines = append(lines, fmt.Sprintf("%s:%d: %s", path, m.line, m.what))
	}
	return nil, errors.New(strings.Join(lines, "\n"))
}

// parse reads the file's form, element by element, so that a mistake can be told with its place.
func (s *Set) parse(raw []byte) []mistake {
	var whole json.RawMessage
	if err := json.Unmarshal(raw, &whole); err != nil {
		line := lineAt(raw, len(raw))
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			line = lineAt(raw, int(syntax.Offset)-1)
		}
		return []mistake{{line, "this is not JSON: " + err.Error()}}
	}
	var wrong []mistake
	d := json.NewDecoder(bytes.NewReader(raw))
	if first, _ := d.Token(); first != json.Delim('{') {
		return []mistake{{1, `the file must be an object with "documents" and "questions"`}}
	}
	for d.More() {
		name, _ := d.Token() // what follows is JSON: it was read before
		line := lineAt(raw, int(d.InputOffset())-1)
		if name != "documents" && name != "questions" {
			wrong = append(wrong, mistake{line, fmt.Sprintf(`%q is not known: there are "documents" and "questions"`, name)})
			_ = d.Decode(&whole)
			continue
		}
		if begin, _ := d.Token(); begin != json.Delim('[') {
			return append(wrong, mistake{line, fmt.Sprintf("%q must be a list", name)})
		}
		for d.More() {
			at := valueAt(raw, int(d.InputOffset()))
			_ = d.Decode(&whole)
			if m := s.add(name == "documents", raw, at, whole); m != nil {
				wrong = append(wrong, *m)
			}
		}
		_, _ = d.Token()
	}
	return wrong
}

// add reads one element, which begins at that place of the file.
func (s *Set) add(isDocument bool, raw []byte, at int, element json.RawMessage) *mistake {
	line := lineAt(raw, at)
	which, into := fmt.Sprintf("question %d", len(s.Questions)+1), any(nil)
	if isDocument {
		which = fmt.Sprintf("document %d", len(s.Documents)+1)
		s.Documents = append(s.Documents, Document{line: line})
		into = &s.Documents[len(s.Documents)-1]
	} else {
		s.Questions = append(s.Questions, Question{line: line, number: len(s.Questions) + 1})
		into = &s.Questions[len(s.Questions)-1]
	}
	strict := json.NewDecoder(bytes.NewReader(element))
	strict.DisallowUnknownFields()
	err := strict.Decode(into)
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind) && kind.Field != "":
		return &mistake{lineAt(raw, at+int(kind.Offset)-1), fmt.Sprintf("%s: %q cannot be a JSON %s", which, kind.Field, kind.Value)}
	case errors.As(err, &kind):
		return &mistake{line, which + ": it must be an object"}
	}
	return &mistake{line, which + ": " + strings.TrimPrefix(err.Error(), "json: ")}
}

// lineAt is the line of a place in a file, from 1.
func lineAt(raw []byte, offset int) int {
	return 1 + bytes.Count(raw[:max(0, min(offset, len(raw)))], []byte("\n"))
}

// valueAt is where the next value begins, behind white space and a comma.
func valueAt(raw []byte, offset int) int {
	rest := bytes.TrimLeft(raw[offset:], " \t\r\n,")
	return len(raw) - len(rest)
}
