package manual_test

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"kyrochat/internal/manual"
)

const page = "# A page\n\nRead [on](other.md#here) about `Bot.name`.\n\n" +
	"```sh\necho one\n```\n\n## Done, or `not`?\n\n```json answer varies=percent,at\n{}\n```\n\n" +
	"| a | b |\n|---|---|\n| `KYRO_ADDR` | ![x](x.svg) |\n\n    indented\n\n```text shown=\"a b\"\n```\n\n# A page\n"

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadingAPage(t *testing.T) {
	t.Parallel()
	p, err := manual.Read(write(t, page))
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"a-page": "A page", "done-or-not": "Done, or not?", "a-page-1": "A page"}; !reflect.DeepEqual(p.Anchors, want) {
		t.Errorf("anchors %v", p.Anchors)
	}
	if want := []manual.Place{{"other.md#here", 3}, {"x.svg", 17}}; !reflect.DeepEqual(p.Links, want) {
		t.Errorf("links %v", p.Links)
	}
	if want := []manual.Place{{"Bot.name", 3}, {"not", 9}, {"KYRO_ADDR", 17}}; !reflect.DeepEqual(p.Codes, want) {
		t.Errorf("codes %v", p.Codes)
	}
	want := []manual.Block{
		{Line: 5, Language: "sh", Attributes: map[string]string{}, Text: "echo one\n", Heading: "A page"},
		{Line: 11, Language: "json", Attributes: map[string]string{"answer": "", "varies": "percent,at"}, Text: "{}\n", Heading: "Done, or not?"},
		{Line: 19, Text: "indented\n", Heading: "Done, or not?", Indented: true},
		{Line: 21, Language: "text", Attributes: map[string]string{"shown": "a b"}, Heading: "Done, or not?"},
	}
	if !reflect.DeepEqual(p.Blocks, want) {
		t.Errorf("blocks\n%+v, want\n%+v", p.Blocks, want)
	}
}

func TestAttributesThatMakeNoSense(t *testing.T) {
	t.Parallel()
	if _, err := manual.Read(write(t, "text\n\n```sh shown=\"open\n```\n")); err == nil || !strings.Contains(err.Error(), ":3:") {
		t.Errorf("a broken attribute was taken: %v", err)
	}
}
