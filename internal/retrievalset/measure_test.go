package retrievalset_test

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"

	"kyrochat/ai"
	"kyrochat/answer"
	"kyrochat/internal/retrievalset"
	"kyrochat/kyro"
	"kyrochat/text"
)

// library is an index and a source of vectors in memory, with BM25 as the store has it.
type library struct {
	languages []string
	passages  []kyro.Passage
	counts    []map[string]int // terms of each passage
	lengths   []int
	holds     map[string]int
	average   float64
	embedder  ai.HashEmbedder
}

const k1, b = 1.2, 0.75

func newLibrary(languages []string, paragraphs []retrievalset.Paragraph) *library {
	l := &library{languages: languages, holds: map[string]int{}}
	total := 0
	for i, p := range paragraphs {
		terms := text.Terms(p.Text, p.Language)
		counts := map[string]int{}
		for _, t := range terms {
			counts[t]++
		}
		for t := range counts {
			l.holds[t]++
		}
		total += len(terms)
		l.counts = append(l.counts, counts)
		l.lengths = append(l.lengths, len(terms))
		l.passages = append(l.passages, kyro.Passage{
			DocumentTitle: p.Title, Language: p.Language,
			Chunk: kyro.Chunk{
				ID: kyro.ChunkID(int64(i + 1)), DocumentID: kyro.DocumentID(1), Text: p.Text, ContentHash: p.ID,
				CharEnd: kyro.CharCount(p.Text), ByteEnd: len(p.Text), Enabled: true,
			},
		})
	}
	l.average = float64(total) / float64(len(paragraphs))
	return l
}

func (l *library) Languages(context.Context, kyro.ID) ([]string, error) { return l.languages, nil }

func (l *library) SearchWords(_ context.Context, _ kyro.ID, terms []string, limit int) (kyro.LexicalResult, error) {
	found := kyro.LexicalResult{Total: len(l.passages), Frequent: map[string]int{}}
	for _, t := range terms {
		if n := l.holds[t]; n > 0 {
			found.Frequent[t] = n
		}
	}
	for i, counts := range l.counts {
		score := 0.0
		for _, t := range terms {
			tf, df := float64(counts[t]), float64(l.holds[t])
			idf := math.Log(1 + (float64(len(l.passages))-df+0.5)/(df+0.5))
			score += idf * tf * (k1 + 1) / (tf + k1*(1-b+b*float64(l.lengths[i])/l.average))
		}
		if score > 0 {
			found.Hits = append(found.Hits, kyro.LexicalHit{ChunkID: l.passages[i].Chunk.ID, Score: score})
		}
	}
	slices.SortStableFunc(found.Hits, func(x, y kyro.LexicalHit) int { return cmp.Compare(y.Score, x.Score) })
	found.Hits = found.Hits[:min(limit, len(found.Hits))]
	return found, nil
}

func (l *library) Passages(_ context.Context, _ kyro.ID, chunks []kyro.ID) ([]kyro.Passage, error) {
	var found []kyro.Passage
	for _, id := range chunks {
		found = append(found, l.passages[id.Key-1])
	}
	return found, nil
}

func (l *library) BotKnowledge(context.Context, kyro.ID) (int64, error) { return 1, nil }

func (l *library) BotVectors(ctx context.Context, _ kyro.ID, _ string, _ int, visit func(kyro.ChunkVector) error) error {
	for _, p := range l.passages {
		v, err := l.embedder.EmbedPassages(ctx, []string{p.DocumentTitle + "\n" + p.Chunk.Text})
		if err != nil {
			return err
		}
		if err := visit(kyro.ChunkVector{ChunkID: p.Chunk.ID, Vector: v[0]}); err != nil {
			return err
		}
	}
	return nil
}

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
		t.asked, float64(t.first)/n, float64(t.five)/n, t.reciprocal/n, float64(t.abstained)/n, float64(t.right)/n, float64(t.grounds)/n, float64(t.sentences)/n)
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

// ask puts one question to the offline parts together.
func ask(t *testing.T, l *library, retriever *answer.IndexRetriever, q retrievalset.Question, byID map[string]string) tally {
	t.Helper()
	bot := kyro.Bot{ID: kyro.BotID(1), TopK: 10, NoAnswerText: "Nothing."}
	found, err := retriever.Retrieve(t.Context(), bot, q.Text, nil)
	if err != nil {
		t.Fatal(err)
	}
	out := tally{asked: 1}
	for i, p := range found.Passages {
		if q.Paragraph != "" && p.Chunk.Text == byID[q.Paragraph] {
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
		Bot: bot, Question: q.Text, Passages: found.Passages[:min(len(found.Passages), kyro.DefaultTopK)],
		Lexical: found.Lexical, Languages: found.Languages,
	}
	var shown strings.Builder
	var quotes []kyro.Quote
	for d, err := range ai.NewExtractive().Answer(t.Context(), prompt) {
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
		if q.Answer != "" && strings.Contains(c.Quote, q.Answer) && prompt.Passages[c.Marker-1].Chunk.Text == byID[q.Paragraph] {
			out.right = 1
		}
	}
	good := out.right == 1
	if q.Group == retrievalset.Unanswerable {
		good = out.abstained == 1
	}
	if q.Dev && !good {
		t.Logf("missed, %s %s: %q gave %q", q.Language, q.Group, q.Text, shown.String())
	}
	return out
}

// TestOfflineQuality measures what a person gets without any model or service: whether the passage is found,
// whether the right sentence is quoted, and whether it says so when there is no answer.
func TestOfflineQuality(t *testing.T) {
	t.Parallel()
	set, err := retrievalset.Load()
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]string{}
	for _, p := range set.Paragraphs {
		byID[p.ID] = p.Text
	}
	sum := map[string]*tally{}
	count := func(name string, o tally) {
		if sum[name] == nil {
			sum[name] = &tally{}
		}
		sum[name].add(o)
	}
	for _, language := range retrievalset.Languages {
		var own []retrievalset.Paragraph
		for _, p := range set.Paragraphs {
			if p.Language == language {
				own = append(own, p)
			}
		}
		l := newLibrary([]string{language}, own)
		name, dims := l.embedder.Model()
		retriever := answer.NewRetriever(l, ai.NewVectors(l, name, dims, 0), l.embedder, slog.New(slog.DiscardHandler))
		for _, q := range set.Questions {
			if q.Language == language {
				o := ask(t, l, retriever, q, byID)
				part := map[bool]string{true: "dev", false: "test"}[q.Dev]
				count(language+" "+string(q.Group), o)
				count("all "+string(q.Group), o)
				count(part+" "+string(q.Group), o)
			}
		}
	}
	names := make([]string, 0, len(sum))
	for name := range sum {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Logf("%-18s %s", name, sum[name])
	}

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
	for _, part := range []string{"dev", "test"} {
		if abstained := sum[part+" unanswerable"]; share(abstained.abstained, abstained.asked) < 0.85 {
			t.Errorf("the %s half differs: %s", part, abstained)
		}
	}
}

func share(part, whole int) float64 { return float64(part) / float64(whole) }
