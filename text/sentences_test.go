package text_test

import (
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"kyrochat/text"
)

func TestSentences(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		want     []string
	}{
		{"plain", "One is here. Two follows! Three?", []string{"One is here.", "Two follows!", "Three?"}},
		{"titles", "Dr. Smith met Mrs. Jones. They talked.", []string{"Dr. Smith met Mrs. Jones.", "They talked."}},
		{"initials", "J. R. R. Tolkien wrote it. Plan B. The rest is here.", []string{"J. R. R. Tolkien wrote it.", "Plan B.", "The rest is here."}},
		{"countries", "He left the U.S. Army in 1990. She stayed in the U.S. The end came.", []string{"He left the U.S. Army in 1990.", "She stayed in the U.S.", "The end came."}},
		{"e.g. and i.e.", "Take e.g. Paris, i.e. the city. Then go.", []string{"Take e.g. Paris, i.e. the city.", "Then go."}},
		{"months", "It opened on Jan. 5. It closed.", []string{"It opened on Jan. 5.", "It closed."}},
		{"numbers", "It costs 3.14 euros. Version 1.2.3 is out.", []string{"It costs 3.14 euros.", "Version 1.2.3 is out."}},
		{"years", "It was built in 1858. Trade grew.", []string{"It was built in 1858.", "Trade grew."}},
		{"quotes", `"Stop!" he said. "Why?"`, []string{`"Stop!" he said.`, `"Why?"`}},
		{"German", "Am 3. Oktober wurde z. B. gefeiert. Danach nicht.", []string{"Am 3. Oktober wurde z. B. gefeiert.", "Danach nicht."}},
		{"Spanish", "La Sra. López vive en EE. UU. desde 1990. ¿Trabaja? ¡Mucho!", []string{"La Sra. López vive en EE. UU. desde 1990.", "¿Trabaja?", "¡Mucho!"}},
		{"Russian", "Он жил в г. Москве на ул. Ленина. Потом уехал.", []string{"Он жил в г. Москве на ул. Ленина.", "Потом уехал."}},
		{"Chinese", "这是第一句。这是第二句！“第三句？”完", []string{"这是第一句。", "这是第二句！", "“第三句？”", "完"}},
		{"Hindi", "यह पहला है। यह दूसरा है।", []string{"यह पहला है।", "यह दूसरा है।"}},
		{"wrapped lines", "The first line of this goes on\nto the second. It ends\nhere.", []string{"The first line of this goes on\nto the second.", "It ends\nhere."}},
		{"blank line", "No end\n \nAnother", []string{"No end", "Another"}},
		{"heading", "Introduction\nThe text of the first paragraph goes on and\nends here.", []string{"Introduction", "The text of the first paragraph goes on and\nends here."}},
		{"list", "Bring these things:\n- bread\n- wine\n1. First\n2. Second. More", []string{"Bring these things:", "- bread", "- wine", "1. First", "2. Second.", "More"}},
		{"table", "| a | b |\n| 1 | 2 |", []string{"| a | b |", "| 1 | 2 |"}},
		{"empty", " \n\n\t ", nil},
	} {
		var got []string
		for _, span := range text.Sentences(c.in) {
			got = append(got, c.in[span.Start:span.End])
		}
		if strings.Join(got, "¶") != strings.Join(c.want, "¶") {
			t.Errorf("%s:\n got %q\nwant %q", c.name, got, c.want)
		}
	}
}

func FuzzSentences(f *testing.F) {
	for _, p := range prose {
		f.Add(p)
	}
	for _, s := range []string{"a.\n\nb.", "1. \n2.", "Dr.\n-", "\n\n \n", "。。", "J. R.\xff", "\u00A0.\u2003", "\r\n\n."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		end, letters := 0, 0
		for _, span := range text.Sentences(s) {
			if span.Start < end || span.End <= span.Start || span.End > len(s) {
				t.Fatalf("%q: span %v after %d", s, span, end)
			}
			if utf8.ValidString(s) && (!utf8.RuneStart(s[span.Start]) || span.End < len(s) && !utf8.RuneStart(s[span.End])) {
				t.Fatalf("%q: span %v cuts a character", s, span)
			}
			sentence := s[span.Start:span.End]
			if strings.TrimFunc(sentence, unicode.IsSpace) != sentence {
				t.Fatalf("white space around %q", sentence)
			}
			letters += count(sentence)
			end = span.End
		}
		if want := count(s); letters != want {
			t.Fatalf("%q: %d of %d characters are in sentences", s, letters, want)
		}
	})
}

func count(s string) (n int) {
	for _, r := range s {
		if !unicode.IsSpace(r) {
			n++
		}
	}
	return n
}

// TestLongRunsOfSignsAreNoSentences: what stands between two words changes no sentence, however long it is, and is passed
// over in time.
func TestLongRunsOfSignsAreNoSentences(t *testing.T) {
	t.Parallel()
	for _, sign := range []string{" ", "\t", "\u3000", ")", "」", "\" ", "* "} {
		for _, n := range []int{10, 21, 22, 63, 64, 65, 66, 67, 1_000, 50_000} {
			s := "It is warm." + strings.Repeat(sign, n) + " The kiln cools."
			done := make(chan []text.Span, 1)
			go func() { done <- text.Sentences(s) }()
			select {
			case spans := <-done:
				if len(spans) != 2 || !strings.HasPrefix(s[spans[0].Start:spans[0].End], "It is warm.") || !strings.HasSuffix(s[spans[1].Start:spans[1].End], "The kiln cools.") {
					t.Errorf("%d times %q: %d sentences", n, sign, len(spans))
				}
			case <-time.After(15 * time.Second):
				t.Fatalf("%d times %q takes too long", n, sign)
			}
		}
	}
}
