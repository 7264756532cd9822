package retrievalset

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"kyrochat/ai"
	"kyrochat/answer"
	"kyrochat/kyro"
)

// tally counts the outcomes of one group of questions.
type tally struct {
	asked                     int
	first, five               int
	reciprocal                float64
	abstained, right, grounds int
	sentences                 int
}

func (t tally) String() string {
	n := float64(max(1, t.asked))
	return fmt.Sprintf("%3d asked  R@1 %.3f  R@5 %.3f  MRR@10 %.3f  not found %.3f  answer quoted %.3f  grounded %.3f  quotes %.2f",
		t.asked, float64(t.first)/n, float64(t.five)/n, t.reciprocal/n, float64(t.abstained)/n, float64(t.right)/n,
		float64(t.grounds)/n, float64(t.sentences)/n)
}

func (t *tally) add(o tally) {
	t.asked += o.asked
	t.first += o.first
	t.five += o.five
	t.reciprocal += o.reciprocal
	t.abstained += o.abstained
	t.right += o.right
	t.grounds += o.grounds
	t.sentences += o.sentences
}

// ask puts one question to a retriever and the offline model.
func ask(t testing.TB, retriever answer.Retriever, bot kyro.ID, q Question, paragraph string) tally {
	t.Helper()
	asked := kyro.Bot{ID: bot, TopK: 10, NoAnswerText: "Nothing."}
	found, err := retriever.Retrieve(t.Context(), asked, q.Text, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := tally{asked: 1}
	for i, p := range found.Passages {
		if q.Paragraph != "" && p.Chunk.Text == paragraph {
			out.reciprocal = 1 / float64(i+1)
			if i == 0 {
				out.first = 1
			}
			if i < 5 {
				out.five = 1
			}
		}
	}
	prompt := kyro.Prompt{
		Bot: asked, Question: q.Text, Passages: found.Passages[:min(len(found.Passages), kyro.DefaultTopK)],
		Lexical: found.Lexical, Languages: found.Languages,
	}
	var shown strings.Builder
	var quotes []kyro.Quote
	for d, err := range (&ai.Extractive{}).Answer(t.Context(), prompt) {
		if err != nil {
			t.Fatal(err)
		}
		shown.WriteString(d.Text)
		quotes = append(quotes, d.Quotes...)
		if d.Finish != nil && d.Finish.Grounding == kyro.GroundingNotFound {
			out.abstained = 1
		}
		if d.Finish != nil && d.Finish.Grounding == kyro.Grounded {
			out.grounds = 1
		}
	}
	for _, c := range answer.Cite(prompt.Passages, shown.String(), quotes) {
		out.sentences++
		if !c.Verified || !strings.Contains(prompt.Passages[c.Marker-1].Chunk.Text, c.Quote) {
			t.Errorf("%q: the quote %q is not verbatim", q.Text, c.Quote)
		}
		if q.Answer != "" && strings.Contains(c.Quote, q.Answer) && prompt.Passages[c.Marker-1].Chunk.Text == paragraph {
			out.right = 1
		}
	}
	good := out.right == 1
	if q.Group == Unanswerable {
		good = out.abstained == 1
	}
	if q.Dev && !good {
		t.Logf("missed, %s %s: %q gave %q", q.Language, q.Group, q.Text, shown.String())
	}
	return out
}

// Measure puts every question of the set to the bot that retriever gives for its language, reports what came of it,
// and fails where less is reached than a person may expect of the offline parts: whether the passage is found,
// whether the right sentence is quoted, and whether it is said when there is no answer.
func Measure(t testing.TB, set Set, retriever func(language string) (answer.Retriever, kyro.ID)) {
	t.Helper()
	paragraphs := map[string]string{}
	for _, p := range set.Paragraphs {
		paragraphs[p.ID] = p.Text
	}
	sum := map[string]*tally{}
	for _, q := range set.Questions {
		r, bot := retriever(q.Language)
		o := ask(t, r, bot, q, paragraphs[q.Paragraph])
		half := map[bool]string{true: "dev", false: "test"}[q.Dev]
		for _, part := range []string{q.Language, "all", half} {
			name := part + " " + string(q.Group)
			if sum[name] == nil {
				sum[name] = &tally{}
			}
			sum[name].add(o)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(sum)) {
		t.Logf("%-18s %s", name, sum[name])
	}
	judge(t, sum)
}

func judge(t testing.TB, sum map[string]*tally) {
	t.Helper()
	words, named, unanswerable := sum["all words"], sum["all names"], sum["all unanswerable"]
	for name, group := range map[string]*tally{"words": words, "names": named} {
		if recall := share(group.five, group.asked); recall < 0.95 {
			t.Errorf("recall@5 of %s is %.3f, want 0.95", name, recall)
		}
	}
	if abstained := share(unanswerable.abstained, unanswerable.asked); abstained < 0.90 {
		t.Errorf("%.3f of the unanswerable questions got no answer, want 0.90", abstained)
	}
	if refused := share(words.abstained+named.abstained, words.asked+named.asked); refused > 0.10 {
		t.Errorf("%.3f of the answerable questions got no answer, want 0.10 at most", refused)
	}
	if right := share(words.right, words.asked); right < 0.95 {
		t.Errorf("%.3f of the answers to questions that share words quote what was asked for, want 0.95", right)
	}
	for _, half := range []string{"dev", "test"} {
		if abstained := sum[half+" unanswerable"]; share(abstained.abstained, abstained.asked) < 0.85 {
			t.Errorf("the %s half differs: %s", half, abstained)
		}
	}
}

func share(part, whole int) float64 { return float64(part) / float64(max(1, whole)) }
