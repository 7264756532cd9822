package chunk_test

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"kyrochat/ingest/chunk"
	"kyrochat/kyro"
	"kyrochat/text"
)

// random makes texts of every kind of block, some of them monstrous.
func random(r *rand.Rand) kyro.Extraction {
	d := new(doc)
	alphabet := []string{"word", "Größe", "слово", "中文字", "👩‍👩‍👧", "1234567890", "…", "e\u0301", "x.", "Dr.", "ok?", "\t", "-"}
	for range r.IntN(30) {
		var b strings.Builder
		joiner := []string{" ", "", "\n", ". ", "\n\n", "。"}[r.IntN(6)]
		for range 1 + r.IntN(1+r.IntN(1000)) {
			b.WriteString(alphabet[r.IntN(len(alphabet))])
			b.WriteString(joiner)
		}
		kind := []kyro.BlockKind{kyro.BlockParagraph, kyro.BlockHeading, kyro.BlockList, kyro.BlockTable, kyro.BlockCode}[r.IntN(5)]
		d.add(kind, r.IntN(7), r.IntN(3), b.String())
		if r.IntN(5) == 0 { // text that no block claims
			d.ex.Blocks = d.ex.Blocks[:len(d.ex.Blocks)-1]
		}
	}
	return d.extraction()
}

func TestProperties(t *testing.T) {
	t.Parallel()
	for seed := range uint64(80) {
		r := rand.New(rand.NewPCG(seed, 1))
		ex := random(r)
		opt := chunk.Options{}
		if seed%3 == 0 {
			opt = chunk.Options{Budget: 20 + r.IntN(100), Max: 130 + r.IntN(50), Overlap: 1 + r.IntN(40), Tail: 1 + r.IntN(30)}
		}
		check(t, ex, "t", opt, chunk.Split(ex, "t", opt))
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("Title\n\nA sentence. Another one!\n\n- a\n- b", uint64(1))
	f.Add(strings.Repeat("x", 9000), uint64(2))
	f.Add(strings.Repeat("漢字。", 900), uint64(3))
	f.Fuzz(func(t *testing.T, s string, seed uint64) {
		ex := kyro.Extraction{Text: text.Normalize(s)}
		r := rand.New(rand.NewPCG(seed, 2))
		for at := 0; at < len(ex.Text); {
			start := at + r.IntN(len(ex.Text)-at)
			end := start + 1 + r.IntN(len(ex.Text)-start)
			for start > 0 && !utf8.RuneStart(ex.Text[start]) {
				start--
			}
			for end < len(ex.Text) && !utf8.RuneStart(ex.Text[end]) {
				end++
			}
			kind := []kyro.BlockKind{kyro.BlockParagraph, kyro.BlockHeading, kyro.BlockList, kyro.BlockTable, kyro.BlockCode}[r.IntN(5)]
			ex.Blocks = append(ex.Blocks, kyro.Block{Kind: kind, Level: r.IntN(7), Start: start, End: end})
			at = end
		}
		check(t, ex, "t", chunk.Options{}, chunk.Split(ex, "t", chunk.Options{}))
	})
}

func FuzzPieces(f *testing.F) {
	f.Add(strings.Repeat("👩‍👩‍👧‍👦", 50), 30)
	f.Fuzz(func(t *testing.T, s string, budget int) {
		opt := chunk.Options{Budget: 10 + abs(budget)%200, Max: 10 + abs(budget)%200}
		ex := kyro.Extraction{Text: strings.Map(func(r rune) rune {
			if unicode.IsSpace(r) {
				return -1
			}
			return r
		}, text.Normalize(s))}
		check(t, ex, "", opt, chunk.Split(ex, "", opt))
	})
}

func abs(n int) int {
	if n < 0 {
		return -(n + 1)
	}
	return n
}

func BenchmarkSplit(b *testing.B) {
	long := func(s string, size int) string { return strings.Repeat(s, size/len(s)) }
	paragraph := sentences(12, "the paragraph") + "\n\n"
	texts := map[string]string{
		"paragraphs": long(paragraph, 4<<20),
		"lines":      long("A line of about sixty characters that ends without a full stop\n", 4<<20),
		"oneLine":    long("word without any end of a sentence ", 4<<20),
		"noSpaces":   long("abcdefghij", 4<<20),
		"cjk":        long("本合同由双方签订，租金每月支付一次。退款需在三十天内申请，逾期不予受理。\n\n", 4<<20),
	}
	for name, s := range texts {
		ex := kyro.Extraction{Text: s}
		at := 0
		for part := range strings.SplitAfterSeq(s, "\n\n") {
			ex.Blocks = append(ex.Blocks, kyro.Block{Kind: kyro.BlockParagraph, Start: at, End: at + len(part)})
			at += len(part)
		}
		b.Run(name, func(b *testing.B) { benchmarkSplit(b, ex) })
	}
	b.Run("markdown", func(b *testing.B) {
		ex := kyro.Extraction{MimeType: "text/markdown"}
		add := func(kind kyro.BlockKind, s string) {
			ex.Blocks = append(ex.Blocks, kyro.Block{Kind: kind, Level: 2, Start: len(ex.Text), End: len(ex.Text) + len(s)})
			ex.Text += s + "\n\n"
		}
		for range 300 {
			add(kyro.BlockHeading, "## Records and *requests*")
			add(kyro.BlockParagraph, strings.TrimSpace(long("The office keeps every record for seven years, and destroys it afterwards. ", 2500)))
			add(kyro.BlockList, "- the year\n- the record\n- the reason for which the copy is needed\n- the name")
		}
		benchmarkSplit(b, ex)
	})
}

func benchmarkSplit(b *testing.B, ex kyro.Extraction) {
	b.SetBytes(int64(len(ex.Text)))
	b.ReportAllocs()
	for b.Loop() {
		chunk.Split(ex, "title", chunk.Options{})
	}
}
