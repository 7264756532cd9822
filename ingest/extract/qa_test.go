package extract

import (
	"encoding/json"
	"strings"
	"testing"

	"kyrochat/kyro"
)

func TestQA(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ question, answer, want string }{
		"plain": {"How  long?\n", "Three minutes.", "[heading 1]\nHow long?\n\n[paragraph]\nThree minutes."},
		"lists": {"How?", "Like this:\n\n- boil\n- pour\n\nThen wait.\n\n1. one\n2. two",
			"[heading 1]\nHow?\n\n[paragraph]\nLike this:\n\n[list]\n- boil\n- pour\n\n[paragraph]\nThen wait.\n\n[list]\n1. one\n2. two"},
		"Markdown": {"How?", "## Steps ##\n\n- boil\n  - hot\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\ncode\n```",
			"[heading 1]\nHow?\n\n[heading 3]\nSteps\n\n[list]\n- boil\n  - hot\n\n[table]\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[code]\n```\ncode\n```"},
		"hidden text":                        {"How?", "# A\n\nTea.<!-- secret --> <span hidden>secret</span>", "[heading 1]\nHow?\n\n[heading 2]\nA\n\n[paragraph]\nTea."},
		"a heading that looks like Markdown": {"# How?", "Yes.", "[heading 1]\n# How?\n\n[paragraph]\nYes."},
	} {
		data, err := json.Marshal(kyro.QA{Question: c.question, Answer: c.answer})
		if err != nil {
			t.Fatal(err)
		}
		ex, err := readText(data, kyro.Original{MimeType: QA}, kyro.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(show(ex)); got != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, c.want)
		}
		checkExtraction(t, ex)
	}
}
