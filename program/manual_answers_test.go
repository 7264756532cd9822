package program

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/manual"
)

// values are the JSON values that a text consists of.
func values(t *testing.T, text string) (all []any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	for {
		var value any
		switch err := decoder.Decode(&value); {
		case errors.Is(err, io.EOF):
			return all
		case err != nil:
			t.Fatalf("not JSON: %v\n%s", err, text)
		}
		all = append(all, value)
	}
}

// problems are the errors that answers tell, at the top or in a payload.
func problems(answers []any) string {
	for _, each := range answers {
		answer, ok := each.(map[string]any)
		if !ok || answer["errors"] != nil {
			return fmt.Sprint(each)
		}
		fields, _ := answer["data"].(map[string]any)
		for _, field := range fields {
			payload, _ := field.(map[string]any)
			if list, _ := payload["errors"].([]any); len(list) > 0 {
				return fmt.Sprint(list)
			}
		}
	}
	return ""
}

// sameJSON holds what came against the answer that the page shows, and keeps which ids are meant. Of events there may be more
// than are shown, in between.
func (r *pageReader) sameJSON(answer manual.Block, came []any, events bool) error {
	shown := values(r.t, answer.Text)
	m := &matcher{ids: r.ids, varies: strings.Split(answer.Attributes["varies"], ",")}
	if !events {
		if len(came) != len(shown) {
			return fmt.Errorf("line %d shows %d answers, %d came", answer.Line, len(shown), len(came))
		}
		for i := range shown {
			if err := m.matches(shown[i], came[i]); err != nil {
				return fmt.Errorf("line %d: %w", answer.Line, err)
			}
		}
		r.ids = m.ids
		return nil
	}
	for _, each := range came {
		if len(shown) == 0 {
			break
		}
		if m.matches(shown[0], each) == nil {
			shown = shown[1:]
		}
	}
	if len(shown) > 0 {
		return fmt.Errorf("line %d: there was no %v after what is shown before it", answer.Line, shown[0])
	}
	r.ids = m.ids
	return nil
}

// matcher compares answers with those of a page.
type matcher struct {
	ids    map[string]string // of the page, and what they are here
	varies []string          // fields whose values are others each time
}

// matches compares a whole answer. What it learns of ids it keeps only where all is the same.
func (m *matcher) matches(shown, came any) error {
	before := m.ids
	m.ids = map[string]string{}
	maps.Copy(m.ids, before)
	if got, ok := came.(map[string]any); ok && got["extensions"] != nil { // the cost, which every answer tells
		got = maps.Clone(got)
		delete(got, "extensions")
		came = got
	}
	err := m.same("", shown, came)
	if err != nil {
		m.ids = before
	}
	return err
}

func (m *matcher) same(path string, shown, came any) error {
	differ := func() error { return fmt.Errorf("%s is %v, the page shows %v", path, came, shown) }
	switch want := shown.(type) {
	case map[string]any:
		got, ok := came.(map[string]any)
		if !ok {
			return differ()
		}
		for name := range got {
			if _, told := want[name]; !told {
				return fmt.Errorf("%s.%s is not on the page", path, name)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			value, there := got[name]
			if !there {
				return fmt.Errorf("%s.%s did not come", path, name)
			}
			if slices.Contains(m.varies, name) {
				if fmt.Sprintf("%T", value) != fmt.Sprintf("%T", want[name]) {
					return fmt.Errorf("%s.%s is %v, of another type than on the page", path, name, value)
				}
				continue
			}
			if err := m.same(path+"."+name, want[name], value); err != nil {
				return err
			}
		}
		return nil
	case []any:
		got, ok := came.([]any)
		if !ok {
			return differ()
		}
		if len(want) > 0 && want[len(want)-1] == "…" { // and others
			want = want[:len(want)-1]
			got = got[:min(len(got), len(want))]
		}
		if len(got) != len(want) {
			return differ()
		}
		for i := range want {
			if err := m.same(fmt.Sprintf("%s.%d", path, i), want[i], got[i]); err != nil {
				return err
			}
		}
		return nil
	case string:
		if got, ok := came.(string); !ok || !m.sameText(want, got) {
			return differ()
		}
		return nil
	default:
		if shown != came {
			return differ()
		}
		return nil
	}
}

var wholeID = regexp.MustCompile(`^([a-z]+)_[0-9]+$`)

func (m *matcher) sameText(want, got string) bool {
	if a, b := wholeID.FindStringSubmatch(want), wholeID.FindStringSubmatch(got); a != nil && b != nil {
		if known, learned := m.ids[want]; learned {
			return known == got
		}
		for _, other := range m.ids {
			if other == got { // which the page calls otherwise
				return false
			}
		}
		m.ids[want] = got
		return a[1] == b[1]
	}
	if _, err := time.Parse(time.RFC3339, want); err == nil {
		_, err := time.Parse(time.RFC3339, got)
		return err == nil
	}
	return sameLine(want, got)
}

// sameLine compares texts, in which … stands for anything.
func sameLine(want, got string) bool {
	parts := strings.Split(want, "…")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, `.*`) + `$`).MatchString(got)
}

