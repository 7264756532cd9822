package extract

import (
	"strings"
	"testing"

	"kyrochat/kyro"
)

func TestJSON(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ source, want string }{
		"an object":             {`{"b": 1, "a": {"c": "x  y", "d": true}}`, "b: 1\na.c: x y\na.d: true"},
		"numbers as written":    {`{"a": 1.50, "b": 123456789012345678901234567890, "c": 1e400}`, "a: 1.50\nb: 123456789012345678901234567890\nc: 1e400"},
		"keys that come twice":  {`{"a": 1, "a": 2}`, "a: 1\na: 2"},
		"nothing said":          {`{"a": null, "b": "", "c": [], "d": {}, "e": " "}`, ""},
		"plain values":          {`["a", 1, null, true]`, "a, 1, true"},
		"records":               {`[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]`, "a: 1; b: x\na: 2; b: y"},
		"records that are deep": {`[{"a": {"b": 1}}, {"a": {"b": 2}}]`, "a.b: 1\n\na.b: 2"},
		"records below":         {`{"x": [{"a": 1}, {"a": 2}]}`, "x:\na: 1\na: 2"},
		"lists of lists":        {`[[1, 2], [3, 4]]`, "| 1 | 2 |\n| 3 | 4 |"},
		"lines":                 {"{\"a\": 1}\n{\"a\": 2}\n", "a: 1\na: 2"},
		"long texts":            {`{"t": "One.\n\nTwo.", "u": 1}`, "t:\n\nOne.\n\nTwo.\n\nu: 1"},
		"a text":                {`"hello"`, "hello"},
		"escapes":               {`{"a": "\u00e9\u0000\ud83d\ude00 \u202ex"}`, "a: é😀 x"},
		"half a pair":           {`{"a": "\ud83d!"}`, "a: \uFFFD!"},
	} {
		ex, err := readText([]byte(c.source), kyro.Original{MimeType: JSON}, kyro.DefaultLimits())
		if err != nil || ex.Text != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s\n%v", name, ex.Text, c.want, err)
		}
		checkExtraction(t, ex)
	}
}

func TestJSONThatIsNone(t *testing.T) {
	t.Parallel()
	for source, message := range map[string]string{
		"{\"a\": 1,\n  \"b\": tru}":    "line 2, column 11",
		"{\"a\": 1}\n{\"ä\": 1,, 2}":   "line 2, column 9",
		"[1, 2":                        "line 1, column 5",
		"{'a': 1}":                     "line 1, column 2",
		"{\"a\": 1}}":                  "line 1, column 9",
		"[1] // a comment":             "line 1, column 5",
		strings.Repeat("[", 201) + "1": "deeper than 200",
		strings.Repeat("[", 1_000_000): "deeper than 200",
		strings.Repeat(`{"a":`, 1e6):   "deeper than 200",
	} {
		_, err := readText([]byte(source), kyro.Original{MimeType: JSON}, kyro.DefaultLimits())
		if kyro.ErrorCode(err) != kyro.CodeValidation || !strings.Contains(err.Error(), message) {
			t.Errorf("%.40q: %v, want %s", source, err, message)
		}
	}
	if _, err := readText([]byte(strings.Repeat("[", 200)+strings.Repeat("]", 200)), kyro.Original{MimeType: JSON}, kyro.DefaultLimits()); err != nil {
		t.Error(err)
	}
}

func TestBombsOfJSON(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("k", 1<<20)
	deep := strings.Repeat(`{"`+strings.Repeat("key", 100)+`":`, 190)
	for name, source := range map[string]string{
		"values":     "[" + strings.Repeat("1,", maxJSONValues) + "1]",
		"long paths": deep + "[" + strings.Repeat(`{"a":{"b":1}},`, 150_000) + "1]" + strings.Repeat("}", 190),
		"long keys":  `{"` + key + `":[` + strings.Repeat(`{"a":{"b":1}},`, 200_000) + "1]}",
	} {
		ex, err := readText([]byte(source), kyro.Original{MimeType: JSON}, kyro.DefaultLimits())
		if err != nil && kyro.ErrorCode(err) != kyro.CodeLimitReached {
			t.Errorf("%s: %v", name, err)
		}
		checkExtraction(t, ex)
	}
}
