package text_test

import (
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"kyrochat/kyro"
	"kyrochat/text"
)

const mixed = "Añ 漢字 😀 end 👨‍👩‍👧."

func TestOffsets(t *testing.T) {
	t.Parallel()
	o := text.NewOffsets(mixed)
	for _, order := range [][2]int{{0, 1}, {len(mixed), -1}} {
		for i := order[0]; i >= 0 && i <= len(mixed); i += order[1] {
			start := i
			for start < len(mixed) && !utf8.RuneStart(mixed[start]) {
				start--
			}
			if got, want := o.Char(i), kyro.CharCount(mixed[:start]); got != want {
				t.Errorf("Char(%d) = %d, want %d", i, got, want)
			}
		}
	}
	if got := o.Char(len(mixed) + 9); got != kyro.CharCount(mixed) {
		t.Errorf("past the end: %d", got)
	}
	if got := o.Char(-1); got != 0 {
		t.Errorf("before the start: %d", got)
	}
}

func TestSliceChars(t *testing.T) {
	t.Parallel()
	s := "a😀b漢"
	for _, c := range []struct {
		start, length int
		want          string
	}{
		{0, 5, "a😀b漢"}, {0, 1, "a"}, {0, 2, "a"}, {1, 2, "😀"}, {2, 2, "b"}, {2, 1, ""}, {3, 9, "b漢"}, {4, 1, "漢"},
		{5, 1, ""}, {9, 9, ""}, {0, 0, ""}, {0, -1, ""}, {-3, 1, "a"}, {1, int(^uint(0) >> 1), "😀b漢"},
	} {
		if got := text.SliceChars(s, c.start, c.length); got != c.want {
			t.Errorf("SliceChars(%d, %d) = %q, want %q", c.start, c.length, got, c.want)
		}
	}
}

func FuzzSliceChars(f *testing.F) {
	f.Add(mixed, 3, 4)
	f.Fuzz(func(t *testing.T, s string, start, length int) {
		if !utf8.ValidString(s) {
			return
		}
		got := text.SliceChars(s, start, length)
		units := utf16.Encode([]rune(s))
		from := min(max(start, 0), len(units))
		to := from + min(max(length, 0), len(units)-from)
		if from < to && units[from]&0xFC00 == 0xDC00 {
			from++
		}
		if to > from && units[to-1]&0xFC00 == 0xD800 {
			to--
		}
		if want := string(utf16.Decode(units[from:to])); got != want {
			t.Fatalf("SliceChars(%q, %d, %d) = %q, want %q", s, start, length, got, want)
		}
	})
}

func TestTokens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in       string
		from, to int
	}{
		{"", 0, 0}, {" \n\t", 0, 0}, {"a", 1, 1}, {"Hello, world!", 4, 5}, {"2026-11-22", 9, 10},
		{"这座港口建于一八四一年。", 8, 11}, {"Привет мир", 3, 4}, {"año café", 2, 2}, {"😀 → №", 3, 3},
	} {
		if got := text.Tokens(c.in); got < c.from || got > c.to {
			t.Errorf("Tokens(%q) = %d, want %d to %d", c.in, got, c.from, c.to)
		}
	}
	for language, s := range prose { // what the estimate is known to give
		perToken := float64(kyro.CharCount(s)) / float64(text.Tokens(s))
		low, high := 2.0, 5.0
		if language == "zh" {
			low, high = 1.1, 1.7
		}
		if perToken < low || perToken > high {
			t.Errorf("%s: %.2f characters a token", language, perToken)
		}
	}
}
