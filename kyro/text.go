package kyro

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// CharCount is the length of a text in UTF-16 code units, as JavaScript counts it.
func CharCount(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r > 0xFFFF {
			n++
		}
	}
	return n
}

// checkLine checks a one-line input: valid, without control or bidirectional characters, with something to be seen, and at
// most so many characters long once trimmed. It gives back the trimmed text.
func checkLine(field, label, s string, maximum int) (string, error) {
	s = strings.TrimSpace(s)
	if err := checkText(field, label, s, maximum); err != nil {
		return "", err
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || isBidiControl(r) }) {
		return "", Invalid(field, "%s must be one line without control characters.", label)
	}
	if !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }) {
		return "", Invalid(field, "%s must not be empty.", label)
	}
	return s, nil
}

// checkText checks an input of several lines, which may be empty: valid UTF-8 without NUL, at most so many characters long.
func checkText(field, label, s string, maximum int) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return Invalid(field, "%s is not valid text.", label)
	}
	if n := CharCount(s); n > maximum {
		return Invalid(field, "%s must have at most %d characters; this has %d.", label, maximum, n)
	}
	return nil
}

// isBidiControl reports the characters that reorder text on a screen and so can disguise what it says.
func isBidiControl(r rune) bool {
	return r == 0x061C || r == 0x200E || r == 0x200F || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

// Shortened is a text of at most so many UTF-16 units: one that is longer is cut, and ends in an ellipsis.
func Shortened(s string, limit int) string {
	if CharCount(s) <= limit {
		return s
	}
	n := 0
	for i, r := range s {
		if n++; r > 0xFFFF {
			n++
		}
		if n > limit-1 {
			return strings.TrimSpace(s[:i]) + "…"
		}
	}
	return s
}
