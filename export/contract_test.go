package export

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestTheContractShowsARow as exports write it: the same fields, in all of its parts.
func TestTheContractShowsARow(t *testing.T) {
	t.Parallel()
	contract, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile(`(?s)\n *\{"conversationId".*?"error":null\}`).Find(contract)
	if example == nil {
		t.Fatal("the contract has no example of a line of JSONL")
	}
	var shown, made map[string]any
	if err := json.Unmarshal(example, &shown); err != nil {
		t.Fatalf("%v: %s", err, example)
	}
	text, now := "", stamp(time.Now())
	written, err := json.Marshal(row{
		ParentID: &text, CompletedAt: &now, Grounding: &text, FinishReason: &text, Citations: []rowCitation{{}}, Feedback: &rowFeedback{}, Usage: &rowUsage{},
	})
	if err == nil {
		err = json.Unmarshal(written, &made)
	}
	if err != nil {
		t.Fatal(err)
	}
	if a, b := fields("", shown), fields("", made); !reflect.DeepEqual(a, b) {
		t.Errorf("the contract shows\n%s\nand a line has\n%s", strings.Join(a, " "), strings.Join(b, " "))
	}
}

// fields are the paths of all fields of an object and of what is in it.
func fields(path string, object map[string]any) (all []string) {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		all = append(all, path+name)
		switch value := object[name].(type) {
		case map[string]any:
			all = append(all, fields(path+name+".", value)...)
		case []any:
			for _, each := range value {
				if part, ok := each.(map[string]any); ok {
					all = append(all, fields(path+name+".", part)...)
				}
			}
		}
	}
	return all
}
