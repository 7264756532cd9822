package text

import (
	"math/bits"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	sampleBytes   = 6 << 10
	sampleWindows = 12
)

// Detect tells the language of a text as an ISO 639-1 code, "" when it is not sure. It looks at a few KiB spread
// over the text: first at the script, then, where languages share one, at whose function words occur most.
func Detect(s string) string {
	return detect(sample(s), 2)
}

// sample takes pieces spread over a text, cut at spaces or between characters.
func sample(s string) string {
	if len(s) <= sampleBytes {
		return s
	}
	var b strings.Builder
	const size = sampleBytes / sampleWindows
	for i := range sampleWindows {
		from := (len(s) - size) / (sampleWindows - 1) * i
		piece := s[from : from+size]
		for len(piece) > 0 && !utf8.RuneStart(piece[0]) {
			piece = piece[1:]
		}
		if cut := strings.IndexByte(piece, ' '); from > 0 && cut >= 0 {
			piece = piece[cut:]
		}
		if cut := strings.LastIndexByte(piece, ' '); cut > size/2 {
			piece = piece[:cut]
		}
		b.WriteString(piece)
		b.WriteByte(' ')
	}
	return b.String()
}

// detect needs at least so many function words for languages that share a script.
func detect(s string, votes int) string {
	counts, most := countScripts(s)
	switch most {
	case "":
		return ""
	case "Latin", "Cyrillic", "Arabic", "Devanagari", "Hebrew", "Greek":
		return vote(s, most, votes)
	case "Han", "Kana":
		if counts["Kana"]*8 >= counts["Han"] {
			return "ja"
		}
		return "zh"
	}
	return scriptLanguage[most]
}

// scriptLanguage is the language of scripts that mostly write one.
var scriptLanguage = map[string]string{
	"Hangul": "ko", "Thai": "th", "Lao": "lo", "Khmer": "km", "Myanmar": "my", "Georgian": "ka", "Armenian": "hy",
	"Bengali": "bn", "Tamil": "ta", "Telugu": "te", "Gujarati": "gu", "Gurmukhi": "pa", "Kannada": "kn", "Malayalam": "ml", "Sinhala": "si", "Ethiopic": "am",
}

// countScripts counts letters by script and names the script of most; a Han character says as much as a few letters.
func countScripts(s string) (map[string]int, string) {
	counts := map[string]int{}
	latin := 0
	for _, r := range s {
		if r < 0x80 {
			if asciiClass[r]&(isLower|isUpper) != 0 {
				latin++
			}
			continue
		}
		if !unicode.IsLetter(r) && !unicode.IsMark(r) {
			continue
		}
		switch name := scriptOf(r); name {
		case "Latin":
			latin++
		case "Han", "Kana", "Hangul":
			counts[name] += 3
		case "":
		default:
			counts[name]++
		}
	}
	counts["Latin"] = latin
	most, total := "", 0
	for _, name := range scriptNames {
		total += counts[name]
		if counts[name] > counts[most] {
			most = name
		}
	}
	if dense := counts["Han"] + counts["Kana"]; dense > counts[most] && counts["Kana"] > 0 {
		most = "Kana"
	}
	if counts[most] < 2 || counts[most]*3 < total {
		return counts, ""
	}
	return counts, most
}

var scriptNames = []string{"Latin", "Han", "Kana", "Hangul", "Cyrillic", "Arabic", "Hebrew", "Devanagari", "Greek", "Thai", "Lao", "Khmer", "Myanmar",
	"Georgian", "Armenian", "Bengali", "Tamil", "Telugu", "Gujarati", "Gurmukhi", "Kannada", "Malayalam", "Sinhala", "Ethiopic"}

func scriptOf(r rune) string {
	switch {
	case r < 0x250, r >= 0x1E00 && r <= 0x1EFF:
		return "Latin"
	case r >= 0x4E00 && r <= 0x9FFF:
		return "Han"
	case r >= 0x3040 && r <= 0x30FF:
		return "Kana"
	case r >= 0xAC00 && r <= 0xD7A3:
		return "Hangul"
	case r >= 0x400 && r <= 0x52F:
		return "Cyrillic"
	}
	for _, name := range scriptNames {
		if table := unicode.Scripts[name]; table != nil && unicode.Is(table, r) {
			return name
		}
	}
	return ""
}

