package script_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"kyrochat/internal/script"
)

func TestScriptsAreTakenInTheirOrder(t *testing.T) {
	t.Parallel()
	var q script.Queue[string]
	q.Add("a once", 1, 0)
	q.Add("a after one", 2, 1)
	q.Add("b for ever", 0, 0)
	take := func(about string) string {
		return q.Take(func(s string) bool { return strings.HasPrefix(s, about) })
	}
	var got []string
	for _, about := range []string{"a", "b", "a", "a", "c", "a", "a", "b"} {
		got = append(got, take(about))
	}
	// The first a is the one that is for once; the second is left alone; two more fit, and nothing after them.
	if want := []string{"a once", "b for ever", "", "a after one", "", "a after one", "", "b for ever"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if left := q.All(); !slices.Equal(left, []string{"b for ever"}) {
		t.Errorf("left are %q", left)
	}
	q.Clear()
	if got := take("b"); got != "" {
		t.Errorf("got %q of no scripts", got)
	}
}

func TestDurationsAreWords(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(script.Duration(1500 * time.Millisecond))
	if err != nil || string(text) != `"1.5s"` {
		t.Fatalf("%s, %v", text, err)
	}
	var d script.Duration
	if err := json.Unmarshal(text, &d); err != nil || time.Duration(d) != 1500*time.Millisecond {
		t.Errorf("%v, %v", time.Duration(d), err)
	}
	if json.Unmarshal([]byte(`"soon"`), &d) == nil {
		t.Error("soon is no duration")
	}
}