// sameLines compares an output line by line. A line of nothing but … stands for any number of lines.
func sameLines(want, got string) error {
	wanted, lines := strings.Split(strings.TrimSpace(want), "\n"), strings.Split(strings.TrimSpace(got), "\n")
	skipping := false
	for _, line := range wanted {
		line = strings.TrimRight(line, " ")
		if line == "…" {
			skipping = true
			continue
		}
		for skipping && len(lines) > 0 && !sameLine(line, strings.TrimRight(lines[0], " \r")) {
			lines = lines[1:]
		}
		if len(lines) == 0 || !sameLine(line, strings.TrimRight(lines[0], " \r")) {
			return fmt.Errorf("there is no line %q where the page shows it", line)
		}
		skipping, lines = false, lines[1:]
	}
	if len(lines) > 0 && !skipping {
		return fmt.Errorf("the page does not show %q", lines[0])
	}
	return nil
}

// TestAnswersAreCompared: a comparison that lets everything through would prove nothing.
func TestAnswersAreCompared(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shown, came string
		same        bool
	}{
		{`{"data": {"a": 1}}`, `{"data": {"a": 1}, "extensions": {"cost": {}}}`, true},
		{`{"data": {"a": 1}}`, `{"data": {"a": 2}}`, false},
		{`{"data": {"a": 1}}`, `{"data": {"a": 1, "b": 2}}`, false},
		{`{"data": {"a": 1, "b": 2}}`, `{"data": {"a": 1}}`, false},
		{`{"data": {"a": null}}`, `{"data": {"a": null}}`, true},
		{`{"data": {"a": null}}`, `{"data": {"a": ""}}`, false},
		{`{"data": ["bot_1", "bot_1", "bot_2"]}`, `{"data": ["bot_7", "bot_7", "bot_9"]}`, true},
		{`{"data": ["bot_1", "bot_1"]}`, `{"data": ["bot_7", "bot_8"]}`, false},
		{`{"data": ["bot_1", "bot_2"]}`, `{"data": ["bot_7", "bot_7"]}`, false},
		{`{"data": ["bot_1"]}`, `{"data": ["doc_1"]}`, false},
		{`{"data": "eyJ…"}`, `{"data": "eyJhbGci"}`, true},
		{`{"data": "eyJ…x"}`, `{"data": "eyJhbGci"}`, false},
		{`{"data": "2026-11-27T10:00:00Z"}`, `{"data": "2027-01-01T00:00:00.123456Z"}`, true},
		{`{"data": "2026-11-27T10:00:00Z"}`, `{"data": "soon"}`, false},
		{`{"data": {"varied": 1.5}}`, `{"data": {"varied": 7}}`, true},
		{`{"data": {"varied": 1.5}}`, `{"data": {"varied": null}}`, false},
		{`{"data": [1, "…"]}`, `{"data": [1, 2, 3]}`, true},
		{`{"data": [2, "…"]}`, `{"data": [1, 2, 3]}`, false},
	} {
		m := &matcher{varies: []string{"varied"}}
		if err := m.matches(values(t, c.shown)[0], values(t, c.came)[0]); (err == nil) != c.same {
			t.Errorf("%s and %s: %v", c.shown, c.came, err)
		}
	}
	for _, c := range []struct {
		shown, came string
		same        bool
	}{
		{"one\n…\nthree", "one\ntwo\ntwo and a half\nthree\n", true},
		{"one\nthree", "one\ntwo\nthree\n", false},
		{"one …", "one two\n", true},
		{"one\n…", "one\ntwo\nthree\n", true},
		{"one", "one\ntwo\n", false},
		{"one\n…\nfour", "one\ntwo\n", false},
	} {
		if err := sameLines(c.shown, c.came); (err == nil) != c.same {
			t.Errorf("%q and %q: %v", c.shown, c.came, err)
		}
	}
}