// vote counts function words of the languages of a script. The winner needs a clear lead.
func vote(s, script string, votes int) string {
	score := make([]int, len(languages))
	different := make([]int, len(languages)) // evidence that is not the same word again and again
	seen := map[string]bool{}
	words := 0
	scan(s, func(p piece) {
		if p.run || words > 2000 {
			return
		}
		words++
		w := strings.ToLower(s[p.start:p.end])
		if p.has&isLetter != 0 {
			telling := uint32(0)
			for _, r := range w {
				if r >= 0x80 {
					telling |= letterMask[r]
				}
			}
			tally(score, telling, 1)
			tally(different, telling, 1)
		}
		mask := functionMask[w]
		tally(score, mask, 2)
		if mask != 0 && !seen[w] {
			seen[w] = true
			tally(different, mask, 1)
		}
		if p.has&isJoint != 0 {
			for part := range strings.FieldsFuncSeq(w, isJointRune) {
				tally(score, functionMask[part], 2)
			}
		}
	})
	if script == "Latin" && strings.ContainsAny(s, "¿¡") {
		tally(score, languageMask("es"), 4)
	}
	best, second := -1, -1
	for i := range score {
		if scriptFor(languages[i]) != script {
			continue
		}
		switch {
		case best < 0 || score[i] > score[best]:
			best, second = i, best
		case second < 0 || score[i] > score[second]:
			second = i
		}
	}
	lead := score[best]
	if second >= 0 {
		lead -= score[second]
	}
	enough := score[best] >= 2*votes || score[best]*2 >= words || words <= 20 && lead == score[best]
	switch {
	case score[best] < 2 || !enough || lead == 0,
		words > 40 && different[best] < 4,   // Los Angeles, Los Alamos
		score[best]*6 < words && words > 20, // hardly any: another language, a list, code
		lead*10 < score[best] && words < 40: // as good as none
		return likely(s, script)
	}
	return languages[best]
}

// tally adds points to every language of a mask.
func tally(score []int, mask uint32, points int) {
	for ; mask != 0; mask &= mask - 1 {
		score[bits.TrailingZeros32(mask)] += points
	}
}

// likely is what a script mostly writes, where function words do not tell and no letter speaks for another language.
func likely(s, script string) string {
	switch {
	case script == "Greek":
		return "el"
	case script == "Hebrew":
		return "he"
	case script == "Arabic" && !strings.ContainsAny(s, "پچژگیکےٹڈڑ"):
		return "ar"
	case script == "Cyrillic" && !strings.ContainsAny(s, "іїєґўјљњћђѓќџ") && (strings.ContainsAny(s, "ыэё") || !strings.Contains(s, "ъ")):
		return "ru"
	}
	return ""
}

// scriptFor is the script of a language of functionWords.
func scriptFor(language string) string {
	switch language {
	case "ru", "uk", "bg":
		return "Cyrillic"
	case "el":
		return "Greek"
	case "ar", "fa", "ur":
		return "Arabic"
	case "he":
		return "Hebrew"
	case "hi", "mr":
		return "Devanagari"
	}
	return "Latin"
}

// letterMask has, for letters that few languages write, a bit for each that does.
var letterMask = func() map[rune]uint32 {
	mask := map[rune]uint32{}
	for language, letters := range map[string]string{
		"es": "ñ", "de": "ß", "pt": "ãõ", "pl": "łąęśźż", "hu": "őű", "tr": "ğışİ", "ro": "țăș", "cs": "ěřů", "no": "øå", "da": "øåæ", "sv": "åäö",
		"fi": "äö", "vi": "ạảấầẩậắặẹẻếềểễệịọỏốồổộớờởợụủứừửựỳỵỷỹ", "ru": "ыэъё", "uk": "іїєґ", "bg": "ъщ", "fa": "پچژگیک", "ur": "ٹڈڑے",
	} {
		for _, r := range letters {
			mask[r] |= languageMask(language)
		}
	}
	return mask
}()
