package text

import (
	"strings"
	"unicode/utf8"
)

// addCompound adds a word that has signs inside of it or as its affix.
func (a *analyzer) addCompound(word string, has class) {
	switch {
	case has&isSuffix != 0:
		a.addAffixed(word)
	case has&(isUpper|isLower|isLetter) == 0:
		a.addNumber(word)
	default:
		a.addJoined(word)
	}
}

// addAffixed adds C++ as cplusplus, C# as csharp, .NET as dotnet, and the bare word.
func (a *analyzer) addAffixed(word string) {
	bare := strings.Trim(word, ".+#")
	whole := foldWord(bare)
	switch {
	case strings.HasSuffix(word, "++"):
		whole += "plusplus"
	case strings.HasSuffix(word, "#"):
		whole += "sharp"
	}
	if word[0] == '.' {
		whole = "dot" + whole
	}
	a.put(cut(whole))
	has := classesOf(bare)
	if strings.ContainsAny(bare, joints) {
		a.addJoined(bare)
	} else {
		a.addWord(bare, has)
	}
}

// joints are the signs that split a compound; the rest of them are spellings of these.
const joints = "'’.,-_\"‐‑·׳״＇"

// addNumber adds a number with separators. Groups of three digits are thousands: 1,024 and 1.024 are 1024. Other
// numbers keep their parts apart, as 3ˑ14, so that 3.14 is neither 314 nor found by 3.
func (a *analyzer) addNumber(word string) {
	groups := strings.FieldsFunc(word, isJointRune)
	if strings.ContainsAny(word, "-_‐‑") {
		a.addParts(groups, partSign)
		return
	}
	thousands := len(groups[0]) <= 3 && groups[0] != "0"
	for _, g := range groups[1:] {
		thousands = thousands && len(g) == 3
	}
	if thousands {
		a.put(cut(foldWord(strings.Join(groups, ""))))
		return
	}
	if last := len(groups) - 1; last > 1 && separators(word) == 2 { // 1,024.50
		groups = []string{strings.Join(groups[:last], ""), groups[last]}
	}
	if len(groups) == 2 && len(groups[0]) <= 3 {
		a.put(cut(foldWord(groups[0]) + partSign + foldWord(groups[1])))
		return
	}
	a.addParts(groups, partSign)
}

// separators counts the different separators of a number.
func separators(word string) int {
	n := 0
	for _, c := range ".,'" {
		if strings.ContainsRune(word, c) {
			n++
		}
	}
	return n
}

func isJointRune(r rune) bool { return strings.ContainsRune(joints, r) }

// addParts adds parts, and before them the whole they make up.
func (a *analyzer) addParts(parts []string, between string) {
	whole := ""
	for i, part := range parts {
		if i > 0 {
			whole += between
		}
		whole += foldWord(part)
	}
	if len(whole) <= MaxTermBytes {
		a.put(whole)
	}
	for _, part := range parts {
		if len(part) > 1 {
			a.addPart(part)
		}
	}
}

// addJoined adds a compound of words.
func (a *analyzer) addJoined(word string) {
	parts := strings.FieldsFunc(word, isJointRune)
	if len(parts) == 2 && isApostrophe(word[len(parts[0]):]) {
		a.addApostrophe(parts[0], parts[1])
		return
	}
	var whole strings.Builder
	digits := false
	for i, part := range parts {
		folded := foldWord(part)
		if folded == "" {
			continue
		}
		starts := folded[0] >= '0' && folded[0] <= '9'
		if i > 0 && digits && starts {
			whole.WriteString(partSign)
		}
		whole.WriteString(folded)
		last := folded[len(folded)-1]
		digits = last >= '0' && last <= '9'
	}
	if joined := whole.String(); len(joined) <= MaxTermBytes && len(parts) <= 8 {
		if has := classesOf(joined); has&isDigit == 0 && a.stem != nil {
			a.addWord(joined, has)
		} else {
			a.put(joined)
		}
	}
	for _, part := range parts {
		if utf8.RuneCountInString(part) > 1 { // a lone letter or digit says nothing apart from its word
			a.addPart(part)
		}
	}
	if isVersion(parts[0]) {
		a.put(cut(foldVersion(word[1:])))
	}
}

// isVersion reports v1 and the like.
func isVersion(part string) bool {
	return len(part) > 1 && (part[0] == 'v' || part[0] == 'V') && part[1] >= '0' && part[1] <= '9'
}

// foldVersion is the number of a version without its v, as addNumber would give it.
func foldVersion(number string) string {
	parts := strings.FieldsFunc(number, isJointRune)
	for i := range parts {
		parts[i] = foldWord(parts[i])
	}
	return strings.Join(parts, partSign)
}

func isApostrophe(rest string) bool {
	joint, width := jointAt(rest, 0)
	return joint == '\'' && width > 0
}

// addApostrophe adds a word with one apostrophe: an elided article before it, or an English ending after it.
func (a *analyzer) addApostrophe(before, after string) {
	ending := foldWord(after)
	switch {
	case ending == "t": // don't
		a.put(cut(foldWord(before) + ending))
	case englishEnding[ending]:
		a.addWord(before, classesOf(before))
	case elided[foldWord(before)]:
		a.addWord(after, classesOf(after))
	default: // O'Brien
		a.put(cut(foldWord(before) + ending))
		a.addPart(after)
	}
}

// englishEnding are the words that English shortens after an apostrophe.
var englishEnding = map[string]bool{"s": true, "re": true, "ve": true, "ll": true, "d": true, "m": true}

// elided are the words that French, Italian and Catalan shorten before a vowel.
var elided = map[string]bool{
	"l": true, "d": true, "j": true, "m": true, "t": true, "s": true, "c": true, "n": true, "qu": true, "jusqu": true, "lorsqu": true,
	"puisqu": true, "quoiqu": true, "un": true, "dell": true, "all": true, "dall": true, "nell": true, "sull": true, "quell": true,
	"quest": true, "dov": true, "com": true, "cos": true,
}
