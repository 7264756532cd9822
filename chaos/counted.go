package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"kyrochat/internal/gemini"
)

// counted is a text whose words are numbered and say whose they are: a gap, a double, a cut character and a piece of
// another answer all show in it.
func counted(name string, words int) string {
	var b strings.Builder
	for i := range words {
		switch {
		case i > 0 && i%40 == 0:
			b.WriteByte('\n')
		case i > 0:
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%sn%d", name, i+1)
		if i%9 == 0 {
			b.WriteString("é🙂")
		}
	}
	return b.String()
}

var toCount = regexp.MustCompile(`Count for (\w+) to (\d+)`)

// counting has the model write what it is asked to count, in pieces of two words at a pace.
func (w *world) counting(pace time.Duration) {
	w.gemini.Script(gemini.Script{Kind: gemini.KindAnswer, Pace: pace, Say: func(q gemini.Request) string {
		asked := toCount.FindAllStringSubmatch(q.Prompt, -1)
		if len(asked) == 0 {
			return "There is nothing to count."
		}
		last := asked[len(asked)-1]
		words, _ := strconv.Atoi(last[2])
		return counted(last[1], words)
	}})
}

// countTo asks for a counted text.
func countTo(name string, words int) string { return fmt.Sprintf("Count for %s to %d", name, words) }
