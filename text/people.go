package text

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Plural is a number of things in English words, for nouns that take an s: "1 file", "3 files".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Bytes is a number of bytes in words: "3 bytes", "32 MiB", "1.5 GiB".
func Bytes[N int | int64 | uint64](n N) string {
	units := []string{"KiB", "MiB", "GiB"}
	for i := len(units); i > 0; i-- {
		if unit := N(1) << (10 * i); n >= unit {
			figure := strconv.FormatFloat(float64(n)/float64(unit), 'f', 1, 64)
			return strings.TrimSuffix(figure, ".0") + " " + units[i-1]
		}
	}
	return Plural(int(n), "byte")
}

// Printable is a text on one line, without what would move the cursor of a terminal or reorder the line.
func Printable(s string) string {
	return strings.Join(strings.Fields(PrintableLines(s)), " ")
}

// PrintableLines keeps line ends, and drops the other controls.
func PrintableLines(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || r == 0x200C || r == 0x200D { // the joiners of scripts and emoji
			return r
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s)
}
